"""Running an operation now, and recording it so that it can be run again (specs/13 section 1).

    perform(log, "transformers", resources=Resources(weights=[folder]), model="small",
            prompt="Why is the sky blue?", temperature=0.7, replay_seed=7, max_tokens=64)

The witness has what a replay needs and compares with: engine, parameters, digest of the weights,
environment, and what the engine saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any, Final, Literal, Protocol

from ledger.drafts import ParentLike, Receipt
from ledger.errors import ReplayError
from ledger.model.archive import Content, Media, media
from ledger.replay.engine import Engine, Resources, Result, Task, find
from ledger.replay.weights import shown, weights_digest

__all__ = ["Target", "perform"]

_FIELDS: Final = ("replay_seed", "temperature", "top_p", "top_k", "max_tokens")
"""Parameters that a witness has a field for; others are `other_params`."""


class Target(Protocol):
    """A `Ledger` or a `Session`."""

    @property
    def record(self) -> Callable[..., Receipt]:
        """Record a witness from plain values."""


def perform(
    target: Target,
    engine_name: str,
    *,
    resources: Resources | None = None,
    prompt: Content,
    model: str,
    operation: Literal["chat", "embeddings"] | str = "chat",
    parents: Sequence[ParentLike] = (),
    engine: Engine | None = None,
    **parameters: Any,
) -> Receipt:
    """Run an operation and record it; returns when the witness is durable.

    `parameters` are those of the engine by name; None is as good as absent. Weights at hand have to
    be those of the model alone. `engine` is one that was made before, which spares loading a model
    each time; it is recorded as `engine_name`, and stays open. An operation that fails is not
    recorded. Raises `ReplayError` (`engine_unknown`, `model_unavailable`, `engine_failed`) and what
    `record` raises.
    """
    at_hand = resources or Resources()
    task = _task(engine_name, at_hand, media(prompt), model, operation, parameters)
    with ExitStack() as stack:
        if engine is None:
            engine = find(engine_name, at_hand)
            stack.callback(engine.close)
        engine.check(task)
        result, seconds = _run(engine, task)
    counted = result.prompt_tokens, result.output_tokens
    return target.record(
        parents=parents,
        operation=operation,
        model=model,
        weights_hash=task.weights,
        prompt=task.content,
        prompt_tokens=result.prompt_tokens,
        output=result.output,
        output_tokens=result.output_tokens,
        token_source=None if counted == (None, None) else "tokenizer",
        finish_reason=result.finish_reason,
        confidence=result.confidence,
        confidence_method=None if result.confidence is None else "logprobs",
        parameters=task.parameters.get("other_params"),
        engine=engine_name,
        environment=None if result.environment is None else dict(result.environment),
        observation=result.observation,
        response=result.response,
        execution_time_ms=seconds * 1000,
        vantage="hook",
        **{name: value for name, value in task.parameters.items() if name in _FIELDS},
    )


def _task(
    engine: str,
    resources: Resources,
    content: Media,
    model: str,
    operation: str,
    parameters: dict[str, Any],
) -> Task:
    given = {name: value for name, value in parameters.items() if value is not None}
    fields = {name: value for name, value in given.items() if name in _FIELDS}
    other = {name: value for name, value in given.items() if name not in _FIELDS}
    return Task(
        engine=engine,
        operation=operation,
        model=model,
        content=content,
        parameters=fields | ({"other_params": other} if other else {}),
        weights=_weights(resources),
    )


def _weights(resources: Resources) -> bytes | None:
    """The digest of the weights at hand; the engine finds them in the cache afterwards."""
    if len(resources.weights) > 1:
        raise ReplayError(
            "model_unavailable", "several weights are at hand, and one model runs", hint="give one"
        )
    if not resources.weights:
        return None
    path, tell = resources.weights[0], resources.progress
    what = f"hashing {shown(path)}"
    return weights_digest(
        path, progress=None if tell is None else lambda done, total: tell(what, done, total)
    )


def _run(engine: Engine, task: Task) -> tuple[Result, float]:
    began = perf_counter()
    try:
        result = engine.run(task)
    except ReplayError:
        raise
    except Exception as error:  # an engine is somebody else's code
        raise ReplayError("engine_failed", f"{type(error).__name__}: {error}"[:300]) from error
    return result, perf_counter() - began
