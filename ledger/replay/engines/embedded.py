"""The demo's n-gram model in this process, asked in the protocol of chat completions.

It is estimated again from the texts at hand; that they are the ones it was made from then shows in
its fingerprint, which is the environment of its answers (`ledger.demo.model`).
"""

from __future__ import annotations

import json
from pathlib import Path

from ledger.demo.corpus import default_sources, read_sources
from ledger.demo.model import DEFAULT_NAME, DemoModel
from ledger.demo.protocol import ApiError, chunks, completion, parse_chat_request
from ledger.errors import LedgerError, ReplayError
from ledger.formats.observation import parse_environment
from ledger.model.archive import JSON, Media
from ledger.replay.answers import read_answer
from ledger.replay.engine import Resources, Result, Task

__all__ = ["Embedded", "make"]

_EVENTS = "text/event-stream"


class Embedded:
    """A demo model that answers recorded chat requests."""

    name = "embedded"

    def __init__(self, model: DemoModel) -> None:
        self._model = model

    def check(self, task: Task) -> None:
        """Refuse another model, and another protocol."""
        if task.protocol != "chat":
            raise ReplayError("model_unavailable", "the embedded model answers chat completions")
        if task.model != self._model.name:
            raise ReplayError(
                "model_unavailable", f"the embedded model is {self._model.name}, not {task.model}"
            )

    def close(self) -> None:
        """Nothing is held."""

    def run(self, task: Task) -> Result:
        """Answer the recorded request."""
        try:
            request = parse_chat_request(json.loads(task.content.data), self._model.name)
        except (ApiError, ValueError, RecursionError) as error:
            raise ReplayError("engine_failed", f"the request is refused: {error}"[:300]) from None
        answer = self._model.generate(
            request.prompt, request.parameters, background=request.background
        )
        frame = {"model": self._model.name, "system_fingerprint": self._model.fingerprint}
        frame |= {"service_tier": "default"}
        if request.stream:
            lines = [f"data: {json.dumps(one)}\n\n" for one in chunks(request, answer, frame)]
            response = Media("".join([*lines, "data: [DONE]\n\n"]).encode(), _EVENTS)
        else:
            response = Media(json.dumps(completion(request, answer, frame)).encode(), JSON)
        seen = read_answer("chat", response.data)
        environment = None if seen.environment is None else parse_environment(seen.environment)
        return Result(
            output=seen.output,
            observation=seen.observation,
            environment=environment,
            response=response,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            output_tokens=answer.completion_tokens,
        )


def make(resources: Resources) -> Embedded:
    """Estimate the model from the texts given as weights, or else from those of the demo.

    Raises `ReplayError("model_unavailable")` for texts that cannot be read.
    """
    try:
        if resources.weights:
            files = [file for path in resources.weights for file in _files(path)]
            sources = read_sources(files)
        else:
            sources = default_sources()
        text = "\n\n".join(passage.text for one in sources for passage in one.passages)
        model = DemoModel.estimate(text, name=resources.options.get("model", DEFAULT_NAME))
    except (LedgerError, OSError, ValueError) as error:
        raise ReplayError(
            "model_unavailable", f"the texts of the model: {type(error).__name__}"
        ) from error
    return Embedded(model)


def _files(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
