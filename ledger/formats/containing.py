"""Whether one content is contained in another (specs/12 section 4).

A prompt usually holds a text inside JSON, where quotes and line ends are escaped; it is contained
when it is a run of characters of a string in it.

>>> contained(b'say "hi"', b'[{"content":"Now say \\\\"hi\\\\"."}]', "application/json")
True
>>> contained(b'say "ho"', b'[{"content":"Now say \\\\"hi\\\\"."}]', "application/json")
False
"""

from __future__ import annotations

from ledger.errors import FormatError
from ledger.formats.call import CALL_BODY_MAX_BYTES, read_ijson

__all__ = ["contained", "is_json"]


def is_json(media_type: str) -> bool:
    """Whether content of this media type is looked at as JSON."""
    name = media_type.partition(";")[0].strip(" \t").lower()
    return name == "application/json" or name.endswith("+json")


def contained(content: bytes, context: bytes, media_type: str) -> bool:
    """Whether `content` is a run of bytes of `context`, or of characters of a string in its JSON.

    `media_type` is that of the context. Does not fail: what is not I-JSON is looked at as bytes.
    """
    if content in context:
        return True
    if not is_json(media_type) or len(context) > CALL_BODY_MAX_BYTES:
        return False
    try:
        text, waiting = content.decode(), [read_ijson(context)]
    except (FormatError, UnicodeDecodeError, ValueError, RecursionError):
        return False
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if text in value:
                return True
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return False
