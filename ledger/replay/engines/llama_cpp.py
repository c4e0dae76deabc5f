"""The engine `llama-cpp`: a GGUF file, by llama-cpp-python.

    vif replay runs.vif 12 --weights model.gguf --level bits

Writes token by token, or embeds a text where the operation is `embeddings` (pooled as the file
says, otherwise by the mean, and normalised).

| option | meaning |
|---|---|
| `threads` | by default as many as there are processors |
| `batch_size` | how many equal sequences are run at once; the first one counts |
| `device` | `cpu`, or `gpu` for all layers |
| `dtype` | of the cache of keys and values: `float16` (default), `bfloat16`, `float32` |
| `attention` | `auto` (default), `plain` or `flash` |
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ledger.errors import ReplayError
from ledger.replay.engine import Resources, Result, Task
from ledger.replay.engines import fingerprint
from ledger.replay.engines.at_hand import choose, needs, option
from ledger.replay.engines.chat import prompt_text
from ledger.replay.engines.llama_model import FUNCTIONS, PIECE, Context, Model, Shape
from ledger.replay.engines.sampling import Parameters
from ledger.replay.engines.writing import embedding_result, text_result, write
from ledger.replay.weights import Weights, shown

__all__ = ["LlamaCpp"]

_DTYPES = {"float16": 1, "float32": 0, "bfloat16": 30}
"""As ggml numbers them."""
_ATTENTIONS = {"auto": -1, "plain": 0, "flash": 1}
"""As llama.cpp numbers them."""


class LlamaCpp:
    """Runs GGUF files; keeps the one that it loaded last."""

    name = "llama-cpp"

    def __init__(self, resources: Resources) -> None:
        """Raises `ReplayError("model_unavailable")` for a missing library, or options."""
        with needs("vif-ledger[llama-cpp]"):
            self._library = import_module("llama_cpp")
        logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)  # it prints
        if not vars(self._library).keys() >= FUNCTIONS:
            raise ReplayError("model_unavailable", "this llama-cpp-python is too old")
        self._library.llama_backend_init()
        self._resources = resources
        given = resources.options
        self._threads = option(resources, "threads") or _processors()
        self._rows = option(resources, "batch_size") or 1
        device = given.get("device", "cpu")
        self._gpu = device == "gpu"
        self._dtype = given.get("dtype", "float16")
        self._attention = given.get("attention", "auto")
        for name, value, known in (
            ("device", device, ("cpu", "gpu")),
            ("dtype", self._dtype, _DTYPES),
            ("attention", self._attention, _ATTENTIONS),
        ):
            if value not in known:
                raise ReplayError("model_unavailable", f"the option {name} is {' or '.join(known)}")
        if self._gpu and not self._library.llama_supports_gpu_offload():
            raise ReplayError("model_unavailable", "this llama-cpp-python was built without a GPU")
        self._weights: Weights | None = None
        self._model: Model | None = None

    def check(self, task: Task) -> None:
        """Hash the weights at hand, and load the ones that the task names."""
        Parameters.of(task)
        weights = choose(self._resources, task, "a GGUF file")
        if weights == self._weights:
            return
        self.close()
        if not _is_gguf(weights.path):
            raise ReplayError("model_unavailable", f"{shown(weights.path)} is no GGUF file")
        self._model = Model.load(self._library, weights.path, gpu=self._gpu)
        weights.check_unchanged()
        self._weights = weights

    def run(self, task: Task) -> Result:
        """Write or embed."""
        model, weights = self._model, self._weights
        assert model is not None, "check comes before run"
        assert weights is not None
        assert task.weights in (None, weights.digest), "check comes before each run"
        parameters = Parameters.of(task)
        special = {"bos_token": model.token(model.bos), "eos_token": model.token(model.eos)}
        prompt = prompt_text(task.content, model.template, special, parameters.today)
        tokens = model.tokens(prompt.text, templated=prompt.templated)
        if task.operation == "embeddings":
            return self._embed(model, tokens)
        room = model.room or len(tokens) + parameters.max_tokens
        wanted = min(room, len(tokens) + parameters.max_tokens)
        shape = self._shape(wanted, embeddings=False)
        with Context(model, shape) as context:
            written = write(tokens, context.logits, model, parameters, model.ends, room)
        return text_result(written, model, len(tokens), self._environment())

    def close(self) -> None:
        """Let go of what is loaded; the next check loads it again."""
        if self._model is not None:
            self._model.close()
        self._weights = self._model = None

    def _shape(self, tokens: int, *, embeddings: bool) -> Shape:
        return Shape(
            -(-tokens // PIECE) * PIECE,
            self._rows,
            self._threads,
            _DTYPES[self._dtype],
            _ATTENTIONS[self._attention],
            embeddings,
        )

    def _embed(self, model: Model, tokens: Sequence[int]) -> Result:
        if not tokens or (model.room and len(tokens) > model.room):
            raise ReplayError("engine_failed", f"a text of {len(tokens)} tokens for {model.room}")
        with Context(model, self._shape(len(tokens), embeddings=True)) as context:
            numbers = context.embedding(tokens)
        length = math.sqrt(math.fsum(one * one for one in numbers)) or 1.0
        return embedding_result([one / length for one in numbers], len(tokens), self._environment())

    def _environment(self) -> dict[str, Any]:
        assert self._weights is not None
        return fingerprint.of_llama_cpp(
            self._library,
            weights=self._weights.digest,
            threads=self._threads,
            batch_size=self._rows,
            dtype=self._dtype,
            attention=self._attention,
            gpu=self._gpu,
        )


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_gguf(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as opened:
        return opened.read(4) == b"GGUF"
