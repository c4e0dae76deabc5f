"""Contents of a package as the rules of replay ask for them (specs/13 sections 1, 3, 5, 9).

Reading costs work, and the work of all questions together is bounded as that of searches is. What
was found out of a content is kept in little, so that replicates of a call cost nothing more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from .answers import ANSWER_MAX_BYTES, environment_of, read_answer
from .calls import CALL_BODY_MAX_BYTES
from .contents import Contents
from .encodings import decoded, encodings_of
from .engines import Way
from .errors import BadValue
from .levels import Seen
from .observation import (
    OBSERVATION_MAX_BYTES,
    Observation,
    numbers,
    parse_environment,
    parse_observation,
    texts,
)
from .package import Package
from .protocols import members_of
from .shelf import NOT_HERE, Shelf

Ref = dict[str, Any]
_KNOWN_MAX = 65_536
_JSON_WORK = 4
_T = TypeVar("_T")


class TooMuch(Exception):
    """A content is too large to be looked into, or too much work was done before."""


class Shown(NamedTuple):
    """What an expected observation has, in digests: SHA-256 in hex and numbers of elements."""

    tokens: tuple[int, str, str] | None = None
    logprobs: tuple[int, str] | None = None
    raw: str | None = None


class Recorded:
    """Reads contents of one package, each as often as needed and as little as possible."""

    def __init__(self, package: Package, contents: Contents) -> None:
        self._contents = contents
        self._known: dict[object, Any] = {}
        self.shelf = Shelf([(package, contents)])

    def has(self, ref: Ref) -> bool:
        """Return whether there is a file of a content, right or wrong."""
        return self._contents.present(ref["blake3"])

    def holds(self, ref: Ref) -> bool:
        """Return whether a content is here and is what the reference says."""
        return self.shelf.handle(0, ref) != NOT_HERE

    def whole(self, ref: Ref, most: int = CALL_BODY_MAX_BYTES) -> bytes:
        """Return a content that is here; raises TooMuch."""
        handle = self.shelf.handle(0, ref)
        size = self.shelf.size(handle)
        if size > most or not self.shelf.spend(_JSON_WORK * size):
            raise TooMuch
        found = self.shelf.read(handle)
        return found if isinstance(found, bytes) else b"".join(found)

    def pieces(self, ref: Ref) -> Iterator[bytes]:
        """Yield a content that is here, whatever its length."""
        found = self.shelf.read(self.shelf.handle(0, ref))
        return iter((found,)) if isinstance(found, bytes) else found

    def members(self, ref: Ref) -> frozenset[str]:
        """Return which of the telling members a request has; none if it says nothing."""
        handle = self.shelf.handle(0, ref)
        if handle == NOT_HERE or self.shelf.size(handle) > CALL_BODY_MAX_BYTES:
            return frozenset()
        return self._once(("members", handle), lambda: members_of(self.whole(ref)))

    def environment(self, witness: dict[str, Any]) -> bytes | None:
        """Return the expected environment of a witness, None if there is none."""
        ref = witness.get("replay", {}).get("environment")
        if ref is not None:
            try:
                raw = self._document(ref)
                parse_environment(raw)
            except BadValue:
                return None
            return raw
        model = witness["model"]
        fingerprint = model.get("system_fingerprint")
        return None if fingerprint is None else environment_of(model["model_id"], fingerprint)

    def environment_digest(self, witness: dict[str, Any]) -> str | None:
        """Return the SHA-256 of the expected environment in hex, None if there is none."""

        def find() -> str | None:
            found = self.environment(witness)
            return None if found is None else hashlib.sha256(found).hexdigest()

        ref = witness.get("replay", {}).get("environment")
        return find() if ref is None else self._once(("in", self.shelf.handle(0, ref)), find)

    def observation(
        self, witness: dict[str, Any], way: Way, headers: dict[str, str]
    ) -> Observation | None:
        """Return the expected observation of a witness, None if there is none.

        `headers` are those of the recorded answer.
        """
        ref = witness.get("replay", {}).get("observation")
        if ref is not None:
            try:
                return parse_observation(self._document(ref))
            except BadValue:
                return None
        ref, protocol = witness.get("raw", {}).get("response"), way.answers_in()
        if ref is None or protocol is None:
            return None
        encodings = encodings_of(headers.get("content-encoding", ""))
        if encodings is None or ref["size_bytes"] > ANSWER_MAX_BYTES:
            return None
        body = decoded((self.whole(ref, ANSWER_MAX_BYTES),), encodings, ANSWER_MAX_BYTES)
        if not body:
            return None
        if not self.shelf.spend(_JSON_WORK * len(body)):
            raise TooMuch
        return read_answer(protocol, body).observation

    def expected(self, witness: dict[str, Any], way: Way, headers: dict[str, str]) -> Seen:
        """Return what is expected of a run, as far as the contents are here."""
        replay, output = witness.get("replay", {}), witness["output"].get("output_hash")
        saw = replay.get("observation", witness.get("raw", {}).get("response"))
        within = replay.get("environment")
        return Seen(
            self.whole(output) if output is not None and self.holds(output) else None,
            None if output is None else output["media_type"],
            self.observation(witness, way, headers) if saw and self.holds(saw) else None,
            self.environment(witness) if within is None or self.holds(within) else None,
        )

    def _document(self, ref: Ref) -> bytes:
        """Return a document of section 4; raises BadValue if it is too large to be one."""
        if ref["size_bytes"] > OBSERVATION_MAX_BYTES:
            raise BadValue("too large")
        return self.whole(ref)

    def shown(self, witness: dict[str, Any], way: Way, headers: dict[str, str]) -> Shown:
        """Return in digests what the expected observation of a witness has."""
        ref = witness.get("replay", {}).get("observation")
        if ref is not None:
            key: tuple[object, ...] = ("saw", self.shelf.handle(0, ref))
        else:
            ref, protocol = witness.get("raw", {}).get("response"), way.answers_in()
            if ref is None or protocol is None:
                return Shown()
            encoding = headers.get("content-encoding", "")
            key = ("said", self.shelf.handle(0, ref), protocol, encoding)
        return self._once(key, lambda: _shown(self.observation(witness, way, headers)))

    def _once(self, key: object, find: Callable[[], _T]) -> _T:
        """Return what was found out before under a key, or find it out."""
        if key in self._known:
            known: _T = self._known[key]
            return known
        found = find()
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[key] = found
        return found


def _shown(seen: Observation | None) -> Shown:
    if seen is None:
        return Shown()
    tokens = logprobs = None
    if seen.token_ids is not None:
        tokens = len(seen.token_ids), "ids", _sha256(numbers(seen.token_ids))
    elif seen.token_texts is not None:
        tokens = len(seen.token_texts), "texts", _sha256(texts(seen.token_texts))
    if seen.logprobs is not None:
        logprobs = len(seen.logprobs), _sha256(numbers(seen.logprobs))
    return Shown(tokens, logprobs, None if seen.raw is None else seen.raw[0])


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
