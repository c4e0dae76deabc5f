"""Running a recorded function again (specs/13 section 1).

    Resources(steps={"extract": my_module.extract})

Only a function that was named by whoever replays is run, under the name with which it was recorded;
a name in a ledger or package imports nothing. Arguments are those that were recorded, as JSON: a
function that takes other things than data cannot be run again like this. One that was decorated
with `@session.step` runs without recording.
"""

from __future__ import annotations

import asyncio
import inspect
import platform
import sys
from collections.abc import Callable
from typing import Any

from ledger.errors import ReplayError
from ledger.formats.call import read_ijson
from ledger.replay.engine import Resources, Result, Task
from ledger.session.jsonable import jsonable

__all__ = ["Step"]


class Step:
    """Runs functions by their recorded names."""

    name = "step"

    def __init__(self, resources: Resources) -> None:
        self._steps = dict(resources.steps)

    def check(self, task: Task) -> None:
        """Refuse a step for which no function was named."""
        if task.tool not in self._steps:
            raise ReplayError(
                "model_unavailable",
                f"no function was named for the step {task.tool}",
                hint="--step NAME=module:function, or Resources(steps=…)",
            )

    def close(self) -> None:
        """Nothing is held."""

    def run(self, task: Task) -> Result:
        """Call the function with the recorded arguments."""
        function = inspect.unwrap(self._steps[str(task.tool)])
        try:
            arguments = read_ijson(task.content.data)
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise ReplayError("engine_failed", "the recorded arguments are not a JSON object")
        result = _call(function, arguments)
        environment = {"engine": "step", "implementation": sys.implementation.name}
        environment["python"] = platform.python_version()
        return Result(output=jsonable(result), environment=environment)


def _call(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call a function as its recorded arguments say, each by its parameter."""
    given: list[Any] = []
    named: dict[str, Any] = {}
    left = dict(arguments)
    parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
        if name not in left:
            continue
        value = left.pop(name)
        if parameter.kind is parameter.VAR_POSITIONAL and isinstance(value, list):
            given += value
        elif parameter.kind is parameter.VAR_KEYWORD and isinstance(value, dict):
            named |= value
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            given.append(value)
        else:
            named[name] = value
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        named |= left
    elif left:
        raise ReplayError("engine_failed", f"the function has no parameter {min(left)}"[:300])
    result = function(*given, **named)
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result: Any) -> Any:
    return await result
