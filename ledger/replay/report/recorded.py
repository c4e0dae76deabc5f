"""The replays that a ledger has recorded, as runs of a report (specs/13 section 7)."""

from __future__ import annotations

from collections.abc import Container, Iterator

from ledger.errors import ContentError, LogError
from ledger.formats.content import ContentRef
from ledger.formats.payload import Parent
from ledger.model import from_body
from ledger.reader import Reader
from ledger.replay.report.inputs import Contents, Run, Subject, of_parent, of_witness

__all__ = ["contents_of", "recorded_runs"]

_REMEMBERED = 4096


def recorded_runs(
    log: Reader, witnesses: Container[str] | None = None, *, session: str | None = None
) -> Iterator[Run]:
    """Every run that is recorded in a ledger, in its order.

    `witnesses` are ids; `session` is that of the witness, and of a witness in another ledger that
    of its replay.
    """
    known: dict[bytes, Subject] = {}
    for entry in log.find(type="replay"):
        parent = entry.payload.parents[0]
        if witnesses is not None and parent.id not in witnesses:
            continue
        subject = known.get(parent.leaf_hash)
        if subject is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            subject = known[parent.leaf_hash] = _subject(log, parent)
        of = entry.payload.session if subject.index is None else subject.session
        if session is None or of == session:
            body = entry.payload.body
            from_body("replay", body)
            yield Run(subject, body, entry.cose.kid, entry.index)


def _subject(log: Reader, parent: Parent) -> Subject:
    if parent.ledger is not None and parent.ledger != log.genesis:
        return of_parent(parent)
    try:
        entry = log.by_id(parent.id)
    except LogError:
        return of_parent(parent)
    if entry.payload.type != "witness" or entry.leaf_hash != parent.leaf_hash:
        return of_parent(parent)
    return of_witness(entry.index, entry.leaf_hash, entry.payload)


def contents_of(log: Reader) -> Contents:
    """The contents of a ledger; what is erased or damaged is not at hand."""

    def read(ref: ContentRef) -> bytes | None:
        try:
            return log.content(ref)
        except ContentError:
            return None

    return Contents(read)
