"""A draft looked over, before it gets its place (specs/03, 06 and 10).

All that does not depend on the place in the log happens here, in the caller's own thread: the body
is validated, content is checked, and large content becomes durable. A draft that fails does so
before anybody else's is touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import model
from ledger.drafts import Archived, BodyLike, Draft, ParentLike
from ledger.errors import ContentError, LogError, RecordError
from ledger.formats import cbor
from ledger.formats import content as formats
from ledger.formats.content import ContentRef, references
from ledger.formats.payload import KEY_TYPES, OWN_PARENTS, SESSION_TYPES, Parent
from ledger.store import INLINE_MAX_BYTES, Blob, ContentStore
from ledger.store.content import PIECE_BYTES
from ledger.writer.bodies import encode_model

__all__ = ["Prepared", "encode_body", "prepare", "prepare_body"]

_BODY_KEY = b"\xa1\x64body"
_BLAKE3 = b"\x66blake3\x58\x20"
_SALTED = b"\x66salted\xf5"
_ELSEWHERE = {"erasure": "erase", "stream_close": "close_stream"}


@dataclass(slots=True)
class Prepared:
    """A statement that lacks only place, id, time and signature."""

    type: str
    body: bytes | Callable[[int], bytes]
    """The body as CBOR, or a function of `seq` that makes it."""
    parents: Sequence[ParentLike] = ()
    blobs: Sequence[Blob] = ()
    draft: Draft | None = None


def prepare(
    draft: Draft, store: ContentStore, *, salted: bool, session: str | None = None
) -> Prepared:
    """Look a draft over and make its large content durable; `session` is its stream's.

    Raises `RecordError` for the body, `ContentError` for content that is not what its reference
    says, `LogError("key_event_invalid")` for types that have a call of their own, `StoreError`.
    """
    if draft.type in KEY_TYPES:
        raise LogError("key_event_invalid", f"{draft.type} is not appended but made by key events")
    if draft.type in _ELSEWHERE:
        raise LogError("key_event_invalid", f"use {_ELSEWHERE[draft.type]}() for {draft.type}")
    if draft.type == "annotation" and not draft.parents:
        raise RecordError("body_invalid", "an annotation names the statements it is about")
    if draft.type in OWN_PARENTS and any(
        isinstance(one, Parent) and one.ledger is not None for one in draft.parents
    ):
        raise RecordError("body_invalid", f"a parent of {draft.type} is in its own ledger")
    body = _model(draft.type, draft.body)
    if draft.type in SESSION_TYPES:
        _check_session(body, draft, salted=salted, session=session)
    model.check_parents(body, len(draft.parents))
    made = prepare_body(draft.type, body, salted=salted)
    made.parents = draft.parents
    made.blobs = [blob for item in draft.contents for blob in _store(item, store, salted=salted)]
    made.draft = draft
    return made


def prepare_body(kind: str, body: BodyLike, *, salted: bool) -> Prepared:
    """A statement without parents and content; raises `RecordError` for its body."""
    body = _model(kind, body)
    encoded = encode_model(body)
    if not _evidently(encoded, salted=salted):
        for ref in references(model.to_body(body)):
            if ref.salted != salted:
                raise RecordError("body_invalid", _salt_message(salted))
    return Prepared(kind, encoded)


def _model(kind: str, body: BodyLike) -> model.Body:
    if not isinstance(body, model.Body):
        return model.from_body(kind, dict(body))
    if type(body) is not model.BODIES.get(kind):
        raise RecordError("body_invalid", f"{type(body).__name__} is no body of {kind}")
    return body


def _check_session(body: model.Body, draft: Draft, *, salted: bool, session: str | None) -> None:
    """What a body of specs/10 needs of its envelope and its ledger (specs/10 §1, §2, §4)."""
    if session is None:
        raise RecordError(
            "body_invalid",
            f"{draft.type} needs a session",
            hint="open the stream with session=...",
        )
    if isinstance(body, model.SessionOpen) and (body.call_key is not None) != salted:
        raise RecordError("body_invalid", "call_key must be there iff the ledger is salted")
    if isinstance(body, model.Outcome) and body.decoded is not None and salted:
        raise RecordError("body_invalid", "decoded must not be there in a salted ledger")


def encode_body(body: dict[str, Any]) -> bytes:
    """A body in CBOR, with the depth counted that it has in its payload; raises `FormatError`."""
    return cbor.encode({"body": body})[len(_BODY_KEY) :]


def _evidently(encoded: bytes, *, salted: bool) -> bool:
    """Whether the encoding alone shows that every content reference is as the ledger wants it.

    Looking for references among all values takes as long as encoding them. In the encoding of one,
    `blake3` stands first and `salted`, if it is there, next.
    """
    if not salted:
        return _SALTED not in encoded
    at = encoded.find(_BLAKE3)
    while at >= 0:
        if not encoded.startswith(_SALTED, at + len(_BLAKE3) + 32):
            return False
        at = encoded.find(_BLAKE3, at + 1)
    return True


def _salt_message(salted: bool) -> str:
    if salted:
        return "this ledger is salted; a reference without salt cannot be recorded"
    return "this ledger is not salted; a salted reference cannot be recorded"


def _store(item: Archived, store: ContentStore, *, salted: bool) -> list[Blob]:
    ref, data = item.ref, item.data
    if ref.salted != salted:
        raise RecordError("body_invalid", _salt_message(salted))
    if data is None:
        return []
    if isinstance(data, Path):
        if data.stat().st_size > INLINE_MAX_BYTES:
            _store_file(ref, data, store)
            return []
        data = data.read_bytes()
    formats.check(ref, data)
    if store.is_stored(ref.blake3):
        return []
    if len(data) <= INLINE_MAX_BYTES:
        return [Blob(ref.blake3, data)]
    store.put_file(ref.blake3, [data])
    return []


def _store_file(ref: ContentRef, path: Path, store: ContentStore) -> None:
    # Both digests have to be right before anything is kept, whatever the file's name says.
    sha256, size = hashlib.sha256(), 0
    with store.writing() as incoming, path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            sha256.update(piece)
            incoming.write(piece)
            size += len(piece)
        if (size, sha256.digest(), incoming.digest()) != (
            ref.archived_bytes,
            ref.sha256,
            ref.blake3,
        ):
            raise ContentError("content_mismatch", f"{path.name} is not what its reference says")
        incoming.keep()
