"""Functions recorded with `@session.step`, run again (specs/13 section 1)."""

from __future__ import annotations

from typing import Any

from ledger import Ledger
from ledger.replay import Resources
from tests.replay.lab import one


def record(log: Ledger, function: Any, *given: Any, **named: Any) -> str:
    """Run a function as a step; returns the witness's id."""
    with log.session("lab/steps") as run:
        run.step(function, name="clean")(*given, **named)
    return next(reversed(list(log.find(type="witness")))).id


def again(log: Ledger, identifier: str, function: Any) -> Any:
    return one(log, identifier, resources=Resources(steps={"clean": function})).body


def clean(text: str, *parts: int, lower: bool = True, **more: Any) -> dict[str, Any]:
    return {"text": text.lower() if lower else text, "parts": parts, "more": more}


def test_a_function_gives_the_same_for_the_same_arguments(log: Ledger) -> None:
    identifier = record(log, clean, "Raven", 1, 2, lower=False, tag="x")
    body = again(log, identifier, clean)
    assert (body.engine, body.level, body.success) == ("step", "text", True)
    assert body.levels.tokens == "not_observable"


def test_a_changed_function_is_found(log: Ledger) -> None:
    identifier = record(log, clean, "Raven")
    body = again(log, identifier, lambda text, *parts, lower, **more: {"text": text})
    assert body.reason == "output_differs"
    assert body.first_difference.character is not None


def test_the_decorated_function_runs_without_recording(log: Ledger) -> None:
    with log.session("lab/steps") as run:
        decorated = run.step(clean, name="clean")
        decorated("Raven")
    identifier = next(iter(log.find(type="witness"))).id
    assert again(log, identifier, decorated).success
    assert len(list(log.find(type="witness"))) == 1


def test_coroutine_functions_and_methods_are_run(log: Ledger) -> None:
    async def slowly(text: str) -> str:
        return text.upper()

    class Tool:
        def use(self, text: str) -> str:
            return text.upper()

    identifier = record(log, lambda text: text.upper(), "raven")
    assert again(log, identifier, slowly).success
    assert again(log, identifier, Tool().use).success


def test_nothing_is_imported_by_the_name_of_a_step(log: Ledger) -> None:
    with log.session("lab/steps") as run:
        run.step(clean, name="os.getcwd")("Raven")
    identifier = next(iter(log.find(type="witness"))).id
    body = one(log, identifier).body
    assert (body.engine, body.reason) == ("step", "model_unavailable")


def test_a_function_that_takes_other_arguments_or_fails_is_said(log: Ledger) -> None:
    identifier = record(log, clean, "Raven")

    def broken(text: str, *parts: int, lower: bool) -> None:
        raise RuntimeError("broken")

    body = again(log, identifier, lambda other: other)
    assert (body.reason, body.message) == ("engine_failed", "the function has no parameter lower")
    body = again(log, identifier, lambda **all: broken("", lower=True))
    assert body.reason == "engine_failed"
    assert body.message == "RuntimeError in the engine"
