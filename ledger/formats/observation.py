"""What an engine saw, and what it ran in: two JSON documents of a replay (specs/13 section 4).

Both are written in the one form of RFC 8785 and read in no other, so that equal documents are equal
bytes. Refusals are FormatError `body_invalid`; their messages hold nothing of the document.

>>> seen = Observation(token_ids=[7, 9], logprobs=[-0.5, 0.0])
>>> seen.encode()
b'{"logprobs":[-0.5,0],"token_ids":[7,9]}'
>>> parse(seen.encode()) == seen
True
>>> environment({"threads": 1, "libraries": {"numpy": "2.3.5"}})
b'{"libraries":{"numpy":"2.3.5"},"threads":1}'
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from ledger.errors import FormatError
from ledger.formats.call import canonical, read_ijson

__all__ = [
    "OBSERVATION_MAX_BYTES",
    "OBSERVATION_TOKENS_MAX",
    "Observation",
    "Raw",
    "environment",
    "parse",
    "parse_environment",
]

OBSERVATION_MAX_BYTES: Final = 67_108_864
OBSERVATION_TOKENS_MAX: Final = 1_000_000

_ARRAYS: Final = ("token_ids", "token_texts", "logprobs")
_MEMBERS: Final = frozenset({*_ARRAYS, "raw"})
_RAW_MEMBERS: Final = frozenset({"sha256", "size_bytes"})
_INTEGER_MAX: Final = 2**53 - 1
_EXPONENT_MIN: Final = 1e21  # from here on RFC 8785 writes a number with an exponent
_ID_MAX: Final = 2**32 - 1
_ENVIRONMENT_MAX: Final = 64
_NESTED_MAX: Final = 1024
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Raw:
    """The raw output of an engine, by its digest and size."""

    sha256: bytes
    size_bytes: int

    def __post_init__(self) -> None:
        """Check it; raises FormatError."""
        if type(self.sha256) is not bytes or len(self.sha256) != 32:
            _refuse("raw.sha256 is not a SHA-256")
        if type(self.size_bytes) is not int or not 0 <= self.size_bytes <= _INTEGER_MAX:
            _refuse("raw.size_bytes is not a number of bytes")


@dataclass(frozen=True, slots=True)
class Observation:
    """What an engine saw besides the decoded output; at least one is there, arrays as long."""

    token_ids: Sequence[int] | None = None
    token_texts: Sequence[str] | None = None
    logprobs: Sequence[float] | None = None
    """The natural log-probability of each token."""
    raw: Raw | None = None

    def __post_init__(self) -> None:
        """Check it and keep the arrays as tuples; raises FormatError."""
        for name, rule in zip(_ARRAYS, (_token_ids, _token_texts, _logprobs), strict=True):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, rule(_array(name, value)))
        if self.raw is not None and type(self.raw) is not Raw:
            _refuse("raw is no raw output")
        lengths = {len(getattr(self, name)) for name in _ARRAYS if getattr(self, name) is not None}
        if not lengths and self.raw is None:
            _refuse("an observation of nothing")
        if len(lengths) > 1:
            _refuse("arrays of different lengths")

    def document(self) -> dict[str, Any]:
        """The JSON object that it is written as."""
        found: dict[str, Any] = {
            name: list(getattr(self, name)) for name in _ARRAYS if getattr(self, name) is not None
        }
        if self.raw is not None:
            found["raw"] = {"sha256": self.raw.sha256.hex(), "size_bytes": self.raw.size_bytes}
        return found

    def encode(self) -> bytes:
        """Write it in its one form; raises FormatError for text without UTF-8 and over-long."""
        return _write(self.document())

    @classmethod
    def of(cls, document: object) -> Observation:
        """Take the JSON object that it is written as; raises FormatError."""
        if type(document) is not dict or not document.keys() <= _MEMBERS:
            _refuse("an observation is an object of token_ids, token_texts, logprobs and raw")
        if any(value is None for value in document.values()):
            _refuse("null in an observation")
        fields: dict[str, Any] = dict(document)
        if "raw" in fields:
            fields["raw"] = _raw(fields["raw"])
        return cls(**fields)


def parse(data: bytes) -> Observation:
    """Read an observation in its one form; raises FormatError `body_invalid`."""
    return Observation.of(_read(data))


def environment(document: Mapping[str, Any]) -> bytes:
    """Write an environment in its one form; raises FormatError `body_invalid`."""
    _check_environment(document)
    return _write(document)


def parse_environment(data: bytes) -> dict[str, Any]:
    """Read an environment in its one form; raises FormatError `body_invalid`."""
    document = _read(data)
    _check_environment(document)
    found: dict[str, Any] = document
    return found


def _write(document: object) -> bytes:
    data = canonical(document)
    if len(data) > OBSERVATION_MAX_BYTES:
        _refuse(f"a document of {len(data)} bytes")
    return data


def _read(data: bytes) -> Any:
    if len(data) > OBSERVATION_MAX_BYTES:
        _refuse(f"a document of {len(data)} bytes")
    try:
        document = read_ijson(data)
    except ValueError as error:
        raise FormatError("body_invalid", f"not I-JSON ({type(error).__name__})") from None
    if canonical(document) != data:
        _refuse("JSON that is not in the form of RFC 8785")
    return document


def _array(name: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        _refuse(f"{name} is no array")
    if len(value) > OBSERVATION_TOKENS_MAX:
        _refuse(f"{name} has more than {OBSERVATION_TOKENS_MAX} elements")
    return tuple(value)


def _token_ids(values: tuple[Any, ...]) -> tuple[int, ...]:
    if not all(type(value) is int and 0 <= value <= _ID_MAX for value in values):
        _refuse("a token id is an integer of 32 bits")
    return values


def _token_texts(values: tuple[Any, ...]) -> tuple[str, ...]:
    if not all(type(value) is str for value in values):
        _refuse("a token text is a string")
    return values


def _logprobs(values: tuple[Any, ...]) -> tuple[float, ...]:
    if not all(type(value) is float or type(value) is int for value in values):
        _refuse("a log-probability is a number")
    if not all(_is_finite(value) for value in values):
        _refuse("a log-probability is a finite number that I-JSON can say")
    return tuple(float(value) + 0.0 for value in values)


def _is_finite(value: float) -> bool:
    """Tell whether I-JSON can say a number: RFC 8785 writes those up to 1e21 as integers."""
    if type(value) is int:
        return abs(value) <= _INTEGER_MAX
    return math.isfinite(value) and not _INTEGER_MAX < abs(value) < _EXPONENT_MIN


def _raw(value: object) -> Raw:
    if type(value) is not dict or value.keys() != _RAW_MEMBERS:
        _refuse("raw is an object of sha256 and size_bytes")
    digest = value["sha256"]
    if type(digest) is not str or not _SHA256.fullmatch(digest):
        _refuse("raw.sha256 is 64 lower-case hex digits")
    return Raw(bytes.fromhex(digest), value["size_bytes"])


def _check_environment(document: object) -> None:
    for value in _values(document, _ENVIRONMENT_MAX):
        if type(value) is dict:
            if not all(_is_plain(item) for item in _values(value, _NESTED_MAX)):
                _refuse("an object in an environment holds strings, integers and booleans")
        elif not _is_plain(value):
            _refuse("an environment holds strings, integers, booleans and objects of such")


def _values(document: object, members: int) -> list[Any]:
    if type(document) is not dict or len(document) > members:
        _refuse(f"an environment is made of objects of at most {members} members")
    if not all(type(name) is str for name in document):
        _refuse("a name that is no string")
    return list(document.values())


def _is_plain(value: object) -> bool:
    if type(value) is int:
        return abs(value) <= _INTEGER_MAX
    return type(value) is str or type(value) is bool


def _refuse(message: str) -> NoReturn:
    raise FormatError("body_invalid", message)
