"""Contents of a witness that are JSON of one shape: what it was made from, ran in, and saw.

| keyword | document |
|---|---|
| `prompt_variables` | strings by name (specs/13 §3) |
| `context_snapshot` | `atoms`: strings by id (specs/13 §3) |
| `environment` | specs/13 §4 |
| `observation` | specs/13 §4, also as an `Observation` |

A dict is archived in the form of RFC 8785. Bytes and text are archived as they are, once they were
found to hold such a document; all are `application/json` unless a `Media` says otherwise.
"""

from __future__ import annotations

from typing import Any

from ledger.errors import FormatError, RecordError
from ledger.formats import observation
from ledger.formats.call import canonical, read_ijson
from ledger.formats.observation import Observation
from ledger.model.archive import JSON, Content, Media, media

DOCUMENTS = frozenset({"prompt_variables", "context_snapshot", "environment", "observation"})


def document(name: str, content: Content | Observation) -> Media:
    """Return a document with its media type.

    Raises `RecordError` `body_invalid` for one that has not the shape of its keyword.
    """
    try:
        if isinstance(content, Observation):
            return Media(content.encode(), JSON)
        if isinstance(content, dict):
            return Media(_written(name, content), JSON)
        found = media(content)
        _check(name, found.data)
    except FormatError as error:
        raise RecordError("body_invalid", error.message) from None
    return found if isinstance(content, Media) else Media(found.data, JSON)


def _written(name: str, content: dict[str, Any]) -> bytes:
    match name:
        case "observation":
            return Observation.of(content).encode()
        case "environment":
            return observation.environment(content)
        case _:
            _check_strings(name, content)
            return canonical(content)


def _check(name: str, data: bytes) -> None:
    match name:
        case "observation":
            observation.parse(data)
        case "environment":
            observation.parse_environment(data)
        case _:
            try:
                content = read_ijson(data)
            except ValueError as error:
                raise FormatError("body_invalid", f"not I-JSON ({type(error).__name__})") from None
            _check_strings(name, content)


def _check_strings(name: str, content: object) -> None:
    strings = content
    if name == "context_snapshot":
        if not isinstance(content, dict) or content.keys() != {"atoms"}:
            raise FormatError("body_invalid", "an object with the one member atoms")
        strings = content["atoms"]
    if not isinstance(strings, dict) or not all(type(one) is str for one in strings.values()):
        raise FormatError("body_invalid", "an object of strings")
