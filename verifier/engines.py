"""Which engine can run an operation again, and where its request goes (specs/13 sections 1, 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

ENGINES = frozenset(
    ("embedded", "openai", "anthropic", "transformers", "llama-cpp", "step", "archive")
)
ASKED = frozenset(("openai", "anthropic"))
EMBEDDED = "embedded"
STEP = "step"


class Protocol(NamedTuple):
    """A row of the table: what a request of a protocol looks like."""

    name: str
    engine: str
    ending: str
    member: str


PROTOCOLS = (
    Protocol("messages", "anthropic", "/messages", "messages"),
    Protocol("chat", "openai", "/chat/completions", "messages"),
    Protocol("completions", "openai", "/completions", "prompt"),
    Protocol("embeddings", "openai", "/embeddings", "input"),
    Protocol("responses", "openai", "/responses", "input"),
)
MEMBERS = tuple(sorted({row.member for row in PROTOCOLS}))


class Way(NamedTuple):
    """How an operation is run again: its engine, and of an endpoint protocol and path."""

    engine: str
    protocol: Protocol | None = None
    path: str | None = None

    def answers_in(self) -> str | None:
        """Return the protocol that its recorded answer is read by, if there is one."""
        if self.protocol is not None:
            return self.protocol.name
        return "chat" if self.engine == EMBEDDED else None


def way_of(
    witness: dict[str, Any],
    intent: dict[str, Any] | None,
    members: Callable[[], frozenset[str]],
) -> Way | None:
    """Return how the operation of a witness's body is run again, or None (`not_recorded`).

    `intent` is the body of the intent of the outcome that it rests on, if both are at hand.
    `members` returns which of MEMBERS the request has; none if it is not an I-JSON object at hand.
    """
    named = witness.get("replay", {}).get("engine")
    if named is not None and named not in ASKED:
        return Way(named) if named != STEP or _has_arguments(witness) else None
    if named is None and _is_step(witness):
        return Way(STEP)
    if "request" not in witness.get("raw", ()):
        return None
    if intent is not None:
        row = _of_url(intent["method"], intent["url"])
        path = path_of(intent["url"])
    else:
        row = _of_body(witness, members())
        path = "/v1" + row.ending if row is not None else ""
    return None if row is None or named not in (None, row.engine) else Way(row.engine, row, path)


def path_of(url: str) -> str:
    """Return path and query of a recorded url, which has no fragment."""
    rest = url.partition("://")[2]
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"


def _has_arguments(witness: dict[str, Any]) -> bool:
    return "tool_parameters" in witness.get("tools", ())


def _is_step(witness: dict[str, Any]) -> bool:
    return (
        witness["operation"] == "execute_tool"
        and witness["capture"]["vantage"] == "hook"
        and _has_arguments(witness)
        and len(witness["tools"]["tool_ids"]) == 1
    )


def _of_url(method: str, url: str) -> Protocol | None:
    path = path_of(url).partition("?")[0]
    found = (row for row in PROTOCOLS if method == "POST" and path.endswith(row.ending))
    return next(found, None)


def _of_body(witness: dict[str, Any], members: frozenset[str]) -> Protocol | None:
    for row in PROTOCOLS:
        if row.member not in members:
            continue
        if row.name == "messages" and witness["model"].get("model_provider") != "anthropic":
            continue
        if row.name == "embeddings" and witness["operation"] != "embeddings":
            continue
        return row
    return None
