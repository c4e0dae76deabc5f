"""Which HTTP headers may be recorded (specs/03 §1.11).

An allow-list, in two layers: `DEFAULT_HEADERS`, which a configuration may extend and never
shorten, above a floor, `SECRET_HEADERS`, that no configuration reaches: asking for one of those is
an error, and so is asking for a name that cannot be recorded. Nothing else of a request's headers
is kept.

A header whose value looks like a key is left out even when its name is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledger.capture.secrets import find_secrets
from ledger.errors import RecordError
from ledger.formats.values import is_prose
from ledger.model.raw import HEADER_NAME, HEADERS_MAX, SECRET_HEADERS

HEADERS_MAX_BYTES = 8192
"""Room for one of the two header maps in a statement, which has 65,535 bytes for everything."""

_LIMITS = ("limit", "remaining", "reset")
_RATE_LIMITS = frozenset(
    f"x-ratelimit-{said}-{what}"
    for said in _LIMITS
    for what in ("requests", "tokens", "project-requests", "project-tokens")
) | frozenset(
    f"anthropic-ratelimit-{what}-{said}"
    for said in _LIMITS
    for what in ("requests", "tokens", "input-tokens", "output-tokens")
)
DEFAULT_HEADERS = _RATE_LIMITS | {
    "anthropic-beta",
    "anthropic-version",
    "apim-request-id",
    "azureml-model-session",
    "cf-ray",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "openai-beta",
    "openai-model",
    "openai-processing-ms",
    "openai-version",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "server",
    "user-agent",
    "x-amzn-bedrock-input-token-count",
    "x-amzn-bedrock-invocation-latency",
    "x-amzn-bedrock-output-token-count",
    "x-amzn-requestid",
    "x-envoy-upstream-service-time",
    "x-groq-region",
    "x-ms-region",
    "x-request-id",
    "x-should-retry",
    "x-stainless-lang",
    "x-stainless-package-version",
    "x-stainless-retry-count",
}
"""What says how a call went, and nothing of whose account it was (`openai-organization` is not)."""


class HeaderAllowList:
    """The headers that may be recorded: the default ones and those a configuration adds."""

    def __init__(self, extend: Iterable[str] = ()) -> None:
        """Add names to the default list; raises `RecordError` `record_invalid` for a secret one."""
        added = {name.lower() for name in extend}
        for name in sorted(added):
            if name in SECRET_HEADERS:
                raise RecordError(
                    "record_invalid",
                    f"the header {name} carries credentials and is never recorded",
                )
            if not HEADER_NAME.fullmatch(name) or name == "blake3":
                raise RecordError("record_invalid", "not the name of a header that can be recorded")
        self.names = DEFAULT_HEADERS | added

    def select(self, headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return the headers that may be recorded, names in lower case, in order of name.

        A header that comes several times is joined with ", " (RFC 9110 §5.3); one that a record
        has no room for, or whose value looks like a key, is left out.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        kept: dict[str, str] = {}
        for name, value in pairs:
            lower = name.lower()
            if lower in self.names and lower not in SECRET_HEADERS:
                kept[lower] = f"{kept[lower]}, {value}" if lower in kept else value
        chosen: dict[str, str] = {}
        left = HEADERS_MAX_BYTES
        for name, value in sorted(kept.items()):
            if not is_prose(value) or find_secrets(value) or len(chosen) == HEADERS_MAX:
                continue
            left -= len(name) + len(value.encode())
            if left >= 0:
                chosen[name] = value
        return chosen
