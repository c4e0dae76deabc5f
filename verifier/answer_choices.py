"""Choices and texts in answers, which all protocols that have them share (specs/13 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .json_parts import Value

Parts = Callable[[], Iterator[Value]]
"""Yields the parts of a stream, anew each time"""


def text_of(value: Value | None) -> str | None:
    """Return the text of a string that may not be there."""
    return None if value is None else value.string()


def only_choice(whole: Value) -> Value | None:
    """Return the one element of `choices`, None if there is none or more."""
    array = whole.one("choices")
    if array is None:
        return None
    found = array.elements()
    first = next(found, None)
    return first if next(found, None) is None else None


def choices(parts: Parts) -> Iterator[Value | None]:
    """Yield the choices of a stream that have index 0, and None for one that has not."""
    for part in parts():
        array = part.one("choices")
        for choice in array.elements() if array is not None else ():
            index = choice.one("index")
            yield choice if index is not None and index.raw() == b"0" else None
