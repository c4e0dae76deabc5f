"""YAML from elsewhere as plain values, item by item, without building anything a file asks for.

The text is taken apart by PyYAML's parser (the extra `vcr`) into events, of which only text, bytes,
numbers, maps and sequences are made. A cassette is a map; the items of its lists come one at a
time, so that memory holds one exchange and not the file.

| bound | for what |
|---|---|
| `FILE_MAX_BYTES` | the file |
| `DEPTH_MAX` | maps and sequences within each other |
| `ALIASED_MAX` | values that come in by an alias (`*id001`), counted as often as they come |

Of the tags of Python those are understood that vcrpy writes for text, tuples and file-like request
bodies. Another tag, a key that comes twice, an alias inside its own anchor or a second document is
`ImportSourceError` `source_unreadable`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO

from ledger.errors import ImportSourceError

__all__ = ["FILE_MAX_BYTES", "read_members", "write_members", "yaml_library"]

FILE_MAX_BYTES = 512 << 20
DEPTH_MAX = 64
ALIASED_MAX = 20_000

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset(
    _TAG + name for name in ("str", "python/str", "python/unicode", "timestamp", "float")
)
_SEQUENCE_TAGS = frozenset({None, "!", _TAG + "seq", _TAG + "python/tuple"})
_FILE_TAG = _TAG + "python/object/new:_io.BytesIO"
_ITERATOR_TAG = _TAG + "python/object/apply:builtins.iter"
_MAP_TAGS = frozenset({None, "!", _TAG + "map", _FILE_TAG, _ITERATOR_TAG})
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def yaml_library() -> Any:
    """Return PyYAML; raises `ImportSourceError` `source_unsupported` where it is not installed."""
    try:
        return import_module("yaml")
    except ImportError:
        raise ImportSourceError(
            "source_unsupported",
            "reading YAML needs PyYAML",
            hint="pip install 'vif-ledger[vcr]'",
        ) from None


def read_members(file: BinaryIO) -> Iterator[tuple[str, Any, bool]]:
    """Yield the members of the map that a file is: name, value, False.

    Of a list, its items come one by one instead: name of the list, item, True.
    """
    library = yaml_library()
    file.seek(0, 2)
    if file.tell() > FILE_MAX_BYTES:
        raise ImportSourceError("source_unreadable", f"more than {FILE_MAX_BYTES} bytes of YAML")
    file.seek(0)
    loader = getattr(library, "CSafeLoader", library.SafeLoader)
    try:
        yield from _Builder(library, library.parse(file, Loader=loader)).members()
    except (library.YAMLError, UnicodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise ImportSourceError("source_unreadable", f"not YAML{where}") from None


def write_members(members: Iterator[tuple[str, Any, bool]], out: BinaryIO) -> None:
    """Write what `read_members` gives as YAML again."""
    library = yaml_library()
    base: Any = getattr(library, "CSafeDumper", library.SafeDumper)

    class Plain(base):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    within = None
    for name, value, is_item in members:
        if is_item and name != within:
            out.write(library.dump({name: None}, Dumper=Plain).replace(" null", "").encode())
        within = name if is_item else None
        text = library.dump([value] if is_item else {name: value}, Dumper=Plain)
        out.write(text.encode())


class _Builder:
    """Makes values of events; each anchor keeps its value and how many values that is."""

    def __init__(self, library: Any, events: Iterator[Any]) -> None:
        self._library = library
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._aliased = 0

    def members(self) -> Iterator[tuple[str, Any, bool]]:
        library = self._library
        starts = (library.StreamStartEvent, library.DocumentStartEvent)
        event = next(self._events, None)
        while isinstance(event, starts):
            event = next(self._events, None)
        if not isinstance(event, library.MappingStartEvent):
            raise ImportSourceError("source_unsupported", "not a map: no cassette")
        seen = set[str]()
        while not isinstance(event := next(self._events), library.MappingEndEvent):
            name = self._key(event, seen)
            value = next(self._events)
            if isinstance(value, library.SequenceStartEvent) and value.anchor is None:
                _allow(value, _SEQUENCE_TAGS)
                while not isinstance(item := next(self._events), library.SequenceEndEvent):
                    yield name, self._value(item, 2)[0], True
            else:
                yield name, self._value(value, 1)[0], False
        for event in self._events:
            if isinstance(event, library.DocumentStartEvent):
                raise _unreadable(event, "a second document")

    def _value(self, event: Any, depth: int) -> tuple[Any, int]:
        """Return the value that begins with an event, and of how many values it consists."""
        library = self._library
        if depth > DEPTH_MAX:
            raise _unreadable(event, f"nested more than {DEPTH_MAX} deep")
        if isinstance(event, library.AliasEvent):
            found = self._anchors.get(event.anchor)
            if found is None:
                raise _unreadable(event, "an alias without its anchor")
            self._aliased += found[1]
            if self._aliased > ALIASED_MAX:
                raise _unreadable(event, f"aliases make more than {ALIASED_MAX} values")
            return found
        if isinstance(event, library.ScalarEvent):
            made: tuple[Any, int] = (_scalar(event), 1)
        elif isinstance(event, library.SequenceStartEvent):
            made = self._sequence(event, depth)
        else:
            made = self._map(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = made
        return made

    def _sequence(self, start: Any, depth: int) -> tuple[list[Any], int]:
        _allow(start, _SEQUENCE_TAGS)
        items, weight = [], 1
        while not isinstance(event := next(self._events), self._library.SequenceEndEvent):
            item, of_item = self._value(event, depth + 1)
            items.append(item)
            weight += of_item
        return items, weight

    def _map(self, start: Any, depth: int) -> tuple[Any, int]:
        _allow(start, _MAP_TAGS)
        members: dict[str, Any] = {}
        weight, seen = 1, set[str]()
        while not isinstance(event := next(self._events), self._library.MappingEndEvent):
            key = self._key(event, seen)
            members[key], of_member = self._value(next(self._events), depth + 1)
            weight += 1 + of_member
        if start.tag == _FILE_TAG:
            return _first(members.get("state"), b""), weight
        if start.tag == _ITERATOR_TAG:
            return _first(members.get("args"), []), weight
        return members, weight

    def _key(self, event: Any, seen: set[str]) -> str:
        if not isinstance(event, self._library.ScalarEvent):
            raise _unreadable(event, "a key that is no text")
        key = str(event.value)
        if key in seen:
            raise _unreadable(event, "a key that comes twice")
        seen.add(key)
        return key


def _scalar(event: Any) -> Any:
    text, tag = str(event.value), event.tag
    if tag == _TAG + "binary":
        try:
            return base64.b64decode(text.encode("ascii"))
        except (binascii.Error, UnicodeEncodeError):
            raise _unreadable(event, "binary that is not Base64") from None
    if tag in _TEXT_TAGS or (tag in (None, "!") and not event.implicit[0]):
        return text
    if tag not in (None, _TAG + "int", _TAG + "bool", _TAG + "null"):
        _allow(event, frozenset())
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def _allow(event: Any, tags: frozenset[str | None]) -> None:
    if event.tag not in tags:
        raise _unreadable(event, f"the tag {ascii(str(event.tag)[:80])[1:-1]} is not understood")


def _first(value: Any, otherwise: Any) -> Any:
    return value[0] if isinstance(value, list) and value else otherwise


def _unreadable(event: Any, what: str) -> ImportSourceError:
    return ImportSourceError("source_unreadable", f"line {event.start_mark.line + 1}: {what}")
