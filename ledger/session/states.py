"""The state of a stage as JSON, and back (specs/10 section 6).

Without a type it is a JSON value: maps with text keys, lists, text, numbers, booleans, None. With
one it is whatever pydantic writes as JSON and reads back as that type. Either comes back as what it
was; sets, which have no order, numbers that are not finite, and objects that are not data are
refused where they are saved, so that they are not missed where they are needed.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from ledger.errors import RecordError, SessionError
from ledger.model.archive import canonical_json

__all__ = ["decode", "encode"]


def encode(stage: str, value: object, type_: Any = None) -> bytes:
    """Write a state; raises `SessionError("savepoint_invalid")` naming the place in it."""
    if type_ is None:
        _check(stage, "state", value, json_only=True)
        return _json(stage, value)
    adapter = _adapter(stage, type_)
    try:
        plain = adapter.dump_python(value, warnings="error")
        _check(stage, "state", plain, json_only=False)
        written = _json(stage, adapter.dump_python(value, mode="json", warnings="error"))
        again = adapter.dump_python(adapter.validate_json(written), mode="json")
    except (PydanticSerializationError, ValidationError, ValueError, TypeError) as error:
        raise _invalid(stage, f"state: {_place(error)} is not of the type of the stage") from None
    if _json(stage, again) != written:
        raise _invalid(stage, "state: it does not come back as what it is")
    return written


def decode(stage: str, data: bytes, type_: Any = None) -> Any:
    """Read a state; raises `SessionError("savepoint_invalid")` where it is not of the type."""
    if type_ is None:
        return json.loads(data)
    try:
        return _adapter(stage, type_).validate_json(data)
    except ValidationError as error:
        raise _invalid(
            stage, f"the recorded state is not of this type: {_place(error)} does not fit"
        ) from None


def _adapter(stage: str, type_: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(type_)
    except Exception:  # pydantic has several for a type it knows no schema of
        raise _invalid(stage, "the type is none that pydantic knows") from None


def _json(stage: str, value: object) -> bytes:
    try:
        return canonical_json(value)
    except RecordError as error:
        raise _invalid(stage, f"state: {error.message}") from None


def _check(stage: str, path: str, value: object, *, json_only: bool) -> None:
    """Refuse what JSON cannot say or would give back as something else."""
    if isinstance(value, float) and not math.isfinite(value):
        raise _invalid(stage, f"{path} is not finite")
    if isinstance(value, set | frozenset):
        raise _invalid(stage, f"{path} is a set, which has no order", "save a sorted list")
    if isinstance(value, dict):
        for key, item in value.items():
            if json_only and type(key) is not str:
                _refuse(stage, f"a key of {path}", key)
            _check(stage, f"{path}.{key}"[:200], item, json_only=json_only)
    elif type(value) is list or (isinstance(value, list | tuple) and not json_only):
        for number, item in enumerate(value):
            _check(stage, f"{path}[{number}]", item, json_only=json_only)
    elif json_only and type(value) not in (str, int, float, bool, type(None)):
        _refuse(stage, path, value)


def _refuse(stage: str, path: str, value: object) -> NoReturn:
    raise _invalid(
        stage,
        f"{path} is {type(value).__name__}, which JSON does not have",
        "name the type: stage(..., type=...) or savepoint(..., type=...)",
    )


def _place(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return ".".join(str(part) for part in problem["loc"]) or "it"
    return "it"


def _invalid(stage: str, why: str, hint: str | None = None) -> SessionError:
    return SessionError("savepoint_invalid", f"stage {stage}: {why}", hint=hint)
