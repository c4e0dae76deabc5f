"""Which statements a package is about (specs/07 §5).

| kind | statements |
|---|---|
| `ledger` | all below `end` |
| `session` | those below `end` whose `session` is the label |
| `range` | `start` ≤ index < `end` |

`end` is the size of the log when the export began. What is appended while it runs is in the tree
of the package, but not in the selection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from ledger.errors import ExportError
from ledger.formats.payload import KEY_STREAM
from ledger.model.exporting import STREAMS_MAX
from ledger.reader import Entry, Reader


@dataclass(frozen=True, slots=True)
class Selection:
    """Indices `start` ≤ i < `end`, and of these the ones of a session if there is one."""

    kind: str
    start: int
    end: int
    session: str | None = None

    @property
    def is_part(self) -> bool:
        """Whether the package holds proved records instead of the whole tree."""
        return self.kind != "ledger"

    def entries(self, log: Reader) -> Iterator[Entry]:
        """Yield the statements in order of index, in constant memory."""
        if self.session is None:
            return log.entries(self.start, self.end)
        return takewhile(lambda entry: entry.index < self.end, log.find(session=self.session))

    def statements(self, log: Reader) -> Iterator[tuple[int, bytes]]:
        """Yield the same as index and bytes."""
        if self.session is None:
            return log.statements(self.start, self.end)
        return ((entry.index, entry.statement) for entry in self.entries(log))

    def to_body(self) -> dict[str, object]:
        """Return the field `selection` of an export statement."""
        body: dict[str, object] = {"kind": self.kind, "start": self.start, "end": self.end}
        if self.session is not None:
            body["session"] = self.session
        return body


def choose(size: int, session: str | None, start: int | None, end: int | None) -> Selection:
    """Make a selection out of what a caller asked for, in a log of `size` statements.

    Errors: `ValueError` for a session together with a range; `ExportError` export_empty for a range
    that holds nothing.
    """
    if session is not None:
        if start is not None or end is not None:
            raise ValueError("a selection is a session or a range, not both")
        return Selection("session", 0, size, session)
    if start is None and end is None:
        return Selection("ledger", 0, size)
    first, stop = start or 0, size if end is None else end
    if not 0 <= first < stop <= size:
        raise ExportError(
            "export_empty", f"no records {first} to {stop - 1} in a log of size {size}"
        )
    return Selection("range", first, stop)


class StreamCounts:
    """The streams of a part with the number of their statements below `end`.

    A stream's statements are numbered from 0, so that the last one in the selection tells how many
    there are: the last one below `end` is in the selection whenever any is.
    """

    def __init__(self, log: Reader, selection: Selection) -> None:
        self._counts: dict[str, int] = {}
        if selection.is_part:
            events = takewhile(lambda entry: entry.index < selection.end, log.stream(KEY_STREAM))
            self._counts[KEY_STREAM] = sum(1 for _ in events)
        self._is_part = selection.is_part

    def add(self, entry: Entry) -> None:
        """Count a statement of the selection; too many streams are `ExportError` export_streams."""
        if not self._is_part:
            return
        self._counts[entry.payload.stream_id] = entry.payload.seq + 1
        if len(self._counts) > STREAMS_MAX:
            raise ExportError(
                "export_streams",
                f"the selection touches more than {STREAMS_MAX} streams",
                hint="export the whole ledger, or a smaller range",
            )

    def to_body(self) -> list[dict[str, object]]:
        """Return the field `streams` of an export statement: empty for a whole ledger."""
        order = sorted(self._counts, key=str.encode)
        return [{"id": stream, "statements": self._counts[stream]} for stream in order]
