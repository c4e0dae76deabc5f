"""Ordered work on sheets in other processes, with a bounded number under way."""

from __future__ import annotations

import marshal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .errors import Fatal
from .records import Setting

if TYPE_CHECKING:
    from concurrent.futures import Future

SHEETS_PER_TASK = 4
_UNDER_WAY = 3

_setting: Setting | None = None


def _start(setting: Setting) -> None:
    global _setting
    _setting = setting


def _run(function: Callable[[Setting, Any], Any], tasks: list[Any]) -> bytes:
    """Run tasks in a worker; results are plain tuples, which marshal moves fastest."""
    if _setting is None:
        raise RuntimeError("a worker without a setting")
    return marshal.dumps([_plain(function(_setting, task)) for task in tasks])


def _plain(value: Any) -> Any:
    """Return a result with named tuples turned into tuples."""
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def ordered(
    function: Callable[[Setting, Any], Any],
    setting: Setting,
    tasks: Iterable[Any],
    jobs: int,
) -> Iterator[Any]:
    """Yield function(setting, task) for each task in order, with `jobs` processes.

    With one job nothing is started. Results of several jobs are plain tuples.
    """
    if jobs == 1:
        for task in tasks:
            yield function(setting, task)
        return
    # Only now: these modules take longer to load than a small package takes to verify.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    fork = "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if fork else "spawn")
    pool = ProcessPoolExecutor(jobs, context, _start, (setting,))
    waiting: deque[Future[bytes]] = deque()
    try:
        batches = _batches(tasks)
        for batch in batches:
            waiting.append(pool.submit(_run, function, batch))
            if len(waiting) >= jobs * _UNDER_WAY:
                yield from marshal.loads(waiting.popleft().result())
        while waiting:
            yield from marshal.loads(waiting.popleft().result())
    except BrokenProcessPool:
        raise Fatal("input_unreadable", "a worker process ended unexpectedly") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _batches(tasks: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for task in tasks:
        batch.append(task)
        if len(batch) == SHEETS_PER_TASK:
            yield batch
            batch = []
    if batch:
        yield batch
