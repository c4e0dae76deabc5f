"""The statements of one file of an experiment folder, and how they get into the log.

The `import` statement of a file comes first, in the same commit, and is a parent of all that was
taken from the file. Small files share a commit; a large one takes several, and one that was
interrupted between two is completed later (`Seen.is_complete`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timezone
from typing import Any, BinaryIO

from ledger.capture.experiment.seen import FORMAT, place_name
from ledger.capture.experiment.shapes import Item, Other, recognise
from ledger.capture.importing import BATCH_BYTES, BATCH_DRAFTS, Skipped, Written, content_bytes
from ledger.capture.known import Known
from ledger.drafts import Draft, Receipt
from ledger.errors import LedgerError
from ledger.formats.content import ContentRef
from ledger.model import Annotation, Source
from ledger.model.archive import Salt, archive
from ledger.model.build import witness

__all__ = ["FileStatements", "Pending"]


class Pending:
    """Drafts that wait for a commit, in bounded batches."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._waiting: list[Written] = []
        self._content_bytes = 0
        self.receipt: Receipt | None = None

    def add(self, draft: Draft) -> Written:
        """Take a draft; its parents are in the log or were taken before."""
        written = Written(draft)
        self._waiting.append(written)
        self._content_bytes += content_bytes(draft)
        return written

    def hand_over_if_full(self) -> None:
        """Commit what waits if it is enough; called between statements."""
        if len(self._waiting) >= BATCH_DRAFTS or self._content_bytes >= BATCH_BYTES:
            self.hand_over()

    def hand_over(self) -> None:
        """Commit what waits."""
        if not self._waiting:
            return
        receipts = self._log.append_many([one.draft for one in self._waiting if one.draft])
        for written, receipt in zip(self._waiting, receipts, strict=True):
            written.draft, written.id = None, receipt.id
        self.receipt = receipts[-1]
        self._waiting, self._content_bytes = [], 0


class FileStatements:
    """Goes through a file: counts what it will write first, then writes it."""

    def __init__(self, path: str, file: BinaryIO, offset: timezone | None) -> None:
        self._path = path
        self._file = file
        self._offset = offset
        self.witnesses = 0
        self.annotations = 0
        self.skipped: list[Skipped] = []
        self.passed: list[Skipped] = []

    def count(self, known: Known, source: ContentRef, salt: Salt | None) -> None:
        """Count what is new, and list what is no statement."""
        for found in self._found():
            if isinstance(found, Item):
                for draft in self._drafts(found, Written(None, "x"), None, source, salt):
                    if isinstance(draft, Skipped):
                        self.skipped.append(draft)
                    elif known.take(draft) is None:
                        self.witnesses += draft.type == "witness"
                        self.annotations += draft.type == "annotation"
            elif isinstance(found, Other):
                self.passed.append(Skipped(f"{self._path} {found.place}", found.reason))
            else:
                self.skipped.append(Skipped(f"{self._path} {found.place}", found.reason))

    def write(
        self,
        pending: Pending,
        imported: Written,
        known: Known,
        source: ContentRef,
        salt: Salt | None,
    ) -> None:
        """Hand over what is new."""
        last: Written | None = None
        for found in self._found():
            if not isinstance(found, Item):
                continue
            call: Written | None = None
            for draft in self._drafts(found, imported, last, source, salt):
                if isinstance(draft, Skipped):
                    continue
                if call is not None:  # its error
                    parents = (imported.as_parent(), call.as_parent())
                    draft = Draft(draft.type, draft.body, parents, draft.contents)
                there = known.take(draft)
                written = pending.add(draft) if there is None else Written(None, there)
                if draft.type == "witness":
                    call = last = written
            pending.hand_over_if_full()

    def _found(self) -> Iterator[Any]:
        try:
            yield from recognise(self._path, self._file, self._offset)
        except (LedgerError, RecursionError) as error:
            message = error.message if isinstance(error, LedgerError) else str(error)
            yield Other("document", f"not recognised: {message}")

    def _drafts(
        self,
        item: Item,
        imported: Written,
        last: Written | None,
        source: ContentRef,
        salt: Salt | None,
    ) -> Iterator[Draft | Skipped]:
        place: dict[str, Any] = {
            "format": FORMAT,
            "event_id": item.place,
            "sample_id": place_name(self._path),
        }
        try:
            if item.kind is not None:
                yield self._annotation(item, place, imported, source, salt)
                return
            builds_on = [imported.as_parent()]
            if item.after and last is not None:
                builds_on.append(last.as_parent())
            fields = {**item.fields, "vantage": "imported", "source": place}
            record, contents = witness(**fields, salt=salt)
        except (LedgerError, RecursionError) as error:
            yield Skipped(f"{self._path} {item.place}", str(error))
            return
        yield Draft("witness", record, builds_on, contents)
        if item.error is not None:
            content = archive(item.error.encode("utf-8", "backslashreplace").decode(), salt=salt)
            note = Annotation(kind="error", explanation=content.ref, source=Source(**place))
            yield Draft("annotation", note, (imported.as_parent(),), (content,))

    def _annotation(
        self,
        item: Item,
        place: dict[str, Any],
        imported: Written,
        source: ContentRef,
        salt: Salt | None,
    ) -> Draft:
        content = None if item.content is None else archive(item.content, salt=salt)
        body = Annotation(
            kind=item.kind or "event",
            name=item.name,
            value=item.value,
            explanation=source if content is None else content.ref,
            source=Source(**place),
        )
        parents = (imported.as_parent(),)
        return Draft("annotation", body, parents, () if content is None else (content,))
