"""The operations of one run, and which of them an earlier run began (specs/12 section 8)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ledger.crossmodel.past import OperationKey, PastOperations
from ledger.errors import SessionError

if TYPE_CHECKING:
    from ledger.crossmodel.operation import Operation
    from ledger.session.session import Session

__all__ = ["NUMBER_MAX", "Operations"]

NUMBER_MAX = 1_000_000


class Operations:
    """Gives operations their numbers; safe for threads."""

    def __init__(self, past: PastOperations, keep_numbers: Callable[[str], None]) -> None:
        self._past = past
        self._keep_numbers = keep_numbers
        self._lock = threading.Lock()
        self._begun: set[OperationKey] = set()

    def begin(
        self, session: Session, name: str | None, number: int | None, **options: Any
    ) -> Operation:
        """The operation of this name and number, new or to be gone on with."""
        from ledger.crossmodel.operation import Operation  # it builds on sessions

        if name is None:
            models = (options["insight"], options["execution"])
            name = "-".join(_label(model) for model in models if model) or "operation"
        if number is not None and not (type(number) is int and 1 <= number <= NUMBER_MAX):
            raise ValueError(f"the number of an operation is 1 to {NUMBER_MAX}")
        with self._lock:
            key = OperationKey(name, number or self._next(name))
            if key in self._begun:
                raise SessionError(
                    "operation_invalid",
                    f"this run has begun operation {name[:140]}/{number} before",
                )
            self._begun.add(key)
        return Operation(
            session, key, self._past.open(key), keep_numbers=self._keep_numbers, **options
        )

    def _next(self, name: str) -> int:
        number = 1
        while OperationKey(name, number) in self._begun:
            number += 1
        return number


def _label(model: str) -> str:
    """A model's name as a part of a label."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._") else "-" for c in model)
    return kept[:40]
