"""Key events and which key is valid at an index (specs/05 sections 3 and 4).

`KeyBook` takes key events in log order and lets only valid ones have an effect. `compile` then
turns what they say into a `Judge`, in which revocations work backwards: it is built only when
every key event of the log is known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import cbor, ed25519
from .errors import Refused
from .statement import KEY_STREAM, KEY_TYPES

PROOF_CONTEXT = "vif-key-proof"
FOREVER = 2**64
_NOTHING: list[Refused] = []


class Key:
    """A key that a valid event introduced, and what later events did to it."""

    __slots__ = ("entered", "first", "good", "kid", "last", "name", "public", "role", "source")

    def __init__(
        self, kid: bytes, public: bytes, name: str, role: str, index: int, source: Key | None
    ) -> None:
        self.kid = kid
        self.public = public
        self.name = name
        self.role = role
        self.entered = index
        self.first = index + 1 if index else 0
        self.last = FOREVER
        self.good = FOREVER
        self.source = source

    def revoked(self, index: int) -> bool:
        """Return whether a revocation so far reaches this key at an index, or one it came from.

        A key lives by the rotation that introduced it, which counts where that was made.
        """
        key: Key | None = self
        while key is not None:
            if index > key.good:
                return True
            index, key = key.entered, key.source
        return False


class Verdict(NamedTuple):
    """A key as records are judged by it: indices first to last, trusted up to good."""

    public: bytes
    name: str
    role: str
    first: int
    last: int
    good: int


class Judge:
    """Says which key may have signed what at which index; built once, then only read."""

    def __init__(self, keys: dict[bytes, Verdict]) -> None:
        self.keys = keys

    def wrong(self, kid: bytes, index: int, kind: str, iss: str) -> list[Refused]:
        """Return why the key may not sign a statement of a type at an index as `iss`, if so.

        At most one of `key_unknown`, `key_revoked`, `key_role`, `key_name`.
        """
        key = self.keys.get(kid)
        if key is None:
            return [Refused("key_unknown", "signed by a key that no key event introduced")]
        _, name, role, first, last, good = key
        if index < first:
            return [Refused("key_unknown", f"the key is valid from index {first} on")]
        if index > last:
            return [Refused("key_unknown", f"the key ended at index {last}")]
        if index > good:
            return [Refused("key_revoked", f"the key is revoked beyond index {good}")]
        if role != "producer" or kind in KEY_TYPES:
            wanted = "authority" if kind in KEY_TYPES else "producer"
            if kind != "rotate" and role != wanted:
                return [Refused("key_role", f"type {kind}", wanted, role)]
        if name != iss:
            return [Refused("key_name", "the issuer is not the name of the key", name, iss)]
        return _NOTHING

    def log_keys(self, size: int) -> list[Verdict]:
        """Return the log keys that may sign a head of this size: at most one in a sound ledger.

        That is the key valid at the index after the last, so that the head which covers a change
        of the log key is the new key's; revocation looks at the last index.
        """
        return [
            key
            for key in self.keys.values()
            if key.role == "log" and key.first <= size <= key.last and size - 1 <= key.good
        ]


def _event_invalid(why: str) -> Refused:
    return Refused("key_event_invalid", why)


class KeyBook:
    """The keys of a ledger as its key events, taken in log order, introduce and end them."""

    def __init__(self) -> None:
        self.origin: str | None = None
        self.salted: bool | None = None
        self.genesis: bytes | None = None
        self._keys: dict[bytes, Key] = {}
        self._log: Key | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def signer(self, kid: bytes, index: int) -> Key:
        """Return the key if it is valid at an index by the events so far; `key_unknown`."""
        key = self._keys.get(kid)
        if key is None or not key.first <= index <= key.last or key.revoked(index):
            raise Refused("key_unknown", "not a key that is valid here")
        return key

    def start(self, p: dict[str, Any], kid: bytes, iss: str, leaf: bytes) -> bytes:
        """Return the authority key that a genesis at index 0 must be signed by.

        Raises `key_invalid`, `proof_invalid`, `key_event_invalid`, `key_unknown`, `key_role`,
        `key_name`; it has no effect before `confirm`.
        """
        body = p["body"]
        if p["stream"]["id"] != KEY_STREAM or p["stream"]["seq"] != 0:
            raise _event_invalid("the genesis is not the first statement of its stream")
        entries = [("authority", body["authority"]), ("log", body["log"])]
        entries += [("producer", entry) for entry in body["producers"]]
        keys = [self._entry(body["origin"], role, entry, 0, None) for role, entry in entries]
        by_kid = {key.kid: key for key in keys}
        if len(by_kid) != len(keys):
            raise _event_invalid("a public key appears twice in the genesis")
        authority = keys[0]
        if kid not in by_kid:
            raise Refused("key_unknown", "the genesis is signed by a key that it does not name")
        if kid != authority.kid:
            raise Refused("key_role", "type genesis", "authority", by_kid[kid].role)
        if authority.name != iss:
            raise Refused("key_name", "the issuer is not the authority", authority.name, iss)
        self._pending = (by_kid, keys[1], body["origin"], body["salted"], leaf)
        return authority.public

    def confirm(self) -> None:
        """Let the genesis that `start` checked have its effect; its signature is verified."""
        self._keys, self._log, self.origin, self.salted, self.genesis = self._pending

    def apply(self, p: dict[str, Any], index: int, signer: Key) -> None:
        """Let a later key event have its effect, or refuse it; its signature is verified.

        Raises `key_invalid`, `proof_invalid`, `key_event_invalid`, `key_role`.
        """
        kind, body = p["type"], p["body"]
        if p["stream"]["id"] != KEY_STREAM:
            raise _event_invalid(f"type {kind} outside the stream {KEY_STREAM}")
        if kind == "rotate":
            self._rotate(body, index, signer)
            return
        if signer.role != "authority":
            raise Refused("key_role", f"type {kind}", "authority", signer.role)
        if kind == "enrol":
            self._enrol(body, index)
        elif kind == "revoke":
            self._revoke(body, index)
        else:
            raise _event_invalid(f"type {kind} after index 0")

    def _entry(
        self, origin: str, role: str, entry: dict[str, Any], index: int, source: Key | None
    ) -> Key:
        """Return the key of an entry whose point, proof and name are right."""
        public, name = entry["public_key"], entry["name"]
        ed25519.check_public_key(public)
        claim = cbor.encode([PROOF_CONTEXT, origin, role, name, public])
        try:
            ed25519.verify(public, claim, entry["proof"])
        except Refused:
            raise Refused("proof_invalid", f"the proof of key {name!a} does not verify") from None
        if role == "log" and name != origin:
            raise _event_invalid("the name of a log key is not the origin")
        return Key(ed25519.kid(public), public, name, role, index, source)

    def _add(self, role: str, entry: dict[str, Any], index: int, source: Key | None) -> None:
        if self.origin is None:
            raise RuntimeError("a key event before the genesis")
        key = self._entry(self.origin, role, entry, index, source)
        if key.kid in self._keys:
            raise _event_invalid("the public key is already in the ledger")
        self._keys[key.kid] = key
        if role == "log":
            if self._log is not None and self._log.last == FOREVER:
                self._log.last = index
            self._log = key

    def _enrol(self, body: dict[str, Any], index: int) -> None:
        self._add(body["role"], body["key"], index, None)

    def _rotate(self, body: dict[str, Any], index: int, signer: Key) -> None:
        if body["old_kid"] != signer.kid:
            raise _event_invalid("a rotation that the replaced key did not sign")
        if body["key"]["name"] != signer.name:
            raise _event_invalid("a rotation to another name")
        self._add(signer.role, body["key"], index, signer)
        signer.last = index

    def _revoke(self, body: dict[str, Any], index: int) -> None:
        key = self._keys.get(body["kid"])
        if key is None or key.role == "authority":
            raise _event_invalid("a revocation of no enrolled log or producer key")
        if not key.entered <= body["last_good_index"] < index:
            raise _event_invalid("last_good_index is not between enrolment and revocation")
        if key.good != FOREVER:
            raise _event_invalid("the key is already revoked")
        key.good = body["last_good_index"]

    def compile(self) -> Judge:
        """Return the judge of all records, now that all key events are known."""
        judged: dict[bytes, Verdict] = {}
        for kid, key in self._keys.items():
            good = key.good
            if key.source is not None and judged[key.source.kid].good < key.entered:
                good = -1  # the rotation was made beyond the last good index of its signer
            judged[kid] = Verdict(key.public, key.name, key.role, key.first, key.last, good)
        return Judge(judged)
