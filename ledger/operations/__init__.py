"""Checking cross-model operations: everything computed, nothing believed (specs/12).

`Reader.operation` and `Reader.operations` are the way in. What a producer wrote about an operation
is compared with what follows from its parts; a result of checking is never taken from the log.
"""

from __future__ import annotations

from ledger.operations.report import (
    Computed,
    Finding,
    NotJudged,
    OperationName,
    OperationReport,
    StagePart,
)

__all__ = ["Computed", "Finding", "NotJudged", "OperationName", "OperationReport", "StagePart"]
