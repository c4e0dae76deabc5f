"""What was handed over is in what the execution was given, where both are at hand (specs/12 §4).

Memory is bounded: JSON is read up to `CALL_BODY_MAX_BYTES`, larger contexts are gone through in
pieces, and content larger than that is not looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ledger.errors import ContentError, StoreError
from ledger.formats.call import CALL_BODY_MAX_BYTES
from ledger.formats.containing import contained
from ledger.formats.content import ContentRef, from_cbor
from ledger.operations.report import Judged
from ledger.operations.stages import contexts_of
from ledger.operations.statements import Seen, Statements
from ledger.reader import Reader

__all__ = ["context_findings"]

PIECE_BYTES = 1 << 20


def context_findings(statements: Statements, seen: Seen) -> Iterator[Judged]:
    """Transfers to an execution that it never saw."""
    contexts, complete = contexts_of(statements, seen)
    for one in statements.parents(seen):
        if one.kind != "transfer" or one.body is None:
            continue
        handed = one.body.get("delivered", one.body["content"])
        found = _search(statements.log, handed, contexts)
        if found is None or (not found and not complete):
            yield seen.not_judged("context_mismatch", "a content is not at hand")
        elif not found:
            yield seen.finding(
                "context_mismatch",
                f"what the transfer at {one.index} handed over is in none of its contexts",
                handed,
            )


def _search(
    log: Reader, handed: Mapping[str, Any], contexts: list[Mapping[str, Any]]
) -> bool | None:
    """Whether content is in a context; None where that cannot be told."""
    if not contexts:
        return False
    if handed in contexts or handed["size_bytes"] == 0:
        return True
    if handed["size_bytes"] > CALL_BODY_MAX_BYTES:
        return None
    try:
        wanted = log.content(from_cbor(dict(handed)))
    except (ContentError, StoreError, OSError):
        return None
    unread = False
    for context in contexts:
        ref = from_cbor(dict(context))
        try:
            if ref.size_bytes < len(wanted):
                # Escapes make JSON longer, never shorter; but it has to be at hand all the same.
                log.open_archived(ref).close()
            elif _holds(log, wanted, ref):
                return True
        except (ContentError, StoreError, OSError):
            unread = True
    return None if unread else False


def _holds(log: Reader, wanted: bytes, ref: ContentRef) -> bool:
    if ref.size_bytes <= CALL_BODY_MAX_BYTES:
        return contained(wanted, log.content(ref), ref.media_type)
    with log.open_content(ref) as file:
        kept = b""
        while piece := file.read(max(PIECE_BYTES, len(wanted))):
            kept += piece
            if wanted in kept:
                return True
            kept = kept[-(len(wanted) - 1) :] if len(wanted) > 1 else b""
    return False
