"""Which operation builds on which, by the spans that enclose each other, and their order in a log.

A span that encloses others (an agent around its model and tool calls) ends after them and answers
with what they gave: its statement has theirs as parents. Spans between the two that are no GenAI
spans are looked through. A statement's parents are in the log before it, so a span is held back
until everything inside it has been handed on; a file usually has them in that order already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ledger.capture.otlp.fields import is_operation
from ledger.capture.otlp.spans import Span

__all__ = ["Lineage"]

Key = tuple[str, str]


class Lineage:
    """The tree of the operations in a file."""

    def __init__(self, spans: Iterable[Span]) -> None:
        """Read all spans once; what is kept of each is its ids."""
        enclosing: dict[Key, Key] = {}
        self._outer: dict[Key, Key | None] = {}
        for span in spans:
            if span.span_id and span.key not in enclosing:
                enclosing[span.key] = (span.trace_id, span.parent_id)
                if is_operation(span):
                    self._outer[span.key] = None
        for key in self._outer:
            self._outer[key] = self._nearest(key, enclosing)
        for key in self._outer:
            self._break_circle(key)
        self._waiting_for = Counter(outer for outer in self._outer.values() if outer)

    def outer(self, span: Span) -> Key | None:
        """Return the key of the nearest operation around a span."""
        return self._outer.get(span.key)

    def inner_first(self, spans: Iterable[Span]) -> Iterator[Span]:
        """Yield operations so that what is inside another comes before it."""
        held: dict[Key, Span] = {}
        for span in spans:
            ready: Span | None = span
            while ready is not None:
                if self._waiting_for[ready.key] > 0 and ready.span_id:
                    held[ready.key] = ready
                    break
                yield ready
                outer = self.outer(ready)
                if outer is None:
                    break
                self._waiting_for[outer] -= 1
                ready = held.pop(outer, None) if not self._waiting_for[outer] else None

    def _nearest(self, key: Key, enclosing: dict[Key, Key]) -> Key | None:
        seen, at = {key}, enclosing.get(key)
        while at is not None and at not in seen:
            if at in self._outer:
                return at
            seen.add(at)
            at = enclosing.get(at)
        return None

    def _break_circle(self, key: Key) -> None:
        """Take a span out of a circle of spans that say they are inside each other."""
        seen, at = {key}, self._outer[key]
        while at is not None and at not in seen:
            seen.add(at)
            at = self._outer[at]
        if at == key:
            self._outer[key] = None
