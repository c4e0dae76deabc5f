"""Content on its way to the archive: bytes, media type, and the reference to them (specs/06).

| given | archived as | media type |
|---|---|---|
| `str` | its UTF-8 | `text/plain; charset=utf-8` |
| `bytes` | as they are | `application/octet-stream` |
| `Media(data, media_type)` | as they are | as said |
| `dict`, `list`, `tuple` | canonical JSON | `application/json` |

Canonical JSON here is JSON with sorted keys, no spaces, and UTF-8 unescaped: equal values have
equal bytes. It is not RFC 8785, which writes some floats otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ledger.drafts import Archived
from ledger.errors import FormatError, RecordError
from ledger.formats.content import refer

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
BYTES = "application/octet-stream"

_SURROGATE = re.compile("[\ud800-\udfff]")

Salt = Callable[[], bytes]


class Media(NamedTuple):
    """Bytes and what they are, such as `Media(png, "image/png")`."""

    data: bytes
    media_type: str


Content = str | bytes | Media | dict[str, Any] | list[Any] | tuple[Any, ...]


def canonical_json(value: object) -> bytes:
    """Return a value as JSON in the one form that equal values share.

    A lone surrogate, which has no UTF-8, stays the escape `\\udXXX`. Raises `RecordError`
    `record_invalid` for what JSON cannot say: NaN, infinities, other types, too deep nesting.
    """
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(
            "record_invalid", f"content is not JSON ({type(error).__name__})"
        ) from None
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def media(content: Content) -> Media:
    """Return a content as bytes with a media type; raises `RecordError` `record_invalid`."""
    if isinstance(content, Media):
        return content
    if isinstance(content, str):
        try:
            return Media(content.encode(), TEXT)
        except UnicodeEncodeError:
            raise RecordError("record_invalid", "content is text that is not UTF-8") from None
    if isinstance(content, bytes):
        return Media(content, BYTES)
    if isinstance(content, dict | list | tuple):
        return Media(canonical_json(content), JSON)
    raise RecordError(
        "record_invalid", f"content is text, bytes, a map or an array, not {type(content).__name__}"
    )


def archive(content: Content, *, salt: Salt | None = None) -> Archived:
    """Return the reference to a content with the bytes to archive.

    `salt` gives 16 random bytes a call, in a ledger whose references are salted (specs/06 §2).
    Raises `RecordError` `record_invalid`.
    """
    data, media_type = media(content)
    try:
        ref, archived = refer(bytes(data), media_type, salt() if salt else None)
    except FormatError as error:
        raise RecordError("record_invalid", f"content: {error.message}") from None
    return Archived(ref, archived)
