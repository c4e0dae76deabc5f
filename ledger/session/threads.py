"""Threads that know where they were started from.

A thread does not inherit context variables, unlike a task of asyncio; without them its operations
would belong to no step and no stage.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["BoundThreads", "bound"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
P = ParamSpec("P")


def bound(function: F) -> F:
    """Return the function with the context as of now; it may run in several threads at once."""
    context = copy_context()

    @functools.wraps(function)
    def run(*given: Any, **keywords: Any) -> Any:
        # a context can be entered once at a time, its copies share what is in it
        return context.copy().run(function, *given, **keywords)

    return cast(F, run)


class BoundThreads(ThreadPoolExecutor):
    """A thread pool whose tasks have the context in which they were submitted."""

    def __init__(self, max_workers: int | None = None) -> None:
        super().__init__(max_workers, thread_name_prefix="session")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As `ThreadPoolExecutor.submit`."""
        return super().submit(bound(fn), *args, **kwargs)
