"""The body of an export statement: what a package holds (specs/07 §5).

Shape and the rules of a selection that need no package to check, such as the order of streams, are
`body_invalid`; what disagrees with a package is the verifier's to find.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from ledger.errors import RecordError
from ledger.model.base import Body, Group
from ledger.model.groups import both_or_neither
from ledger.model.values import Array, Count, Digest, Label

STREAMS_MAX = 512


class Seal(Group):
    """Digest and length of `seal-sha256.txt`."""

    sha256: Digest
    size_bytes: Count


class Selection(Group):
    """Which part of the log was exported: indices `start` <= i < `end`."""

    kind: Literal["ledger", "session", "range"]
    start: Count
    end: Count
    session: Label | None = None

    @model_validator(mode="after")
    def _a_session_has_its_label(self) -> Self:
        label = self.session
        both_or_neither("session", label, "kind session", True if self.kind == "session" else None)
        return self


class StreamCount(Group):
    """A stream of the selection and the number of its statements below `end`."""

    id: Label
    statements: Count


class Export(Body):
    """The last statement of a packaged log."""

    package_version: Literal[1] = 1
    seal: Seal
    selection: Selection
    contents: Literal["included", "withheld"]
    statements: Count
    streams: Annotated[tuple[StreamCount, ...], Array, Field(max_length=STREAMS_MAX)]

    @model_validator(mode="after")
    def _selection_and_streams_agree(self, info: ValidationInfo) -> Self:
        return self._after(info)

    def check_consequences(self) -> None:
        """Check the rules of a selection; raises `RecordError` `body_invalid`."""
        chosen = self.selection
        names = [stream.id.encode() for stream in self.streams]
        if chosen.start > chosen.end:
            raise RecordError("body_invalid", "export: selection.start is beyond selection.end")
        if chosen.kind != "range" and chosen.start != 0:
            raise RecordError("body_invalid", f"export: a {chosen.kind} starts at index 0")
        if chosen.kind == "ledger" and names:
            raise RecordError("body_invalid", "export: a whole ledger lists no streams")
        if any(later <= earlier for earlier, later in pairwise(names)):
            raise RecordError("body_invalid", "export: streams are not in order of their ids")
