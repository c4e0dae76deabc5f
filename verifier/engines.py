"""Which engine can run an operation again, and where its request goes (specs/13 sections 1, 2)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from .protocols import ENDINGS, ENGINES, by_names, by_url, speaks

KNOWN_ENGINES = frozenset(
    ("embedded", "openai", "anthropic", "transformers", "llama-cpp", "step", "archive")
)
ASKED = frozenset(ENGINES.values())
STEP = "step"
_ENDINGS = dict(ENDINGS)


class Way(NamedTuple):
    """How an operation is run again: its engine, and of an endpoint protocol and path."""

    engine: str
    protocol: str | None = None
    path: str | None = None

    def answers_in(self) -> str | None:
        """Return the protocol that its recorded answer is read by, if there is one."""
        return speaks(self.engine, self.protocol)

    def ending(self) -> str:
        """Return what the path of its request ends with, empty if there is no request."""
        return _ENDINGS.get(self.protocol or "", "")


def way_of(
    witness: dict[str, Any],
    intent: dict[str, Any] | None,
    names: Callable[[], Collection[str]],
) -> Way | None:
    """Return how the operation of a witness's body is run again, or None (`not_recorded`).

    `intent` is the body of the intent of the outcome that it rests on, if both are at hand.
    `names` returns which telling members the request has; none unless it is an I-JSON object.
    """
    named = witness.get("replay", {}).get("engine")
    if named is not None and named not in ASKED:
        return Way(named) if named != STEP or _has_arguments(witness) else None
    if named is None and is_step(witness):
        return Way(STEP)
    if "request" not in witness.get("raw", ()):
        return None
    if intent is not None:
        protocol = by_url(intent["method"], intent["url"])
        path = path_of(intent["url"])
    else:
        protocol = by_names(witness, names())
        path = "/v1" + _ENDINGS.get(protocol or "", "")
    if protocol is None or named not in (None, ENGINES[protocol]):
        return None
    return Way(ENGINES[protocol], protocol, path)


def path_of(url: str) -> str:
    """Return path and query of a recorded url, which has no fragment."""
    rest = url.partition("://")[2]
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"


def is_step(witness: dict[str, Any]) -> bool:
    """Return whether a witness without an engine is of a function that was called."""
    return (
        witness["operation"] == "execute_tool"
        and witness["capture"]["vantage"] == "hook"
        and _has_arguments(witness)
        and len(witness["tools"]["tool_ids"]) == 1
    )


def _has_arguments(witness: dict[str, Any]) -> bool:
    return "tool_parameters" in witness.get("tools", ())
