"""Sentence embeddings of the engine `transformers`, by sentence-transformers.

The folder says how: its `modules.json` names pooling and normalisation. Only modules are loaded
that are made of numbers (`folders`).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ledger.errors import ReplayError
from ledger.formats.containing import is_json
from ledger.replay.engine import Result, Task
from ledger.replay.engines import fingerprint
from ledger.replay.engines.at_hand import needs
from ledger.replay.engines.folders import check_sentences
from ledger.replay.engines.torch_settings import FAILURES, Settings, quiet, settled
from ledger.replay.engines.writing import embedding_result
from ledger.replay.weights import Weights, shown

__all__ = ["Embedder"]


class Embedder:
    """Embeds one text at a time; keeps the model that it loaded last."""

    def __init__(self, torch: Any, settings: Settings) -> None:
        self._torch, self._settings = torch, settings
        self._weights: Weights | None = None
        self._model: Any = None

    def load(self, weights: Weights) -> None:
        """Load a folder; raises `ReplayError("model_unavailable")`."""
        if weights == self._weights:
            return
        self.close()
        check_sentences(weights.path)
        with needs("sentence-transformers"):
            library = import_module("sentence_transformers")
        folder = str(weights.path)
        kwargs = {
            "dtype": self._settings.torch_dtype(self._torch),
            "attn_implementation": self._settings.attention,
            "use_safetensors": True,
        }
        try:
            with quiet(import_module("transformers")):
                model = library.SentenceTransformer(
                    folder,
                    device=self._settings.device,
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs=kwargs,
                )
        except FAILURES as error:
            raise ReplayError(
                "model_unavailable",
                f"{shown(weights.path)} cannot be loaded: {type(error).__name__}",
            ) from error
        weights.check_unchanged()
        self._weights, self._model = weights, model.eval()

    def close(self) -> None:
        """Let go of the model."""
        self._weights = self._model = None

    def run(self, task: Task) -> Result:
        """Embed the prompt, which is text; raises `ReplayError("engine_failed")`."""
        assert self._weights is not None, "load comes before run"
        assert task.weights in (None, self._weights.digest), "load comes before each run"
        if is_json(task.content.media_type):
            raise ReplayError("engine_failed", "one text is embedded at a time, and no JSON")
        try:
            text = task.content.data.decode()
        except UnicodeDecodeError:
            raise ReplayError("engine_failed", "the prompt is not UTF-8") from None
        rows = self._settings.batch_size
        try:
            with settled(self._torch, self._settings):
                environment = self._environment(self._weights.digest)
                found = self._model.encode(
                    [text] * rows,
                    batch_size=rows,
                    convert_to_tensor=True,
                    show_progress_bar=False,
                )
                numbers = found[0].to(self._torch.float32).cpu().tolist()
                tokens = len(self._model.tokenizer(text, truncation=False)["input_ids"])
        except RuntimeError as error:
            raise ReplayError("engine_failed", f"PyTorch: {type(error).__name__}") from error
        limit = self._model.max_seq_length
        return embedding_result(numbers, min(tokens, limit or tokens), environment)

    def _environment(self, weights: bytes) -> dict[str, Any]:
        settings = self._settings
        dtype = next(self._model.parameters()).dtype
        return fingerprint.of_torch(
            self._torch,
            weights=weights,
            device=settings.device,
            dtype=str(dtype).removeprefix("torch."),
            batch_size=settings.batch_size,
            attention=settings.attention,
            libraries=["safetensors", "sentence_transformers"],
        )
