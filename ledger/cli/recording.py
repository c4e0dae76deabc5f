"""Recording lines as they come: a bad line costs itself and no other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from ledger import Draft, Ledger, Receipt
from ledger.cli import output
from ledger.cli.drafting import draft_of, receipt_json
from ledger.cli.failures import show_error
from ledger.cli.lines import Line, batches, parse_object
from ledger.errors import KeyFileError, LedgerError, LogError, StoreError

__all__ = ["record_lines"]

_OF_THE_LINE = {"not_found", "parent_missing"}


def record_lines(log: Ledger, stream: BinaryIO, *, as_json: bool) -> list[int]:
    """Record every line that can be recorded; returns the numbers of the lines that were refused.

    A store that fails ends it with StoreError; what has a receipt is durable all the same.
    """
    recorder = _Recorder(log, as_json)
    for batch in _whole_objects(batches(stream)):
        recorder.take(batch)
    recorder.finish()
    return recorder.refused


def _whole_objects(lines: Iterator[list[Line]]) -> Iterator[list[Line]]:
    """Take input that begins with a line `{` as one object, written over several lines."""
    first = next(lines, [])
    if first and first[0].content.strip() == b"{":
        rest = [line.content for line in chain(first, chain.from_iterable(lines))]
        yield [Line(1, b"\n".join(rest))]
        return
    if first:
        yield first
    yield from lines


def _stops_all(error: LedgerError) -> bool:
    """Tell whether an error is of the ledger or its keys, and so would meet every line."""
    if isinstance(error, LogError):
        return error.code not in _OF_THE_LINE
    return isinstance(error, StoreError | KeyFileError) or error.code == "header_invalid"


class _Recorder:
    def __init__(self, log: Ledger, as_json: bool) -> None:
        self._log = log
        self._as_json = as_json
        self._recorded = 0
        self._reader_gone = False
        self.refused: list[int] = []

    def take(self, batch: list[Line]) -> None:
        """Record a batch in one commit, or line by line where one of them stands in the way."""
        drafts = []
        for line in batch:
            try:
                drafts.append((line, draft_of(self._log, parse_object(line.content))))
            except LedgerError as error:
                self._refuse(line, error)
        if not drafts:
            return
        try:
            receipts = self._log.append_many([draft for _, draft in drafts])
        except LedgerError as error:
            if _stops_all(error):
                raise
            for line, draft in drafts:
                self._take_alone(line, draft)
            return
        for (line, _), receipt in zip(drafts, receipts, strict=True):
            self._say(line, receipt)

    def finish(self) -> None:
        """Say how many lines there were."""
        if self._as_json or self._reader_gone:
            return
        total = self._recorded + len(self.refused)
        if self.refused:
            numbers = ", ".join(str(number) for number in self.refused[:20])
            more = f" and {len(self.refused) - 20} more" if len(self.refused) > 20 else ""
            output.note(f"recorded {self._recorded} of {total}; refused line {numbers}{more}")
        else:
            output.note((f"recorded {total}", "dim"))

    def _take_alone(self, line: Line, draft: Draft) -> None:
        try:
            receipt = self._log.append_many([draft])[0]
        except LedgerError as error:
            self._refuse(line, error)
        else:
            self._say(line, receipt)

    def _refuse(self, line: Line, error: LedgerError) -> None:
        if _stops_all(error):
            raise error
        self.refused.append(line.number)
        show_error(
            error,
            as_json=self._as_json,
            extra={"line": line.number},
            where=f"line {line.number}: ",
        )

    def _say(self, line: Line, receipt: Receipt) -> None:
        self._recorded += 1
        if self._reader_gone:
            return
        try:
            if self._as_json:
                output.emit(receipt_json(receipt, line=line.number), now=True)
            else:
                output.say((f"{'#' + str(receipt.index):>7}  ", "bold"), receipt.id)
                output.flush()
        except output.ReaderGoneError:
            # That nobody reads the receipts any more is no reason to lose the rest of the input.
            output.discard_output()
            self._reader_gone = True
