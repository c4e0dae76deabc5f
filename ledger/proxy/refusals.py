"""Errors as HTTP answers: JSON in the shape that SDKs read, and a status of their own kind.

    {"error": {"message": "...", "type": "vif_ledger", "code": "outcome_unknown", "hint": null}}

| status | errors |
|---|---|
| 400 | a request that cannot be forwarded or recorded: `FormatError`, `RecordError` |
| 409 | a call that must not be made: `SessionError` |
| 502 | `call_too_large`: an answer that is not recorded |
| 503 | the ledger cannot take it: `StoreError`, `LogError`, `ContentError`, a session that ended |
| 507 | `store_full` |

Those of the ledger have `x-should-retry: false`: the same request would meet the same answer. An
upstream that did not answer is 502 or 504 without it, so that clients follow their own rules; what
may be sent again is decided when they ask.
"""

from __future__ import annotations

import re

from ledger.errors import FormatError, LedgerError, RecordError, SessionError

__all__ = ["RefusalError", "of_upstream", "refusal_of"]

_HINTS = {
    "budget_exceeded": "start the session again with a larger --budget, or bound the output",
    "budget_unpriced": "start the session again without --budget, or with a model that has a price",
    "body_invalid": None,
}
_OPTION = re.compile(r'on_unknown="([a-z]+)"')
_STATUS = {
    "store_full": 507,
    "session_closed": 503,
    "capture_failed": 503,
    "call_too_large": 502,
}


class RefusalError(LedgerError):
    """An answer of the proxy's own; `status` is its HTTP status."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        retry: bool = False,
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.status = status
        self.retry = retry
        """Whether the client may judge by itself if it asks again."""

    def body(self) -> dict[str, object]:
        """The answer's JSON."""
        members = {"message": self.message, "type": "vif_ledger", "code": self.code}
        return {"error": members | {"hint": self.hint}}

    def headers(self) -> dict[str, str]:
        """The answer's headers besides those of its body."""
        return {} if self.retry else {"x-should-retry": "false"}


def refusal_of(error: LedgerError) -> RefusalError:
    """Return an error of the ledger as an answer."""
    if isinstance(error, RefusalError):
        return error
    status = _STATUS.get(error.code)
    if status is None:
        status = 409 if isinstance(error, SessionError) else 503
        if isinstance(error, FormatError | RecordError):
            status = 400
    hint = _HINTS.get(error.code, error.hint)
    if hint is not None:
        hint = _OPTION.sub(r"--on-unknown \1", hint)
    return RefusalError(status, error.code, error.message, hint=hint)


def of_upstream(error: Exception) -> RefusalError:
    """Return an error of the connection to the upstream as an answer.

    What it was is told by the names of the classes, which httpx and httpx2 share.
    """
    names = {one.__name__ for one in type(error).__mro__}
    if names & {"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol"}:
        return RefusalError(
            502, "upstream_unreachable", "no connection to the upstream", retry=True
        )
    if "LocalProtocolError" in names:
        return RefusalError(400, "request_invalid", "the request breaks the rules of HTTP")
    if "TimeoutException" in names:
        return RefusalError(
            504, "upstream_timeout", "the upstream did not answer in time", retry=True
        )
    return RefusalError(
        502, "upstream_disconnected", "the upstream ended the connection", retry=True
    )
