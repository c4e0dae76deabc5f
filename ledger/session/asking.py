"""What a request asks for: which call it is, of which model, and what it may cost (specs/10 §7).

Only what is recorded counts for the identity: the URL without credentials, the headers of the
allow-list, the body as sent.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ledger.capture.exchange import Request, header
from ledger.capture.headers import HeaderAllowList
from ledger.capture.readers import Reading, read
from ledger.formats.call import call_digest, call_url
from ledger.formats.values import is_name
from ledger.session.pricing import Pricing

__all__ = ["Asked", "Asker", "media_type", "read_safely"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BYTES = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}([ \t]*;.*)?")

_log = logging.getLogger("ledger.session")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is recorded."""

    request: Request
    method: str
    url: str
    headers: dict[str, str]
    digest: bytes
    retried: bool
    """Whether the client says that it sends this again by itself."""
    model: str | None = None
    bound_usd: float | None = None
    """What it may cost at most; None when that is not known."""

    @property
    def safe(self) -> bool:
        """Whether sending it again changes and costs nothing (RFC 9110 §9.2.1)."""
        return self.method in SAFE_METHODS

    @property
    def place(self) -> str:
        """Method and URL."""
        return f"{self.method} {self.url}"


class Asker:
    """Reads requests of one session."""

    def __init__(self, allowed: HeaderAllowList, key: bytes | None, pricing: Pricing) -> None:
        self.allowed = allowed
        self._key = key
        self._pricing = pricing

    def look(self, request: Request) -> Asked:
        """Read a request; raises `FormatError("body_invalid")` for a URL that is none."""
        method, url = request.method.upper(), call_url(request.url)
        headers = self.allowed.select(request.headers)
        digest = call_digest(method, url, headers, request.body or None, self._key)
        retries = header(request.headers, "x-stainless-retry-count") or ""
        retried = retries.isascii() and retries.isdigit() and int(retries[:9]) >= 1
        return Asked(request, method, url, headers, digest, retried)

    def estimate(self, asked: Asked) -> Asked:
        """Read of a request that is to be sent which model it wants, and what it may cost."""
        reading = read_safely(asked.request, None, None, ())
        model = reading.fields.get("requested_model") if reading is not None else None
        model = model if is_name(model) else None
        bound: float | None = 0.0
        if not asked.safe and (reading is None or reading.is_operation):
            bound = self._pricing.bound(reading, model, asked.request)
        return replace(asked, model=model, bound_usd=bound)


def read_safely(
    request: Request,
    body: bytes | None,
    http_status: int | None,
    response_headers: Iterable[tuple[str, str]],
) -> Reading | None:
    """Read an exchange; None, and a warning, when a reader has a defect: the answer is kept."""
    try:
        return read(request, body, http_status, dict(response_headers))
    except Exception as error:
        _log.warning("an exchange could not be read (%s); it is kept whole", type(error).__name__)
        return None


def media_type(headers: Iterable[tuple[str, str]]) -> str:
    """The media type of a body as its header says, or that of bytes where it says none."""
    said = (header(headers, "content-type") or "").strip()
    return said if _MEDIA_TYPE.fullmatch(said) and is_name(said) else _BYTES
