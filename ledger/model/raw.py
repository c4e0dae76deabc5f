"""What went over the wire: bodies by reference, headers by allow-list (specs/03 §1.11).

`SECRET_HEADERS` never appear in a record, whatever a configuration allows;
`ledger.capture.headers` chooses what may.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from ledger.model.base import Group, check_references
from ledger.model.values import Prose, Ref

HEADER_NAME = re.compile(r"[a-z0-9-]{1,64}")
HEADERS_MAX = 64
SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-security-token",
    }
)


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not HEADER_NAME.fullmatch(name):
            raise ValueError("a header name is 1 to 64 of a-z 0-9 -")
        if name in SECRET_HEADERS:
            raise ValueError(f"{name} must not be recorded")
    check_references(value)
    return value


Headers = Annotated[
    dict[str, Prose], Field(min_length=1, max_length=HEADERS_MAX), AfterValidator(_headers)
]


class Raw(Group):
    """Request and response as they went over the wire."""

    request: Ref | None = None
    response: Ref | None = None
    request_headers: Headers | None = None
    response_headers: Headers | None = None
