"""In which protocol a recorded call was made (specs/13 sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .jcs import canonical
from .json_parts import top

ENGINES = {
    "chat": "openai",
    "completions": "openai",
    "embeddings": "openai",
    "responses": "openai",
    "messages": "anthropic",
}
"""Protocol -> the engine that speaks it."""

ENDINGS = (
    ("messages", "/messages"),
    ("chat", "/chat/completions"),
    ("completions", "/completions"),
    ("embeddings", "/embeddings"),
    ("responses", "/responses"),
)
MEMBERS = {
    "messages": "messages",
    "chat": "messages",
    "completions": "prompt",
    "embeddings": "input",
    "responses": "input",
}
"""Protocol -> the member that a request of it has."""
_TELLING = tuple(sorted({*MEMBERS.values()}))


def speaks(engine: str, protocol: str | None) -> str | None:
    """Return the protocol in which an engine of section 5 answers what was asked in one."""
    if engine == "embedded":
        return "chat"
    return protocol if protocol is not None and ENGINES[protocol] == engine else None


def by_url(method: str, url: str) -> str | None:
    """Return the protocol of a request by the intent's method and URL."""
    path = url.partition("?")[0]
    endings = [protocol for protocol, ending in ENDINGS if path.endswith(ending)]
    return endings[0] if endings and method == "POST" else None


def members_of(request: bytes) -> frozenset[str]:
    """Return which of the telling members a request has; none unless it is an I-JSON object."""
    text = canonical(request)
    values = top(text if text is not None else b"0").get(*_TELLING)
    return frozenset(n for n, v in zip(_TELLING, values, strict=True) if v is not None)


def by_names(body: dict[str, Any], names: Collection[str]) -> str | None:
    """Return the protocol of a witness by the names of the members of its request."""
    for protocol, _ in ENDINGS:
        if MEMBERS[protocol] not in names:
            continue
        if protocol == "messages" and body["model"].get("model_provider") != "anthropic":
            continue
        if protocol == "embeddings" and body["operation"] != "embeddings":
            continue
        return protocol
    return None
