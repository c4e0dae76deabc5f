"""What runs an operation again: one small protocol, and how engines are found (specs/13 section 1).

An engine is installed code: the entry points of group `vif.engines` name factories, which take what
whoever replays has at hand (`Resources`) and return an engine. Nothing in a ledger or a package
names code.

    [project.entry-points."vif.engines"]
    my-engine = "my_package.engine:make"

    def make(resources: Resources) -> Engine: ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ledger.errors import ReplayError
from ledger.formats.observation import Observation
from ledger.model.archive import Media

__all__ = ["GROUP", "Engine", "Factory", "Resources", "Result", "Task", "find", "names"]

GROUP = "vif.engines"


@dataclass(frozen=True, slots=True)
class Task:
    """One operation to run, made from its witness: everything that may matter, nothing to guess.

    `content` is what specs/13 section 1 calls the request: for `openai` and `anthropic` the body as
    it was sent, for `step` the arguments as JSON, otherwise the prompt. `parameters` are the fields
    of the witness's `replay` group by name. `protocol`, `path` and `headers` are of HTTP engines.
    """

    engine: str
    operation: str
    model: str
    content: Media
    parameters: Mapping[str, Any] = field(default_factory=dict)
    weights: bytes | None = None
    tool: str | None = None
    protocol: str | None = None
    path: str | None = None
    url: str | None = None
    """Where it was sent; None when that is not recorded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of `IDENTITY_HEADERS` and `content-type`, those that were recorded."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came out; what an engine cannot see is None, and then not observable."""

    output: Media | None = None
    observation: Observation | None = None
    environment: Mapping[str, Any] | None = None
    """The fingerprint of specs/13 section 4, as a JSON value."""
    confidence: float | None = None
    response: Media | None = None
    """The body of an HTTP answer, without content encoding."""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None


class Engine(Protocol):
    """Runs operations again; used by one thread at a time.

    Messages of its errors are recorded and signed: they name no paths and quote no other library.
    What an error was raised from is shown to whoever replays, and not recorded.
    """

    def check(self, task: Task) -> None:
        """Refuse, before anything runs, what cannot be run here.

        Raises `ReplayError` `model_unavailable` or `weights_mismatch`.
        """

    def run(self, task: Task) -> Result:
        """Run it; raises `ReplayError("engine_failed")`."""

    def close(self) -> None:
        """Give back what it holds; it may be used again afterwards."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What whoever replays has at hand, and allows to be used."""

    weights: Sequence[Path] = ()
    """Files and folders of weights; an engine takes the one whose digest the witness names."""
    endpoint: str | None = None
    """Where HTTP engines ask: a URL, or `recorded` for wherever the request was sent."""
    steps: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Functions by the name under which they were recorded."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Whatever else an engine offers, such as `threads`, `device`, `dtype`."""
    timeout_s: float = 120.0
    """For one answer of an endpoint."""
    progress: Callable[[str, int, int], None] | None = None
    """Told now and then of long work, such as hashing weights: what, done, of how many bytes."""


Factory: TypeAlias = Callable[[Resources], Engine]


def names() -> list[str]:
    """The engines that there are, by name: those installed, and `archive`, which runs nothing."""
    return sorted({"archive", *(one.name for one in metadata.entry_points(group=GROUP))})


def find(name: str, resources: Resources) -> Engine:
    """Return an engine by name.

    Raises `ReplayError`: `engine_unknown` when none is installed under this name, and
    `model_unavailable` when it cannot be used here, such as for a missing library.
    """
    found = [one for one in metadata.entry_points(group=GROUP) if one.name == name]
    if not found:
        raise ReplayError(
            "engine_unknown",
            f"no engine named {name} is installed",
            hint=f"there are {', '.join(names()) or 'none'}",
        )
    try:
        factory: Factory = found[0].load()
    except ImportError as error:
        raise ReplayError(
            "model_unavailable", f"the engine {name} needs {error.name or error}"
        ) from None
    return factory(resources)
