"""Any Python value as JSON, as far as it is data: what a step's inputs and results are kept as.

Models, dataclasses, times and the like are written as pydantic does. An object that is not data
becomes `{"type": its name}`, and so does a whole value that has no end: nothing is asked of an
object for its text, which may hold anything.

>>> jsonable({"size": 2, "where": object(), "share": float("nan")}).data
b'{"share":"NaN","size":2,"where":{"type":"object"}}'
"""

from __future__ import annotations

import json

from pydantic_core import PydanticSerializationError, to_json

from ledger.errors import RecordError
from ledger.model.archive import JSON, Media, canonical_json

__all__ = ["jsonable"]


def jsonable(value: object) -> Media:
    """Return a value as canonical JSON; does not fail."""
    try:
        written = to_json(
            value,
            fallback=_name,
            inf_nan_mode="strings",
            bytes_mode="base64",
            serialize_unknown=False,
        )
        return Media(canonical_json(json.loads(written)), JSON)
    except (PydanticSerializationError, RecordError, ValueError, TypeError, RecursionError):
        return Media(canonical_json(_name(value)), JSON)


def _name(value: object) -> dict[str, str]:
    return {"type": type(value).__qualname__}
