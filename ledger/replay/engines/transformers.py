"""The engine `transformers`: a local folder of weights in safetensors, on PyTorch.

    vif replay runs.vif 12 --weights models/small --level bits

Writes token by token (`writing`, `sampling`), or embeds a text where the operation is `embeddings`
(`embedding`). Nothing is fetched and no code from the folder is run (`folders`).

| option | meaning |
|---|---|
| `threads` | of PyTorch within an operation |
| `batch_size` | how many equal rows are run; the first one counts |
| `device` | such as `cpu`, `cuda:0` |
| `dtype` | such as `float32`, `bfloat16`; by default that of the weights |
| `attention` | `sdpa` or `eager` |

The libraries are imported when an engine is made, and never by importing this module.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ledger.errors import ReplayError
from ledger.replay.engine import Resources, Result, Task
from ledger.replay.engines import fingerprint
from ledger.replay.engines.at_hand import choose, needs
from ledger.replay.engines.chat import prompt_text
from ledger.replay.engines.embedding import Embedder
from ledger.replay.engines.folders import check_model
from ledger.replay.engines.sampling import Parameters
from ledger.replay.engines.torch_settings import FAILURES, Settings, quiet, settled
from ledger.replay.engines.writing import text_result, write
from ledger.replay.weights import Weights, shown

__all__ = ["EMBEDDINGS", "Transformers"]

EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class _Loaded:
    weights: Weights
    model: Any
    tokenizer: Any


class Transformers:
    """Runs models of a folder; keeps the one that it loaded last."""

    name = "transformers"

    def __init__(self, resources: Resources) -> None:
        """Raises `ReplayError("model_unavailable")` for a missing library, or options."""
        with needs("vif-ledger[transformers]"):
            self._torch = import_module("torch")
            self._library = import_module("transformers")
        self._resources = resources
        self._settings = Settings.of(resources)
        self._loaded: _Loaded | None = None
        self._embedder = Embedder(self._torch, self._settings)

    def check(self, task: Task) -> None:
        """Hash the weights at hand, and load the ones that the task names."""
        Parameters.of(task)
        weights = choose(self._resources, task, "a folder with safetensors")
        if task.operation == EMBEDDINGS:
            self._embedder.load(weights)
        elif self._loaded is None or self._loaded.weights != weights:
            self._loaded = None  # before the next one needs its room
            check_model(weights.path)
            self._loaded = self._load(weights)

    def run(self, task: Task) -> Result:
        """Write or embed, with deterministic algorithms."""
        if task.operation == EMBEDDINGS:
            return self._embedder.run(task)
        loaded = self._loaded
        assert loaded is not None, "check comes before run"
        assert task.weights in (None, loaded.weights.digest), "check comes before each run"
        parameters = Parameters.of(task)
        words = _Words(loaded.tokenizer)
        prompt = _prompt(task, parameters, loaded.tokenizer)
        try:
            with settled(self._torch, self._settings):
                environment = self._environment(loaded)
                reading = _Reading(self._torch, loaded.model, self._settings)
                room = _room(loaded.model, len(prompt) + parameters.max_tokens)
                written = write(prompt, reading, words, parameters, _ends(loaded), room)
        except RuntimeError as error:  # memory, operators without a deterministic form
            raise ReplayError("engine_failed", f"PyTorch: {type(error).__name__}") from error
        return text_result(written, words, len(prompt), environment)

    def close(self) -> None:
        """Let go of what is loaded; the next check loads it again."""
        self._loaded = None
        self._embedder.close()

    def _load(self, weights: Weights) -> _Loaded:
        dtype = self._settings.torch_dtype(self._torch)
        safe = {"local_files_only": True, "trust_remote_code": False}
        folder = str(weights.path)
        try:
            with quiet(self._library):
                tokenizer = self._library.AutoTokenizer.from_pretrained(folder, **safe)
                model = self._library.AutoModelForCausalLM.from_pretrained(
                    folder,
                    use_safetensors=True,
                    dtype=dtype,
                    attn_implementation=self._settings.attention,
                    **safe,
                )
                model = model.to(self._settings.device).eval()
        except FAILURES as error:
            raise ReplayError(
                "model_unavailable",
                f"{shown(weights.path)} cannot be loaded: {type(error).__name__}",
            ) from error
        weights.check_unchanged()
        return _Loaded(weights, model, tokenizer)

    def _environment(self, loaded: _Loaded) -> dict[str, Any]:
        settings, model = self._settings, loaded.model
        return fingerprint.of_torch(
            self._torch,
            weights=loaded.weights.digest,
            device=settings.device,
            dtype=str(model.dtype).removeprefix("torch."),
            batch_size=settings.batch_size,
            attention=settings.attention,
            libraries=["safetensors"],
        )


class _Reading:
    """Gives logits after tokens, with a cache of what was read before."""

    def __init__(self, torch: Any, model: Any, settings: Settings) -> None:
        self._torch, self._model, self._settings = torch, model, settings
        # it was renamed
        known = inspect.signature(model.forward).parameters
        self._cache_name = "past_key_values" if "past_key_values" in known else "cache"
        self._cache: Any = None

    def __call__(self, new: Sequence[int]) -> Any:
        rows = [list(new)] * self._settings.batch_size
        given = self._torch.tensor(rows, device=self._settings.device)
        cache = {} if self._cache is None else {self._cache_name: self._cache}
        seen = self._model(input_ids=given, use_cache=True, **cache)
        self._cache = seen[self._cache_name]
        return seen["logits"][0, -1].to(self._torch.float64).cpu().numpy()


class _Words:
    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def text(self, ids: Sequence[int]) -> str:
        """The text of an output, without special tokens."""
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return str(self._tokenizer.decode(list(ids), **options))

    def token(self, number: int) -> str:
        """The text of one token; of a special one its name."""
        return str(self._tokenizer.decode([number], clean_up_tokenization_spaces=False))


def _prompt(task: Task, parameters: Parameters, tokenizer: Any) -> list[int]:
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    special = {
        name: value
        for name, value in tokenizer.special_tokens_map.items()
        if isinstance(value, str)
    }
    prompt = prompt_text(task.content, template, special, parameters.today)
    encoded = tokenizer(prompt.text, add_special_tokens=not prompt.templated)
    return [int(one) for one in encoded["input_ids"]]


def _ends(loaded: _Loaded) -> Collection[int]:
    """Tokens that end an output, as the weights say."""
    generation = getattr(loaded.model, "generation_config", None)
    found = [getattr(generation, "eos_token_id", None), loaded.tokenizer.eos_token_id]
    flat = [one for some in found for one in (some if isinstance(some, list) else [some])]
    return {one for one in flat if one is not None}


def _room(model: Any, otherwise: int) -> int:
    config: Any = model.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or otherwise)
