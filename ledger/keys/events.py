"""Key events: who may sign what, from where to where in the log (specs/05 sections 3 and 4).

`KeyHistory` is built by key events in log order. What it says about an index can change until the
whole log is read: a revocation works backwards, by position in the log and not by a clock.

    key valid at i    introduced at e, and i > e (i >= e for the genesis)
                      not ended (rotated, or another log key enrolled) before i
                      not revoked with last_good_index < i, nor rotated from a key that is so at e

An event is judged by what the log said up to it; an invalid one raises and has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ledger.errors import FormatError
from ledger.formats import cbor
from ledger.formats.cose import CoseSign1, signing_input
from ledger.formats.payload import KEY_TYPES, Payload, check_stream_of_type
from ledger.formats.values import is_count, is_digest, is_label, is_origin, is_prose
from ledger.keys import ed25519
from ledger.keys.signer import AUTHORITY, LOG, PRODUCER, Signer

PROOF_CONTEXT: Final = "vif-key-proof"
PRODUCERS_MAX: Final = 16


class KeyEntry(NamedTuple):
    """A public key under its name, with its proof of possession."""

    name: str
    public_key: bytes
    proof: bytes

    def to_cbor(self) -> dict[str, Any]:
        """Return the map that stands in a body."""
        return {"name": self.name, "public_key": self.public_key, "proof": self.proof}


@dataclass(slots=True)
class KeyRecord:
    """A key and the indices that bound its validity; changed only by the history that holds it."""

    name: str
    role: str
    public_key: bytes
    kid: bytes
    introduced: int
    rotated_from: KeyRecord | None = None
    ended: int | None = None
    last_good_index: int | None = None


def proof_message(origin: str, role: str, name: str, public_key: bytes) -> bytes:
    """Return what a key signs to prove that its holder wants it there, in that role and name."""
    return cbor.encode([PROOF_CONTEXT, origin, role, name, public_key])


def key_entry(signer: Signer, origin: str, role: str) -> KeyEntry:
    """Make the entry of a signer's key, for a body of genesis, enrol or rotate."""
    proof = signer.sign(proof_message(origin, role, signer.name, signer.public_key))
    return KeyEntry(signer.name, signer.public_key, proof)


def genesis_body(
    origin: str, authority: KeyEntry, log: KeyEntry, producers: Iterable[KeyEntry], *, salted: bool
) -> dict[str, Any]:
    """Return the body of a `genesis`."""
    return {
        "origin": origin,
        "salted": salted,
        "authority": authority.to_cbor(),
        "log": log.to_cbor(),
        "producers": [entry.to_cbor() for entry in producers],
    }


def enrol_body(role: str, entry: KeyEntry) -> dict[str, Any]:
    """Return the body of an `enrol`; role is `producer` or `log`."""
    return {"role": role, "key": entry.to_cbor()}


def rotate_body(old_kid: bytes, entry: KeyEntry) -> dict[str, Any]:
    """Return the body of a `rotate`."""
    return {"old_kid": old_kid, "key": entry.to_cbor()}


def revoke_body(kid: bytes, last_good_index: int, reason: str) -> dict[str, Any]:
    """Return the body of a `revoke`."""
    return {"kid": kid, "last_good_index": last_good_index, "reason": reason}


class KeyHistory:
    """The keys of one ledger and where in the log each is valid."""

    def __init__(self) -> None:
        """Begin before the genesis: no key is known."""
        self.origin = ""
        self.salted = False
        self._keys: dict[bytes, KeyRecord] = {}

    @property
    def keys(self) -> tuple[KeyRecord, ...]:
        """All keys ever introduced, in order of introduction."""
        return tuple(self._keys.values())

    def admit(self, index: int, cose: CoseSign1, payload: Payload) -> KeyRecord:
        """Take the statement at the next index: judge key and signature, apply it if a key event.

        Raises FormatError with the codes of specs/05 and has no effect then. A revocation further
        on can still make its key invalid: `judge` again when the whole log is read.
        """
        check_stream_of_type(payload)
        if payload.type == "genesis":
            genesis = KeyHistory()
            genesis._genesis(index, payload, cose.kid, replay=bool(self._keys))
            key = genesis.judge(index, cose, payload)
        else:
            key = self.judge(index, cose, payload)
        ed25519.verify(key.public_key, cose.signature, signing_input(cose.protected, cose.payload))
        if payload.type in KEY_TYPES:
            self.apply(index, payload, cose.kid)
        return self._keys[cose.kid]

    def judge(self, index: int, cose: CoseSign1, payload: Payload) -> KeyRecord:
        """Return the key of a statement; its signature is not checked here.

        Raises FormatError `key_unknown`, `key_revoked`, `key_role` or `key_name` (specs/05 section
        4), or `key_event_invalid` for a type that does not belong into the stream (specs/02).
        """
        check_stream_of_type(payload)
        key = self.valid_key(index, cose.kid)
        _check_role(key, payload.type)
        if cose.iss != key.name:
            raise FormatError("key_name", f"iss is {cose.iss}, the key's name is {key.name}")
        return key

    def valid_key(self, index: int, kid: bytes) -> KeyRecord:
        """Return the key with this key id if it is valid at the index.

        Raises FormatError `key_unknown` (never introduced, not yet, ended) or `key_revoked`.
        """
        key = self._standing(index, kid)
        if _revoked(key, index):
            raise FormatError("key_revoked", f"key {kid.hex()[:16]} is revoked at {index}")
        return key

    def _standing(self, index: int, kid: bytes) -> KeyRecord:
        """Return the key if it was introduced and has not ended at the index."""
        key = self._keys.get(kid)
        if key is None:
            raise FormatError("key_unknown", f"key {kid.hex()[:16]} was never introduced")
        # Of the keys of genesis alone is index 0 itself a place to sign.
        if index < key.introduced or (index == key.introduced and index > 0):
            raise FormatError("key_unknown", f"key {kid.hex()[:16]} is not valid yet")
        if key.ended is not None and key.ended < index:
            raise FormatError("key_unknown", f"key {kid.hex()[:16]} ended at {key.ended}")
        return key

    def log_key_at(self, size: int) -> KeyRecord:
        """Return the key that signs the head of this size: the new one if the last leaf changed it.

        Raises FormatError `key_unknown` or `key_revoked` if there is none.
        """
        for key in self._keys.values():
            if key.role != LOG or size < 1:
                continue
            try:
                self._standing(size, key.kid)
            except FormatError:
                continue
            if _revoked(key, size - 1):
                raise FormatError("key_revoked", f"the log key is revoked for size {size}")
            return key
        raise FormatError("key_unknown", f"no log key for a head of size {size}")

    def producers_at(self, size: int) -> tuple[KeyRecord, ...]:
        """Return the producer keys that may sign the next statement of a log of this size."""
        found = []
        for key in self._keys.values():
            if key.role == PRODUCER:
                try:
                    found.append(self.valid_key(size, key.kid))
                except FormatError:
                    continue
        return tuple(found)

    def apply(self, index: int, payload: Payload, kid: bytes) -> None:
        """Take the effect of a key event at this index, signed by `kid`.

        The signature itself is the caller's to check. Raises FormatError `body_invalid`,
        `key_invalid`, `proof_invalid`, `key_event_invalid`, `key_unknown`, `key_revoked` or
        `key_role`, and has no effect then (specs/05 section 3).
        """
        check_stream_of_type(payload)
        if payload.type == "genesis":
            self._genesis(index, payload, kid, replay=bool(self._keys))
            return
        if payload.type not in KEY_TYPES:
            raise FormatError("key_event_invalid", f"{payload.type} is not a key event")
        signer = self.valid_key(index, kid)
        _check_role(signer, payload.type)
        if payload.type == "enrol":
            self._enrol(index, payload.body)
        elif payload.type == "rotate":
            self._rotate(index, payload.body, signer)
        else:
            self._revoke(index, payload.body)

    def _genesis(self, index: int, payload: Payload, kid: bytes, *, replay: bool) -> None:
        if index != 0 or replay:
            raise FormatError("key_event_invalid", "a genesis is at index 0 and nowhere else")
        body = _closed(payload.body, "origin", "salted", "authority", "log", "producers")
        origin, salted, producers = body["origin"], body["salted"], body["producers"]
        if not is_origin(origin) or type(salted) is not bool:
            raise FormatError("body_invalid", "origin or salted of the genesis")
        if type(producers) is not list or not 1 <= len(producers) <= PRODUCERS_MAX:
            raise FormatError("body_invalid", f"a genesis names 1 to {PRODUCERS_MAX} producers")
        named = [(AUTHORITY, body["authority"]), (LOG, body["log"])]
        named += [(PRODUCER, producer) for producer in producers]
        fresh: dict[bytes, KeyRecord] = {}
        for role, value in named:
            key = _introduce(origin, role, _entry(value), 0)
            if key.kid in fresh:
                raise FormatError("key_event_invalid", "a public key appears twice in the genesis")
            fresh[key.kid] = key
        signer = fresh.get(kid)
        if signer is None:
            raise FormatError("key_unknown", "the genesis is not signed by a key that it names")
        _check_role(signer, payload.type)
        self.origin, self.salted, self._keys = origin, salted, fresh

    def _enrol(self, index: int, value: dict[str, Any]) -> None:
        body = _closed(value, "role", "key")
        role = body["role"]
        if role != PRODUCER and role != LOG:
            raise FormatError("body_invalid", "the role of an enrol is producer or log")
        key = self._new(index, role, body["key"])
        if role == LOG:
            for other in self._keys.values():
                if other.role == LOG and other.ended is None:
                    other.ended = index
        self._keys[key.kid] = key

    def _rotate(self, index: int, value: dict[str, Any], old: KeyRecord) -> None:
        body = _closed(value, "old_kid", "key")
        if not is_digest(body["old_kid"]):
            raise FormatError("body_invalid", "old_kid is not 32 bytes")
        if body["old_kid"] != old.kid:
            raise FormatError("key_event_invalid", "a rotate is signed by the key that it replaces")
        key = self._new(index, old.role, body["key"])
        if key.name != old.name:
            raise FormatError("key_event_invalid", "the new key has another name")
        key.rotated_from = old
        old.ended = index
        self._keys[key.kid] = key

    def _revoke(self, index: int, value: dict[str, Any]) -> None:
        body = _closed(value, "kid", "last_good_index", "reason")
        kid, last_good_index = body["kid"], body["last_good_index"]
        if not is_digest(kid) or not is_count(last_good_index) or not is_prose(body["reason"]):
            raise FormatError("body_invalid", "kid, last_good_index or reason of the revoke")
        key = self._keys.get(kid)
        if key is None or key.role == AUTHORITY:
            raise FormatError("key_event_invalid", "a revoke names a log or producer key")
        if key.last_good_index is not None:
            raise FormatError("key_event_invalid", "the key is revoked already")
        if not key.introduced <= last_good_index < index:
            raise FormatError("key_event_invalid", "last_good_index is outside the key's time")
        key.last_good_index = last_good_index

    def _new(self, index: int, role: str, value: object) -> KeyRecord:
        key = _introduce(self.origin, role, _entry(value), index)
        if key.kid in self._keys:
            raise FormatError("key_event_invalid", "the public key is in the ledger already")
        return key


def _revoked(key: KeyRecord | None, index: int) -> bool:
    """Tell whether a revocation reaches the key, or one it descends from where it was rotated."""
    while key is not None:
        if key.last_good_index is not None and key.last_good_index < index:
            return True
        # What counts for the rotation that introduced the key is the place where it was made.
        index, key = key.introduced, key.rotated_from
    return False


def _check_role(key: KeyRecord, kind: str) -> None:
    if kind == "rotate":
        return  # signed by the key that is replaced, whatever its role
    if key.role != (AUTHORITY if kind in KEY_TYPES else PRODUCER):
        raise FormatError("key_role", f"a key of role {key.role} signs no {kind}")


def _introduce(origin: str, role: str, entry: KeyEntry, index: int) -> KeyRecord:
    name, public_key, proof = entry
    ed25519.check_public_key(public_key)
    try:
        ed25519.verify(public_key, proof, proof_message(origin, role, name, public_key))
    except FormatError:
        raise FormatError("proof_invalid", f"the proof of the {role} key {name}") from None
    if role == LOG and name != origin:
        raise FormatError("key_event_invalid", "the name of a log key is the origin")
    return KeyRecord(name, role, public_key, ed25519.thumbprint(public_key), index)


def _entry(value: object) -> KeyEntry:
    entry = _closed(value, "name", "public_key", "proof")
    name, public_key, proof = entry["name"], entry["public_key"], entry["proof"]
    if not is_label(name) or not is_digest(public_key):
        raise FormatError("body_invalid", "name or public_key of a key entry")
    if type(proof) is not bytes or len(proof) != ed25519.SIGNATURE_BYTES:
        raise FormatError("body_invalid", "the proof of a key entry is not 64 bytes")
    return KeyEntry(name, public_key, proof)


def _closed(value: object, *keys: str) -> dict[str, Any]:
    if type(value) is not dict or value.keys() != set(keys):
        raise FormatError("body_invalid", f"not a map of exactly {', '.join(keys)}")
    return value
