"""What all bodies share: construction, reading back, and the way to plain values.

Two doors lead to a body. *Construction* (`Witness(...)`) is friendly: an integer is taken where a
float is declared, a list where an array is, None for "absent". *Reading* (`from_body`) is strict:
the plain values of the result must equal the given ones, type by type, so that nothing which
construction forgives passes for a record: an integer is not a float, null is not absence
(specs/00, "Common value types"). Both refuse what a page does not name.

Refusals are `RecordError` `body_invalid` with the path of the field; they name fields and types,
never values, since a value may be large or secret. Other codes, such as those of specs/03 §2, are
raised only when the whole body has its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo

from ledger.errors import FormatError, RecordError
from ledger.formats.content import ContentRef, references

PATH_MAX_CHARS = 64
ERRORS_SHOWN = 4

_READING = {"reading": True}
_SCALARS = frozenset({str, int, float, bool, bytes})
_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "text",
    bytes: "bytes",
    list: "an array",
    dict: "a map",
    type(None): "null",
}


class Group(BaseModel):
    """A closed, immutable map of a body; a field that is None is absent."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        revalidate_instances="never",
        ser_json_bytes="hex",
    )

    def __init__(self, /, **fields: Any) -> None:
        """Check and keep the fields; raises `RecordError`."""
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _refusal(type(self).__name__.lower(), error) from None

    # pydantic calls an overridden __init__ for every nested map, which loses paths and time; this
    # is how its own RootModel says that the override checks nothing that validation does not.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields changed, checked like any other; raises `RecordError`."""
        return (
            type(self)(**{**self.__dict__, **update}) if update else super().model_copy(deep=deep)
        )

    def is_empty(self) -> bool:
        """Say whether no field is present."""
        return all(value is None for value in self.__dict__.values())


class Body(Group):
    """The body of a statement of one type."""

    def check_consequences(self) -> None:
        """Check values that follow from others; raises `RecordError` with a code of their own."""

    def _after(self, info: ValidationInfo) -> Self:
        """End a validation; when reading, consequences wait for the strict comparison."""
        if info.context is not _READING:
            self.check_consequences()
        return self


AnyBody = TypeVar("AnyBody", bound=Body)


def to_body(model: Group) -> dict[str, Any]:
    """Return a body as plain values for `ledger.formats.cbor.encode`; absent fields have no key."""
    body: dict[str, Any] = {}
    for name, value in model.__dict__.items():
        if value is None:
            continue
        kind = type(value)
        if kind in _SCALARS:
            body[name] = value
        else:
            plain: Callable[[Any], Any] = _PLAIN.get(kind, to_body)
            body[name] = plain(value)
    return body


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    plain: Callable[[Any], Any] = _PLAIN.get(kind, to_body)
    return plain(value)


def _plain_array(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    return [_plain(item) for item in value]


def _plain_map(value: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(item) for key, item in value.items()}


def _null(_: None) -> None:
    return None


# A handwritten walk is as fast as `model_dump(exclude_none=True)` and keeps a null inside
# `other_params`, where it is a value. Whatever is not listed is a group.
_PLAIN: dict[type, Callable[[Any], Any]] = {
    ContentRef: ContentRef.to_cbor,
    tuple: _plain_array,
    list: _plain_array,
    dict: _plain_map,
    type(None): _null,
}


def read_body(kind: type[AnyBody], body: object) -> AnyBody:
    """Return a decoded body as its model; raises `RecordError` with the page's code."""
    try:
        model = kind.model_validate(body, context=_READING)
    except ValidationError as error:
        raise _refusal(kind.__name__.lower(), error) from None
    found = _difference(body, to_body(model))
    if found is not None:
        path, problem = found
        name = kind.__name__.lower()
        raise RecordError("body_invalid", f"{name}: {path.removeprefix('.') or name}: {problem}")
    model.check_consequences()
    return model


def check_references(body: object) -> None:
    """Refuse a map with the key `blake3` that is not exactly a content reference (specs/06 §1)."""
    try:
        for _ in references(body):
            pass
    except FormatError as error:
        raise ValueError(error.message) from None


def _difference(given: object, kept: object) -> tuple[str, str] | None:
    """Say where a decoded body is not what its model writes, and why; None when it is."""
    if type(given) is not type(kept):
        return "", f"{_name(given)} where {_name(kept)} must be"
    if type(given) is dict and type(kept) is dict:
        for key, value in given.items():
            if key not in kept:
                # The model took the value for absence: null.
                return f".{_printable(key)}", f"{_name(value)} where the key must be absent"
            other = kept[key]
            if type(value) is type(other) and type(value) in _SCALARS and value == other:
                continue
            found = _difference(value, other)
            if found is not None:
                return f".{_printable(key)}{found[0]}", found[1]
        missing = [key for key in kept if key not in given]
        return (f".{_printable(missing[0])}", "is missing") if missing else None
    if type(given) is list and type(kept) is list:
        for number, (one, other) in enumerate(zip(given, kept, strict=True)):
            found = _difference(one, other)
            if found is not None:
                return f"[{number}]{found[0]}", found[1]
        return None
    return None if given == kept else ("", "not a value of the profile")


def _name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def _printable(key: object) -> str:
    """Return a key for a message: short, and without characters that a terminal obeys."""
    text = str(key)
    shown = text if len(text) <= PATH_MAX_CHARS else text[:PATH_MAX_CHARS] + "…"
    return "".join(char if char.isprintable() else "?" for char in shown)


def _refusal(name: str, error: ValidationError) -> RecordError:
    """Return a refusal as one sentence without any value of the record."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    said = []
    for problem in problems[:ERRORS_SHOWN]:
        path = ""
        for part in problem["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{_printable(part)}"
        message = problem["msg"].removeprefix("Value error, ")
        said.append(f"{path.removeprefix('.') or name}: {message}")
    if len(problems) > ERRORS_SHOWN:
        said.append(f"and {len(problems) - ERRORS_SHOWN} more")
    return RecordError("body_invalid", f"{name}: " + "; ".join(said))
