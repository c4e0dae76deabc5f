"""Reading the plan of a package strictly (specs/13 section 9).

A plan comes from whoever is doubted. Each line is the RFC 8785 form of an object with the members
of the page and no other, digests are hex digits, so that nothing in it can be a path, and a line
that is too long is refused before the rest of it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, NoReturn

from ledger.errors import FormatError, ReplayError
from ledger.formats.call import canonical
from ledger.formats.values import is_label, is_name, is_uuid7
from ledger.replay.levels import LEVELS
from ledger.replay.plan import PLAN_LINE_MAX_BYTES
from ledger.replay.recipe import HTTP_ENGINES

__all__ = ["parse_line", "read_lines"]

_DIGITS_MAX: Final = 17
_INTEGER_MAX: Final = 2**53 - 1
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_REASONS: Final = ("not_recorded", "content_missing")
_NEEDS: Final = ("endpoint", "function", "weights", "engine")

Check = Callable[[Any], bool]


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a plan with their line feeds; `ReplayError("package_invalid")`."""
    number = 0
    while line := file.readline(PLAN_LINE_MAX_BYTES + 1):
        number += 1
        if len(line) > PLAN_LINE_MAX_BYTES:
            _refuse(number, f"it has more than {PLAN_LINE_MAX_BYTES} bytes")
        if not line.endswith(b"\n"):
            _refuse(number, "no line feed ends it")
        yield line


def parse_line(line: bytes, number: int) -> dict[str, Any]:
    """Take a line apart, `number` from 1; raises `ReplayError("package_invalid")`."""
    try:
        found = json.loads(
            line.removesuffix(b"\n"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
        )
        same = canonical(found) + b"\n" == line
    except (ValueError, RecursionError, FormatError):
        same = False
    if not same or not isinstance(found, dict):
        _refuse(number, "it is not an object in the form of RFC 8785")
    _members(found, number, "the line", _ALWAYS | (_CANNOT if "reason" in found else _CAN))
    if "reason" not in found:
        _fit_together(found, number)
    return found


def _fit_together(line: dict[str, Any], number: int) -> None:
    engine = line["engine"]
    if (engine in HTTP_ENGINES) != ("path" in line) or (engine == "step") != ("tool" in line):
        _refuse(number, "path or tool do not go with its engine")
    levels, expected = line["levels"], line["expected"]
    if levels != [one for one in LEVELS if one in levels] or "archive" not in levels:
        _refuse(number, "levels are not in order, from archive on")
    if expected.keys() != set(levels) - {"archive"}:
        _refuse(number, "expected has not a member for each of levels")
    for level, value in expected.items():
        _members(value, number, f"expected.{level}", _EXPECTED[level])
    _members(line["request"], number, "request", _REQUEST)


def _members(value: Any, number: int, where: str, table: dict[str, Check | None]) -> None:
    """Check that an object has the members of a table; those that end in `?` may be absent."""
    if not isinstance(value, dict):
        _refuse(number, f"{where} is no object")
    checks = {name.removesuffix("?"): check for name, check in table.items()}
    unknown = value.keys() - checks.keys()
    if unknown:
        _refuse(number, f"{where} has a member that the page does not name")
    for name in table:
        if not name.endswith("?") and name not in value:
            _refuse(number, f"{where} has no {name}")
    for name, one in value.items():
        check = checks[name]
        if check is not None and not check(one):
            _refuse(number, f"{name} of {where} is of another form")


def _refuse(number: int, why: str) -> NoReturn:
    raise ReplayError("package_invalid", f"line {number} of the plan: {why}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name twice in one object")
    return value


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")


def _integer(digits: str) -> int | float:
    # RFC 8785 writes floats up to 1e21 without a point; as integers they could not be written again
    value = int(digits) if len(digits) <= _DIGITS_MAX else None
    return value if value is not None and abs(value) <= _INTEGER_MAX else float(digits)


def _is_hex(value: Any) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_levels(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_ALWAYS: dict[str, Check | None] = {
    "index": _is_count,
    "id": is_uuid7,
    "leaf_hash": _is_hex,
    "model": is_name,
    "operation": is_name,
}
_CANNOT: dict[str, Check | None] = {"reason": lambda value: value in _REASONS}
_CAN: dict[str, Check | None] = {
    "engine": is_label,
    "needs": lambda value: value in _NEEDS,
    "request": None,
    "path?": _is_text,
    "tool?": _is_text,
    "parameters?": lambda value: isinstance(value, dict) and bool(value),
    "weights?": _is_hex,
    "levels": _is_levels,
    "expected": lambda value: isinstance(value, dict),
}
_TEXT: dict[str, Check | None] = {
    "sha256": _is_hex,
    "size_bytes": _is_count,
    "media_type": is_name,
}
_REQUEST: dict[str, Check | None] = {"blake3": _is_hex} | _TEXT
_EXPECTED: dict[str, dict[str, Check | None]] = {
    "text": _TEXT,
    "tokens": {
        "count": _is_count,
        "kind": lambda value: value in ("ids", "texts"),
        "sha256": _is_hex,
    },
    "logprobs": {"count": _is_count, "sha256": _is_hex},
    "bits": {"environment": _is_hex, "raw": _is_hex},
}
