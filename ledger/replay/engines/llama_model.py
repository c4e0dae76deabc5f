"""A model of llama.cpp and one run of it, by the functions of its C interface."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from ledger.errors import ReplayError
from ledger.replay.weights import shown

__all__ = ["FUNCTIONS", "PIECE", "Context", "Model", "Shape"]

PIECE: Final = 256
"""Tokens of a row that are read at once; windows are whole multiples."""

FUNCTIONS: Final = frozenset(
    {
        "llama_get_embeddings_seq",
        "llama_init_from_model",
        "llama_model_chat_template",
        "llama_model_get_vocab",
        "llama_model_load_from_file",
        "llama_vocab_is_eog",
    }
)
"""What older versions of the library lack, or call otherwise."""

_AUTOMATIC: Final = -1
_MEAN: Final = 1
_NO_POOLING: Final = 0


class Shape(NamedTuple):
    """How a run is laid out."""

    window: int
    """Tokens of a row."""
    rows: int
    threads: int
    cache_type: int
    attention: int
    embeddings: bool


class Model:
    """A loaded file, and how its tokens are text."""

    def __init__(self, library: Any, handle: Any) -> None:
        self.library, self.handle = library, handle
        self.vocabulary = library.llama_model_get_vocab(handle)
        self.room = int(library.llama_model_n_ctx_train(handle))
        self.size = int(library.llama_vocab_n_tokens(self.vocabulary))
        self.bos = int(library.llama_vocab_bos(self.vocabulary))
        self.eos = int(library.llama_vocab_eos(self.vocabulary))
        is_end = library.llama_vocab_is_eog
        self.ends = {one for one in range(self.size) if is_end(self.vocabulary, one)}
        found = library.llama_model_chat_template(handle, None)
        self.template = None if found is None else found.decode("utf-8", "replace")

    @classmethod
    def load(cls, library: Any, path: Path, *, gpu: bool) -> Self:
        """Load a file; raises `ReplayError("model_unavailable")`."""
        parameters = library.llama_model_default_params()
        parameters.n_gpu_layers = 2**31 - 1 if gpu else 0
        handle = library.llama_model_load_from_file(str(path).encode(), parameters)
        if not handle:
            raise ReplayError("model_unavailable", f"{shown(path)} cannot be loaded by llama.cpp")
        return cls(library, handle)

    def close(self) -> None:
        """Give its memory back."""
        if self.handle is not None:
            self.library.llama_model_free(self.handle)
            self.handle = None

    def tokens(self, text: str, *, templated: bool) -> list[int]:
        """The tokens of a prompt; of one made by a template special ones are in the text."""
        data = text.encode()
        room = len(data) + 8
        while True:
            found = (ctypes.c_int32 * room)()
            count = self.library.llama_tokenize(
                self.vocabulary, data, len(data), found, room, not templated, templated
            )
            if count >= 0:
                return list(found[:count])
            room = -count

    def text(self, ids: Sequence[int]) -> str:
        """The text of an output, without special tokens."""
        return b"".join(self._piece(one, special=False) for one in ids).decode("utf-8", "replace")

    def token(self, number: int) -> str:
        """The text of one token; of a special one its name."""
        return "" if number < 0 else self._piece(number, special=True).decode("utf-8", "replace")

    def _piece(self, number: int, *, special: bool) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = self.library.llama_token_to_piece(
                self.vocabulary, number, buffer, room, 0, special
            )
            if count >= 0:
                return buffer.raw[:count]
            room = -count


class Context:
    """One run: rows of equal tokens, of which the first counts."""

    def __init__(self, model: Model, shape: Shape) -> None:
        self._model, self._shape = model, shape
        self._position = 0
        self._handle = self._make(None)
        if shape.embeddings and self._library.llama_pooling_type(self._handle) == _NO_POOLING:
            self._library.llama_free(self._handle)
            self._handle = self._make(_MEAN)

    def __enter__(self) -> Self:
        """The context itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give its memory back."""
        self._library.llama_free(self._handle)

    def logits(self, new: Sequence[int]) -> Any:
        """Read tokens, and return the logits after them."""
        for start in range(0, len(new), PIECE):
            piece = new[start : start + PIECE]
            self._read(piece)
        found = self._library.llama_get_logits_ith(self._handle, len(piece) - 1)
        numpy: Any = import_module("numpy")
        return numpy.ctypeslib.as_array(found, shape=(self._model.size,)).copy()

    def embedding(self, tokens: Sequence[int]) -> list[float]:
        """Read a text, and return its pooled embedding."""
        self._read(tokens)
        found = self._library.llama_get_embeddings_seq(self._handle, 0)
        if not found:
            raise ReplayError("engine_failed", "llama.cpp gave no embedding")
        return [float(one) for one in found[: self._library.llama_model_n_embd(self._model.handle)]]

    @property
    def _library(self) -> Any:
        return self._model.library

    def _make(self, pooling: int | None) -> Any:
        shape, parameters = self._shape, self._library.llama_context_default_params()
        parameters.n_ctx = shape.window * shape.rows
        parameters.n_seq_max = shape.rows
        at_once = (shape.window if shape.embeddings else PIECE) * shape.rows
        parameters.n_batch = parameters.n_ubatch = at_once
        parameters.n_threads = parameters.n_threads_batch = shape.threads
        parameters.type_k = parameters.type_v = shape.cache_type
        if shape.attention != _AUTOMATIC and not hasattr(parameters, "flash_attn_type"):
            raise ReplayError("engine_failed", "this llama-cpp-python cannot choose attention")
        parameters.flash_attn_type = shape.attention
        parameters.embeddings = shape.embeddings
        if pooling is not None:
            parameters.pooling_type = pooling
        handle = self._library.llama_init_from_model(self._model.handle, parameters)
        if not handle:
            raise ReplayError("engine_failed", "llama.cpp made no context for the model")
        return handle

    def _read(self, tokens: Sequence[int]) -> None:
        count, rows = len(tokens), self._shape.rows
        batch = self._library.llama_batch_init(count * rows, 0, 1)
        try:
            batch.n_tokens = count * rows
            for row in range(rows):
                for place, token in enumerate(tokens):
                    index = row * count + place
                    batch.token[index] = token
                    batch.pos[index] = self._position + place
                    batch.n_seq_id[index] = 1
                    batch.seq_id[index][0] = row
                    batch.logits[index] = self._shape.embeddings or place == count - 1
            failed = self._library.llama_decode(self._handle, batch)
        finally:
            self._library.llama_batch_free(batch)
        if failed:
            raise ReplayError("engine_failed", f"llama.cpp did not read the tokens ({failed})")
        self._position += count
