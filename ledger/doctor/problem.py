"""What a check of the whole ledger finds: what is wrong, and where (specs/09 section 2)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One deviation of what is stored from what the entries imply."""

    code: str
    """A code of specs/08, of `ledger.errors` or of `ledger.doctor`."""
    table: str
    """A table of specs/09 section 2, or `checkpoint` or `content`."""
    key: str
    """Which row: an index, a stream, `level/number`, hex digits of other keys, or a file name."""
    message: str
    expected: str = ""
    found: str = ""
    severity: str = "fail"
    """`fail`, or `note` for what a crash leaves behind and the next open mends."""

    def __str__(self) -> str:
        text = f"{self.code}: {self.table} {self.key}: {self.message}"
        if self.expected or self.found:
            text += f" (expected {self.expected or 'nothing'}, found {self.found or 'nothing'})"
        return text
