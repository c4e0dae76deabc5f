"""Witnesses from JSON Lines: errors name line and field, a file arrives whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.capture import jsonl
from ledger.capture.jsonl import import_jsonl, read_records
from ledger.errors import ImportSourceError, LedgerError
from ledger.log import Ledger

LINE = {"model": "m", "prompt": "2 + 2?", "output": "4", "confidence": 0.9}


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def refused(data: bytes) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        list(read_records(io.BytesIO(data)))
    return caught.value


def test_lines_are_read_as_they_come() -> None:
    """A record is there before the next line is; blank lines count but say nothing."""

    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.left: Iterator[bytes] = iter([lines(LINE), b"\n", lines(LINE)])

        def readline(self, size: int | None = -1, /) -> bytes:
            return next(self.left, b"")

    slow: Any = Slow()
    records = read_records(slow)
    assert next(records).line == 1
    assert next(records).line == 3
    assert list(records) == []


def test_a_byte_order_mark_is_passed_over() -> None:
    """Some editors write one."""
    assert len(list(read_records(io.BytesIO(b"\xef\xbb\xbf" + lines(LINE))))) == 1


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (b"{", "source_unreadable", "column 2"),
        (b"\xff", "source_unreadable", "UTF-8"),
        (b"[1]", "source_unreadable", "object"),
        (b'{"model": NaN}', "source_unreadable", "NaN"),
        (b'{"model": 1e999}', "source_unreadable", "too large"),
        (b'{"model": "m", "model": "n"}', "source_unreadable", "twice"),
        (b"[" * 100_000, "source_unreadable", "JSON"),
        (b'{"prompt": "p"}', "record_invalid", "model"),
        (b'{"model": "m", "prompt": null}', "record_invalid", "prompt"),
        (lines({**LINE, "promt": 1}), "record_invalid", "promt"),
        (lines({**LINE, "salt": 1}), "record_invalid", "salt"),
        (lines({**LINE, "top_p": 2}), "body_invalid", "top_p"),
        (lines({**LINE, "confidence_band": "A"}), "band_mismatch", "confidence_band"),
        (lines({**LINE, "occurred_at": "2025-01-01"}), "source_unreadable", "occurred_at"),
        (lines({**LINE, "output": 4}), "record_invalid", "output"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_an_error_names_line_and_field(line: bytes, code: str, said: str) -> None:
    """The code is that of the rule that was broken."""
    error = refused(lines(LINE) + line)
    assert error.code == code
    assert error.message.startswith("line 2: ")
    assert said in error.message


def test_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without line ends does not fill the memory."""
    monkeypatch.setattr(jsonl, "LINE_MAX_BYTES", 100)
    assert "line 2" in refused(lines(LINE) + b"x" * 101).message


def test_a_json_document_is_an_object_or_an_array_of_them() -> None:
    """Items of an array count as lines."""
    for document, count in ((LINE, 1), ([LINE, LINE], 2)):
        stream = io.BytesIO(json.dumps(document, indent=1).encode())
        assert len(list(read_records(stream, whole=True))) == count


def test_a_file_is_imported_with_a_statement_about_it(log: Ledger, tmp_path: Path) -> None:
    """One witness a line, the line number as place, times of any offset; the file is archived."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(lines(LINE, {**LINE, "occurred_at": "2025-01-01T02:00:00+02:00"}))
    result = import_jsonl(log, path)
    assert (result.witnesses, result.annotations) == (2, 0)
    first, second = (entry.payload.body for entry in log.find(type="witness"))
    assert first["capture"] == {
        "vantage": "manual",
        "source": {"format": "jsonl", "event_id": "1"},
    }
    assert second["capture"]["vantage"] == "imported"
    assert second["temporal"]["occurred_at"] == "2025-01-01T00:00:00.000000Z"
    assert log.content(result.source) == path.read_bytes()
    with pytest.raises(ImportSourceError, match="already_imported"):
        import_jsonl(log, path)
    assert import_jsonl(log, path, again=True).witnesses == 2


def test_a_bad_line_stops_the_import_before_anything_is_written(
    log: Ledger, tmp_path: Path
) -> None:
    """Skipped explicitly, it is listed and the others arrive."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(lines(LINE, {"model": "m"}, LINE))
    size = len(log)
    with pytest.raises(ImportSourceError, match="line 2"):
        import_jsonl(log, path)
    assert len(log) == size
    result = import_jsonl(log, path, skip_unreadable=True)
    assert result.witnesses == 2
    assert [skipped.place for skipped in result.skipped] == ["line 2"]


def test_a_json_file_is_imported_too(log: Ledger, tmp_path: Path) -> None:
    """A name that ends in `.json` says so."""
    path = tmp_path / "calls.json"
    path.write_text(json.dumps([LINE, LINE], indent=2))
    assert import_jsonl(log, path).witnesses == 2
