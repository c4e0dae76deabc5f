"""A short log in which keys come, go and are revoked; what is in it need not be allowed."""

from __future__ import annotations

from typing import Any

from ledger.formats import cbor, merkle
from ledger.formats.payload import KEY_STREAM
from ledger.keys.events import enrol_body, key_entry, revoke_body, rotate_body
from ledger.keys.signer import Ed25519Signer
from tools.vectors import lab
from tools.vectors.case import Case


class Story:
    """A log that grows statement by statement, chained as it should be."""

    def __init__(self) -> None:
        """Begin with the genesis of the test ledger."""
        self.statements = [lab.GENESIS_STATEMENT]
        self._streams = {KEY_STREAM: [lab.GENESIS_STATEMENT]}
        self.findings: list[tuple[int, str]] = []

    @property
    def size(self) -> int:
        """The number of statements so far."""
        return len(self.statements)

    def tell(
        self, kind: str, body: dict[str, Any], by: Ed25519Signer, stream: str, name: str
    ) -> Story:
        """Append a statement, signed by a key under a name."""
        before = self._streams.setdefault(stream, [])
        identity, created_at = lab.moment(self.size)
        link: dict[str, Any] = {"id": stream, "seq": len(before)}
        if before:
            link["prev"] = merkle.hash_leaf(before[-1])
        else:
            link["ledger"] = {"origin": lab.ORIGIN, "genesis": lab.LEDGER.genesis}
        payload: dict[str, Any] = {"vif": 1, "type": kind, "id": identity, "created_at": created_at,
                   "stream": link, "body": body}  # fmt: skip
        renamed = Ed25519Signer(by._private, name, by.role)
        statement = lab.sign(cbor.encode(payload), renamed, stream)
        before.append(statement)
        self.statements.append(statement)
        return self

    def work(self, by: Ed25519Signer, name: str | None = None) -> Story:
        """Append a witness, in the key's own stream."""
        stream = f"of/{by.public_key.hex()[:8]}"
        return self.tell("witness", lab.witness_body(), by, stream, name or by.name)

    def event(self, kind: str, body: dict[str, Any], by: Ed25519Signer = lab.AUTHORITY) -> Story:
        """Append a key event."""
        return self.tell(kind, body, by, KEY_STREAM, by.name)

    def enrol(self, key: Ed25519Signer, by: Ed25519Signer = lab.AUTHORITY) -> Story:
        """Append the enrolment of a key."""
        return self.event("enrol", enrol_body(key.role, key_entry(key, lab.ORIGIN, key.role)), by)

    def rotate(self, old: Ed25519Signer, new: Ed25519Signer) -> Story:
        """Append the rotation from one key to another."""
        body = rotate_body(old.kid, key_entry(new, lab.ORIGIN, old.role))
        return self.event("rotate", body, old)

    def revoke(self, key: Ed25519Signer, last_good_index: int) -> Story:
        """Append the revocation of a key."""
        return self.event("revoke", revoke_body(key.kid, last_good_index, "lost"))

    def bad(self, code: str, *indices: int) -> Story:
        """Say that the last statement, or those named, are refused with this code."""
        self.findings += [(index, code) for index in indices or (self.size - 1,)]
        return self

    def case(self, name: str, told: str, log_key: Ed25519Signer | None = lab.LOG) -> Case:
        """Return the case."""
        self.findings.sort()
        bundle = b"".join(len(item).to_bytes(2) + item for item in self.statements)
        arguments = {
            "findings": [list(finding) for finding in self.findings],
            "log_key": log_key.kid.hex() if log_key else None,
        }
        expect = self.findings[0][1] if self.findings else "ok"
        files = {"input.bin": bundle}
        return Case(f"history_{name}", "history", told, expect, arguments, files)
