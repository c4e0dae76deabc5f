"""Rules and fields that bodies of several types share (specs/03)."""

from __future__ import annotations

import re
from typing import Any

from .errors import BadValue
from .values import Check, One, closed, count, name, prose

MAP_MAX = 64
SECRET_HEADERS = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-security-token",
    )
)
_HEADER_NAME = re.compile(r"[a-z0-9-]{1,64}")


def iff(given: bool, wanted: bool, what: str) -> None:
    """Check that what is given is just what is wanted; `what` names it."""
    if given != wanted:
        raise BadValue(f"{what} is {'missing' if wanted else 'present without its reason'}")


def together(first: str, *others: str) -> One:
    """Return the rule that the others are present iff the first is."""

    def rule(m: Any) -> None:
        wanted = first in m
        for other in others:
            if (other in m) != wanted:
                iff(other in m, wanted, other)

    return rule


def keyed(key: Check, value: Check | None, most: int = MAP_MAX) -> Check:
    """Return the check of a map of 1 to `most` entries of one kind."""

    def one(v: Any) -> None:
        if type(v) is not dict or not 1 <= len(v) <= most:
            raise BadValue(f"not a map of 1 to {most} keys")
        for k, item in v.items():
            try:
                key(k)
                if value is not None:
                    value(item)
            except BadValue as e:
                raise BadValue(f"{k[:80]!a}: {e.message}") from None

    return Check(one)


@Check
def _header_name(v: Any) -> None:
    if _HEADER_NAME.fullmatch(v) is None:
        raise BadValue("not a lower-case header name")
    if v in SECRET_HEADERS:
        raise BadValue("a header that carries a secret")


headers = keyed(_header_name, prose)
source = closed({"format": name}, {"event_id": name, "sample_id": name, "epoch": count})
