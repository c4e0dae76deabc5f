"""Choosing the next token: the same one for the same logits, parameters and seed, anywhere.

Temperature 0, which is the default, takes the most probable token, of equal ones that of the
smallest id. Otherwise logits are divided by the temperature, `top_k` tokens are kept, of these the
fewest whose probabilities reach `top_p`, and one is drawn with Python's Mersenne Twister, whose
sequence is the same in every version. A seed that is not given is 0.

All of it is in binary64, and the log-probability of a token is that of the model: before
temperature, `top_k` and `top_p`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import Any

from ledger.errors import ReplayError
from ledger.replay.engine import Task

__all__ = ["MAX_TOKENS", "Parameters", "Sampler"]

MAX_TOKENS = 256
"""Written at most where a witness does not say."""

_KNOWN = frozenset({"replay_seed", "temperature", "top_p", "top_k", "max_tokens", "other_params"})
_STOP = ("stop", "gen_ai.request.stop_sequences")
_IDLE = frozenset({"logprobs", "top_logprobs", "stream", "stream_options", "user"})
"""What a request to an endpoint may say that changes no token."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """How to write: the fields of a witness's `replay` group that engines of this package know."""

    seed: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = MAX_TOKENS
    stop: tuple[str, ...] = ()
    """Texts before which the output ends; `other_params` `stop`."""
    today: date | None = None
    """What a chat template is told that the date is; `other_params` `date`."""

    @classmethod
    def of(cls, task: Task) -> Parameters:
        """Read those of a task; `ReplayError("model_unavailable")` for one that is not known here.

        To leave one out would be another operation.
        """
        given = {name: value for name, value in task.parameters.items() if value is not None}
        other: Mapping[str, Any] = given.get("other_params") or {}
        unknown = sorted({*given} - _KNOWN) + sorted({*other} - _IDLE - {*_STOP, "date"})
        if unknown:
            raise _refused(task, f"does not know the parameter {unknown[0]}")
        stop = next((other[name] for name in _STOP if other.get(name) is not None), ())
        stop = [stop] if isinstance(stop, str) else stop
        if not isinstance(stop, list | tuple) or not all(
            isinstance(text, str) and text for text in stop
        ):
            raise _refused(task, "takes texts as stop")
        try:
            today = date.fromisoformat(other["date"]) if "date" in other else None
        except (TypeError, ValueError):
            raise _refused(task, "takes a date as YYYY-MM-DD") from None
        return cls(
            given.get("replay_seed", 0),
            given.get("temperature", 0.0),
            given.get("top_p", 1.0),
            given.get("top_k", 0),
            given.get("max_tokens", MAX_TOKENS),
            tuple(stop),
            today,
        )


class Sampler:
    """Chooses token after token of one run."""

    def __init__(self, parameters: Parameters) -> None:
        self._numpy: Any = import_module("numpy")
        self._parameters = parameters
        # of an int Python would take the absolute value
        self._random = random.Random(f"vif {parameters.seed}")  # noqa: S311 - no secret

    def choose(self, logits: Any) -> tuple[int, float]:
        """Return the id of the next token, and its log-probability."""
        np = self._numpy
        values = np.asarray(logits, dtype=np.float64)
        best = int(values.argmax())
        shifted = values - values[best]
        log_total = float(np.log(np.exp(shifted).sum()))
        if not np.isfinite(log_total):
            raise ReplayError("engine_failed", "the model's logits are not finite")
        chosen = best if self._parameters.temperature == 0 else self._draw(shifted)
        return chosen, float(shifted[chosen]) - log_total + 0.0  # not -0.0

    def _draw(self, shifted: Any) -> int:
        np, parameters = self._numpy, self._parameters
        order = np.argsort(-shifted, kind="stable")
        if parameters.top_k:
            order = order[: parameters.top_k]
        with np.errstate(over="ignore"):
            weights = np.exp(shifted[order] / parameters.temperature)
        sums = weights.cumsum()
        if parameters.top_p < 1.0:
            keep = int(np.searchsorted(sums, parameters.top_p * sums[-1], side="left")) + 1
            sums = sums[:keep]
        place = int(np.searchsorted(sums, self._random.random() * sums[-1], side="right"))
        return int(order[min(place, len(sums) - 1)])


def _refused(task: Task, why: str) -> ReplayError:
    return ReplayError("model_unavailable", f"the engine {task.engine} {why}")
