"""Values that grow while a stream is read: text from deltas, rows by index.

>>> message = Parts(role="assistant")
>>> message.grow("content", "Hel")
>>> message.grow("content", "lo")
>>> message.row("tool_calls").at(3)["id"] = "c"
>>> message.whole()
{'role': 'assistant', 'content': 'Hello', 'tool_calls': [{'id': 'c'}]}
"""

from __future__ import annotations

from typing import Any


class _Text(list[str]):
    """Text in pieces: joined once, since adding to a string copies it."""


class Parts(dict[str, Any]):
    """An object of JSON that is under way."""

    def grow(self, key: str, piece: object) -> None:
        """Add a piece of text to a member; what is no text is left out."""
        if not isinstance(piece, str):
            return
        held = self.get(key)
        if isinstance(held, _Text):
            held.append(piece)
        else:
            self[key] = _Text([held, piece] if isinstance(held, str) else [piece])

    def first(self, key: str, value: object) -> None:
        """Set a member that some servers repeat in every part, unless it is set or empty."""
        if value and not self.get(key):
            self[key] = value

    def extend(self, key: str, values: object) -> None:
        """Add the values of an array to an array."""
        if isinstance(values, list):
            held = self.get(key)
            if not isinstance(held, list) or isinstance(held, _Text):
                held = self[key] = []
            held.extend(values)

    def part(self, key: str) -> Parts:
        """Return a member that is an object, which is made when there is none."""
        held = self.get(key)
        if not isinstance(held, Parts):
            held = self[key] = Parts(held if isinstance(held, dict) else {})
        return held

    def row(self, key: str) -> Row:
        """Return a member that is an array whose elements come by index."""
        held = self.get(key)
        if not isinstance(held, Row):
            held = self[key] = Row(held if isinstance(held, list) else ())
        return held

    def whole(self) -> dict[str, Any]:
        """Return the object with its text joined; members that did not grow are as they came."""
        return {key: _whole(value) for key, value in self.items()}


class Row:
    """An array whose elements come by index, in any order and with gaps."""

    def __init__(self, values: Any = ()) -> None:
        self._parts = {
            index: Parts(value) for index, value in enumerate(values) if isinstance(value, dict)
        }

    def __len__(self) -> int:
        return len(self._parts)

    def at(self, index: int) -> Parts:
        """Return the element with an index, which is made when there is none."""
        return self._parts.setdefault(index, Parts())

    def put(self, index: int, value: dict[str, Any]) -> None:
        """Replace the element with an index."""
        self._parts[index] = Parts(value)

    def whole(self) -> list[dict[str, Any]]:
        """Return the elements in order of index."""
        return [part.whole() for _, part in sorted(self._parts.items())]


def _whole(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value)
    return value.whole() if isinstance(value, Parts | Row) else value
