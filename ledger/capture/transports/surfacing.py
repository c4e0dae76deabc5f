"""Lets an error of the ledger reach the caller through an SDK that hides errors of its transport.

The SDKs of OpenAI (before 3) and Anthropic treat every exception of the HTTP client as a lost
connection: they ask again, and raise their own `APIConnectionError` at the end. A refusal is not
a lost connection. Exceptions of the SDK's own kind they pass on as they are, so the error gets
that kind as a second base class: it is the same `LedgerError`, with its code, message and hint.
"""

from __future__ import annotations

import sys
from functools import cache

from ledger.capture.exchange import Headers, header
from ledger.errors import LedgerError

_SDK_ERRORS = (("anthropic", "AnthropicError"), ("openai", "OpenAIError"))


def surfacing(error: LedgerError, request_headers: Headers) -> LedgerError:
    """Return the error, in the form in which the SDK that made the request passes it on."""
    if header(request_headers, "x-stainless-lang") is None:  # the generator that both come from
        return error
    kinds = tuple(
        kind
        for module, name in _SDK_ERRORS
        if isinstance(kind := getattr(sys.modules.get(module), name, None), type)
        and issubclass(kind, Exception)
        and not isinstance(error, kind)
    )
    if not kinds:
        return error
    made = _both((type(error), *kinds))(error.code, error.message, hint=error.hint)
    made.__cause__, made.__suppress_context__ = error.__cause__, error.__suppress_context__
    made.__notes__ = list(getattr(error, "__notes__", ()))
    return made.with_traceback(error.__traceback__)


@cache
def _both(kinds: tuple[type[Exception], ...]) -> type[LedgerError]:
    kind = kinds[0]

    def reduce(self: LedgerError) -> tuple[type[Exception], tuple[str, str]]:
        return kind, (self.code, self.message)  # the class made here cannot be found by its name

    members = {"__module__": kind.__module__, "__doc__": kind.__doc__, "__reduce__": reduce}
    return type(kind.__name__, kinds, members)
