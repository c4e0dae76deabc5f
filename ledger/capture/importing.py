"""What importers share: the log they write to, the check of novelty, batches (specs/03 §6).

An import is written in as few commits as its size allows: statements are handed over when 2,048 of
them or 32 MiB of content have come together, and the `import` statement goes with the last ones. A
small file is therefore in the log whole or not at all. A large one whose import was killed between
two commits is taken up where it stopped when it is imported again (`ledger.capture.known`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from ledger.capture.known import Known, KnownLog, interrupted
from ledger.capture.redaction import REDACTED, Secret
from ledger.drafts import Archived, Draft, ParentLike, Receipt
from ledger.errors import ImportSourceError, LedgerError
from ledger.formats.content import SALT_BYTES, ContentRef
from ledger.formats.values import is_name
from ledger.model import Annotation, Import
from ledger.model.archive import Salt, archive

BATCH_DRAFTS = 2048
BATCH_BYTES = 32 << 20
PIECE_BYTES = 1 << 20
SHOWN_MAX = 3

Progress = Callable[[int, int], None]
"""Called with the number of witnesses handed over so far and the number there will be."""


class ImportLog(KnownLog, Protocol):
    """The part of a ledger that an importer needs."""

    @property
    def salted(self) -> bool:
        """Whether content references carry a salt."""

    def archive(self, content: bytes | Path | BinaryIO, media_type: str) -> Archived:
        """A reference to a content, of any size, to hand to an append."""

    def append_many(self, drafts: Iterable[Draft]) -> list[Receipt]:
        """Append statements in order."""


class Skipped(NamedTuple):
    """Something in a file that was not taken over: where it is, and why."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import wrote; `receipt` is that of its `import` statement.

    `skipped` is what should have become a statement and could not, `passed` what is no AI
    operation by its nature, `redacted` the credentials that are not in the archived copy, and
    `resumed` the number of statements that an interrupted import had written before. `operations`
    counts operations across models that were asked for, and `left_out` says what is none.
    """

    source: ContentRef
    witnesses: int
    annotations: int
    skipped: tuple[Skipped, ...]
    receipt: Receipt
    passed: tuple[Skipped, ...] = ()
    redacted: tuple[Secret, ...] = ()
    resumed: int = 0
    operations: int = 0
    left_out: tuple[Skipped, ...] = ()


def moment(value: object, what: str) -> datetime:
    """Return an RFC 3339 time with its offset; raises `ImportSourceError` `source_unreadable`."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise ImportSourceError("source_unreadable", f"{what} is not a time") from None
    if found.tzinfo is None:
        raise ImportSourceError("source_unreadable", f"{what} has no offset from UTC")
    return found


def salt_of(log: ImportLog) -> Salt | None:
    """Return what gives a salt for each content of a log, or None where references have none."""
    return (lambda: os.urandom(SALT_BYTES)) if log.salted else None


def refuse_if_imported(log: ImportLog, file: BinaryIO) -> None:
    """Raise `ImportSourceError` `already_imported` if an `import` statement names this content.

    In a salted ledger equal files have different digests, so the file is hashed again with the salt
    of each import of its length; one whose salt was erased cannot be recognised any more.
    """
    plain = _digest(file, b"")
    size_bytes = file.tell()
    for entry in log.find(type="import"):
        source = entry.payload.body.get("source", {})
        if source.get("size_bytes") != size_bytes:
            continue
        if source.get("salted"):
            ref = ContentRef(**source)
            try:
                with log.open_archived(ref) as archived:
                    salt = archived.read(SALT_BYTES)
            except LedgerError:
                continue
            known = _digest(file, salt) == source["sha256"]
        else:
            known = source.get("sha256") == plain
        if known:
            raise ImportSourceError(
                "already_imported",
                f"this file was imported before: statement {entry.payload.id}",
                hint="again=True (--again) records it a second time",
            )


def open_source(path: Path) -> BinaryIO:
    """Open a file to import; raises `ImportSourceError` `source_unreadable`."""
    try:
        return path.open("rb")
    except OSError as error:
        raise ImportSourceError("source_unreadable", f"{path.name}: {error.strerror}") from None


def refusal(unreadable: list[Skipped]) -> ImportSourceError:
    """Return the error for a file with parts that cannot be read, naming the first of them."""
    shown = "; ".join(f"{place}: {reason}" for place, reason in unreadable[:SHOWN_MAX])
    more = f"; and {len(unreadable) - SHOWN_MAX} more" if len(unreadable) > SHOWN_MAX else ""
    return ImportSourceError(
        "source_unreadable",
        f"{len(unreadable)} parts cannot be read, nothing was written: {shown}{more}",
        hint="ask to skip what cannot be read; it is then listed in the result",
    )


def _digest(file: BinaryIO, salt: bytes) -> bytes:
    file.seek(0)
    digest = hashlib.sha256(salt)
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
    return digest.digest()


@dataclass(slots=True, eq=False)
class Written:
    """A statement that is on its way into the log or in it, for later ones to build on."""

    draft: Draft | None
    id: str = ""

    def as_parent(self) -> ParentLike:
        """What a later draft names as its parent."""
        return self.id if self.draft is None else self.draft


@dataclass(slots=True)
class Batches:
    """Drafts on their way into a log, handed over in bounded batches.

    A draft that an interrupted import wrote already is counted and not written again.
    """

    log: ImportLog
    total: int
    progress: Progress | None = None
    witnesses: int = 0
    annotations: int = 0
    operations: int = 0
    resumed: int = 0
    _pending: list[Written] = field(default_factory=list)
    _content_bytes: int = 0
    _known: Known | None = None

    def add(self, drafts: Iterable[Draft]) -> list[Written]:
        """Take drafts that belong together: none of them is handed over without the others.

        A parent is a draft of the same call, or what `Written.as_parent` says of an earlier one.
        """
        taken: dict[int, Written] = {}
        group = list(drafts)
        for draft in group:
            parents = [_parent(taken, parent) for parent in draft.parents]
            if any(new is not old for new, old in zip(parents, draft.parents, strict=True)):
                taken[id(draft)] = self._take(replace(draft, parents=parents))
            else:
                taken[id(draft)] = self._take(draft)
        if len(self._pending) >= BATCH_DRAFTS or self._content_bytes >= BATCH_BYTES:
            self._hand_over()
        return [taken[id(draft)] for draft in group]

    def finish(
        self,
        kind: str,
        source: Archived,
        source_name: str | None,
        skipped: Iterable[Skipped],
        *,
        passed: Iterable[Skipped] = (),
        redacted: Iterable[Secret] = (),
        left_out: Iterable[Skipped] = (),
    ) -> ImportResult:
        """Write the `import` statement after everything else and return what was done."""
        statement = Import(
            format=kind,
            source=source.ref,
            source_name=source_name if is_name(source_name) else None,
            witnesses=self.witnesses,
            annotations=self.annotations,
        )
        imported = Draft("import", statement, (), (source,))
        removed = tuple(redacted)
        last = [imported, *([redaction(imported, removed, self.log)] if removed else [])]
        self._pending += [Written(draft) for draft in last]
        receipt = self._hand_over()[-len(last)]
        return ImportResult(
            source.ref,
            self.witnesses,
            self.annotations,
            tuple(skipped),
            receipt,
            tuple(passed),
            removed,
            self.resumed,
            self.operations,
            tuple(left_out),
        )

    def knows(self, drafts: Iterable[Draft]) -> bool:
        """Whether an interrupted import wrote every one of these."""
        return all(self._interrupted().find(draft) is not None for draft in drafts)

    def _interrupted(self) -> Known:
        if self._known is None:
            self._known = interrupted(self.log)
        return self._known

    def _take(self, draft: Draft) -> Written:
        self.witnesses += draft.type == "witness"
        self.annotations += draft.type == "annotation"
        self.operations += draft.type == "cross_model"
        known = self._interrupted().take(draft)
        if known is not None:
            self.resumed += 1
            return Written(None, known)
        self._content_bytes += content_bytes(draft)
        written = Written(draft)
        self._pending.append(written)
        return written

    def _hand_over(self) -> list[Receipt]:
        receipts = self.log.append_many([one.draft for one in self._pending if one.draft])
        for written, receipt in zip(self._pending, receipts, strict=True):
            written.draft, written.id = None, receipt.id
        self._pending, self._content_bytes = [], 0
        if self.progress:
            self.progress(self.witnesses, self.total)
        return receipts


def content_bytes(draft: Draft) -> int:
    """Return how much memory the contents of a draft take."""
    return sum(len(item.data) for item in draft.contents if isinstance(item.data, bytes))


def redaction(imported: ParentLike, removed: tuple[Secret, ...], log: ImportLog) -> Draft:
    """Return the annotation that says of an import that its source is not the file as it was."""
    places = [{"place": one.place, "kind": one.kind} for one in removed]
    content = archive({"replaced_by": REDACTED, "places": places}, salt=salt_of(log))
    body = Annotation(kind="redaction", value=len(removed), explanation=content.ref)
    return Draft("annotation", body, (imported,), (content,))


def _parent(taken: dict[int, Written], parent: ParentLike) -> ParentLike:
    known = taken.get(id(parent))
    return parent if known is None else known.as_parent()
