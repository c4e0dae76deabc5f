"""Choosing weights: the ones a witness names by digest, hashed before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ledger.errors import ReplayError
from ledger.replay.engine import Resources, Task
from ledger.replay.weights import Weights, measure, shown

__all__ = ["SHOWN_HEX", "choose", "needs", "option"]

SHOWN_HEX = 12
LOOKED_MAX = 8
"""Places that a message names."""


def choose(resources: Resources, task: Task, kind: str) -> Weights:
    """Return the weights at hand that have the digest of the task.

    Without a digest the only ones there are. Raises `ReplayError`: `model_unavailable` when nothing
    is given or nothing can be read, `weights_mismatch` when all are others.
    """
    if not resources.weights:
        raise ReplayError(
            "model_unavailable", f"no weights are at hand for {task.model}", hint=f"give {kind}"
        )
    if task.weights is None and len(resources.weights) > 1:
        raise ReplayError(
            "model_unavailable",
            f"{len(resources.weights)} weights are at hand, and nothing says which to take",
            hint="give one",
        )
    looked: list[str] = []
    unread: ReplayError | None = None
    for path in resources.weights:
        try:
            found = measure(path, progress=_progress(resources, f"hashing {shown(path)}"))
        except ReplayError as error:
            unread = error
            continue
        if task.weights in (None, found.digest):
            return found
        looked.append(f"{shown(path)} ({found.digest.hex()[:SHOWN_HEX]})")
    if unread is not None:  # they may be the ones
        raise unread
    assert task.weights is not None
    more = [f"{len(looked) - LOOKED_MAX} more"] if len(looked) > LOOKED_MAX else []
    raise ReplayError(
        "weights_mismatch",
        f"the weights of {task.model} are {task.weights.hex()[:SHOWN_HEX]}; "
        f"at hand are {', '.join(looked[:LOOKED_MAX] + more)}",
    )


def option(resources: Resources, name: str, default: int | None = None) -> int | None:
    """Return an option that is a number from 1; raises `ReplayError("model_unavailable")`."""
    text = resources.options.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 65_536):
        raise ReplayError("model_unavailable", f"the option {name} is a number from 1, not {text}")
    return int(text)


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Make libraries that cannot be imported a `ReplayError("model_unavailable")`.

    `extra` is what installs them.
    """
    try:
        yield
    except (ImportError, OSError, RuntimeError) as error:  # such as a driver that is not there
        what = getattr(error, "name", None) or error
        raise ReplayError(
            "model_unavailable",
            f"a library is missing: {what}"[:300],
            hint=f"pip install '{extra}'",
        ) from error


def _progress(resources: Resources, what: str) -> Callable[[int, int], None] | None:
    tell = resources.progress
    return None if tell is None else lambda done, total: tell(what, done, total)
