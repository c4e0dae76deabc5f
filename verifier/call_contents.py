"""Requests and responses of calls, where the package holds them (specs/10 sections 4 and 7).

Contents are read one at a time and in pieces. A content that is absent, or has a finding of its
own, leaves what depends on it unchecked, and the report says of how many.
"""

from __future__ import annotations

from collections.abc import Iterator

from .calls import call_digest
from .content import SALT_BYTES
from .contents import Contents, content_path
from .encodings import check_decoded, encodings_of
from .errors import Refused
from .package import Package
from .session_bodies import CALL_KEY_BYTES
from .session_facts import Intent, Outcome

_DIGESTS_MAX = 1024


def unsalted(package: Package, address: bytes, salted: bool) -> Iterator[bytes]:
    """Yield a content of a package without its salt."""
    skip = SALT_BYTES if salted else 0
    for piece in package.stream(content_path(address)):
        if skip:
            piece, skip = piece[skip:], max(0, skip - len(piece))
        if piece:
            yield piece


class CallContents:
    """Checks digests of requests, and responses without their content encoding."""

    def __init__(self, package: Package, contents: Contents, salted: bool | None) -> None:
        self._package = package
        self._contents = contents
        self._salted = salted
        self._digests: dict[object, bytes] = {}
        self._unread = 0
        self._undecoded = 0
        self._encodings = 0
        self._long = 0

    def _pieces(self, row: bytes, salted: bool) -> Iterator[bytes]:
        return unsalted(self._package, row[:32], salted)

    def key(self, row: bytes) -> bytes | None:
        """Return the content of a `call_key`, or None if it cannot be read."""
        if not self._contents.holds(row):
            return None
        key = b"".join(self._pieces(row, bool(self._salted)))
        return key if len(key) == CALL_KEY_BYTES else None

    def check_request(self, fact: Intent, key: bytes | None) -> None:
        """Compute the digest of an intent's request; `call_mismatch`."""
        unknown_key = self._salted is None or (self._salted and key is None)
        if unknown_key or (fact.request is not None and not self._contents.holds(fact.request[0])):
            self._unread += 1
            return
        body = None
        if fact.request is not None:
            row, salted = fact.request
            size = int.from_bytes(row[64:], "big") - (SALT_BYTES if salted else 0)
            body = (size, lambda: self._pieces(row, salted))
        asked = (fact.method, fact.url, fact.headers, fact.request, key)
        found = self._digests.get(asked)  # replicates and attempts ask the same again
        if found is None:
            headers = dict(fact.headers)
            found = call_digest(fact.method, fact.url, headers, body, key if self._salted else None)
            if len(self._digests) >= _DIGESTS_MAX:
                self._digests.clear()
            self._digests[asked] = found
        if found != fact.digest:
            text = "the digest of the call is not that of its request"
            raise Refused("call_mismatch", text, found.hex(), fact.digest.hex())

    def check_response(self, fact: Outcome) -> None:
        """Undo the content encoding of a response and compare; `decoded_mismatch`."""
        if fact.decoded is None or self._salted:
            return
        if not self._contents.holds(fact.response):
            self._undecoded += 1
            return
        encodings = encodings_of(fact.encoding)
        if encodings is None:
            self._encodings += 1
        elif not check_decoded(self._pieces(fact.response, False), encodings, *fact.decoded):
            self._long += 1

    def sentences(self) -> list[str]:
        """Return what was not checked, with the number of each."""
        parts = (
            (self._unread, "request digests: body or key not in the package"),
            (self._undecoded, "decoded responses: body not in the package"),
            (self._encodings, "decoded responses: an encoding that cannot be undone"),
            (self._long, "decoded responses: more than 1 GiB"),
        )
        return [f"{text} ({number})" for number, text in parts if number]
