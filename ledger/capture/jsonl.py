"""Witnesses from JSON Lines: one object a line, its keys those of `ledger.model.build.witness`.

    {"model": "gpt-4o-mini", "prompt": "2 + 2?", "output": "4", "confidence": 0.9}

Lines are UTF-8 of at most 16 MiB; blank ones are passed over. A key that is no keyword, a key that
comes twice, or a value that breaks specs/03 is an error that names line and field. `occurred_at`
may have any offset from UTC, and a record that has it is taken for `imported` unless it says
otherwise. A file whose name ends in `.json` is one object, or an array of them, of at most 64 MiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ledger.capture import strict_json
from ledger.capture.importing import (
    Batches,
    ImportLog,
    ImportResult,
    Progress,
    Skipped,
    moment,
    open_source,
    refusal,
    refuse_if_imported,
    salt_of,
)
from ledger.drafts import Archived, Draft
from ledger.errors import ImportSourceError, LedgerError, RecordError
from ledger.formats.values import is_time
from ledger.model import Witness
from ledger.model.archive import Salt
from ledger.model.build import KEYWORDS, witness

FORMAT = "jsonl"
MEDIA_TYPE = "application/jsonl"
LINE_MAX_BYTES = 16 << 20
DOCUMENT_MAX_BYTES = 64 << 20
FIELDS = KEYWORDS - {"salt", "guess_provider"}


class Record(NamedTuple):
    """A line that was read: its number from 1, the witness, and the contents to archive."""

    line: int
    witness: Witness
    contents: tuple[Archived, ...]


class _Unreadable(NamedTuple):
    line: int
    why: str
    error: LedgerError


def read_records(
    stream: BinaryIO, *, salt: Salt | None = None, whole: bool = False
) -> Iterator[Record]:
    """Yield a witness for each line of a stream, as the lines come.

    `whole` reads one JSON document instead: an object or an array, whose items count as lines.
    Raises `ImportSourceError` `source_unreadable` for a line that is not a JSON object,
    `RecordError` (`record_invalid` or a code of specs/03) for one that is not a witness; both name
    the line.
    """
    for found in _read(stream, salt, whole, None):
        if isinstance(found, _Unreadable):
            raise found.error
        yield found


def import_jsonl(
    log: ImportLog,
    path: Path,
    *,
    again: bool = False,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Take over every line of a file, and name the file in an `import` statement at the end.

    `again` imports a file that was imported before; `skip_unreadable` leaves out lines that cannot
    be read and lists them in the result. Nothing is written before all lines were read once. Raises
    `ImportSourceError` (`source_unreadable`, `already_imported`) and what an append raises.
    """
    whole = path.suffix == ".json"
    with open_source(path) as file:
        if not again:
            refuse_if_imported(log, file)
        count, unreadable = 0, list[Skipped]()
        file.seek(0)
        for found in _read(file, None, whole, FORMAT):
            if isinstance(found, _Unreadable):
                unreadable.append(Skipped(f"line {found.line}", found.why))
            else:
                count += 1
        if unreadable and not skip_unreadable:
            raise refusal(unreadable)
        file.seek(0)
        source = log.archive(file, "application/json" if whole else MEDIA_TYPE)
        batches = Batches(log, count, progress)
        file.seek(0)
        for found in _read(file, salt_of(log), whole, FORMAT):
            if isinstance(found, Record):
                batches.add([Draft("witness", found.witness, (), found.contents)])
        if batches.witnesses != count:
            raise ImportSourceError("source_unreadable", "the file changed while it was read")
        return batches.finish(FORMAT, source, path.name, unreadable)


def _read(
    stream: BinaryIO, salt: Salt | None, whole: bool, source: str | None
) -> Iterator[Record | _Unreadable]:
    """Yield records, or why there is none; `source` is the format to name as their place."""
    texts = _document(stream) if whole else strict_json.lines(stream, LINE_MAX_BYTES)
    for line, text in texts:
        try:
            fields = _fields(strict_json.parse(text) if isinstance(text, bytes) else text)
            if source is not None:
                fields.setdefault("source", {"format": source, "event_id": str(line)})
            record, contents = witness(**fields, salt=salt)
        except LedgerError as error:
            message = f"line {line}: {error.message}"
            located = type(error)(error.code, message, hint=error.hint)
            yield _Unreadable(line, error.message, located)
        else:
            yield Record(line, record, contents)


def _document(stream: BinaryIO) -> Iterator[tuple[int, Any]]:
    data = stream.read(DOCUMENT_MAX_BYTES + 1)
    if len(data) > DOCUMENT_MAX_BYTES:
        raise ImportSourceError(
            "source_unreadable",
            f"a JSON document of more than {DOCUMENT_MAX_BYTES} bytes",
            hint="write it as JSON Lines, one object a line",
        )
    document = strict_json.parse(data.removeprefix(b"\xef\xbb\xbf"))
    return enumerate(document if isinstance(document, list) else [document], 1)


def _fields(found: Any) -> Any:
    """Return the keywords of a line; typed as `Any` because `witness` checks every one of them."""
    if not isinstance(found, dict):
        raise ImportSourceError("source_unreadable", "must be a JSON object")
    unknown = sorted(found.keys() - FIELDS)
    if unknown:
        raise RecordError("record_invalid", f"{unknown[0][:64]!a} is not a field")
    for name in ("model", "prompt"):
        if found.get(name) is None:
            raise RecordError("record_invalid", f"{name}: is missing")
    occurred = found.get("occurred_at")
    if occurred is not None:
        if not is_time(occurred):
            found["occurred_at"] = moment(occurred, "occurred_at")
        if found.get("vantage") is None:
            found["vantage"] = "imported"
    return found
