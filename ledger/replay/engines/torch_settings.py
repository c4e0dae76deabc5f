"""How PyTorch is set while an operation runs: so that the same comes out, and as asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ledger.errors import ReplayError
from ledger.replay.engine import Resources
from ledger.replay.engines.at_hand import option

__all__ = ["FAILURES", "Settings", "quiet", "settled"]

FAILURES = (
    AssertionError,  # PyTorch's way to say that it has no such device
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What loading weights that are not understood, or to a device that is not there, ends in."""

_ATTENTIONS = ("sdpa", "eager")
"""Both are PyTorch's own; any other name could stand for code to fetch."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of an engine that runs on PyTorch."""

    threads: int | None
    """As PyTorch chooses, if None."""
    batch_size: int
    device: str
    dtype: str
    attention: str

    @classmethod
    def of(cls, resources: Resources) -> Settings:
        """Read them; raises `ReplayError("model_unavailable")` for what is none."""
        given = resources.options
        attention = given.get("attention", _ATTENTIONS[0])
        if attention not in _ATTENTIONS:
            raise ReplayError(
                "model_unavailable", f"the option attention is {' or '.join(_ATTENTIONS)}"
            )
        return cls(
            option(resources, "threads"),
            option(resources, "batch_size") or 1,
            given.get("device", "cpu"),
            given.get("dtype", "auto"),
            attention,
        )

    def torch_dtype(self, torch: Any) -> Any:
        """The dtype for PyTorch, `auto` for that of the weights."""
        if self.dtype == "auto":
            return self.dtype
        found = getattr(torch, self.dtype, None)
        if not isinstance(found, torch.dtype) or not found.is_floating_point:
            raise ReplayError("model_unavailable", f"{self.dtype} is no dtype of weights")
        return found


@contextmanager
def settled(torch: Any, settings: Settings) -> Iterator[None]:
    """Set threads and deterministic algorithms, and put back what was set before."""
    cudnn = torch.backends.cudnn
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.get_float32_matmul_precision(),
        (cudnn.deterministic, cudnn.benchmark),
    )
    if settings.device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is not otherwise
    try:
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        torch.use_deterministic_algorithms(True)
        torch.set_float32_matmul_precision("highest")
        cudnn.deterministic, cudnn.benchmark = True, False
        with torch.inference_mode():
            yield
    finally:
        threads, enabled, warn_only, precision, (deterministic, benchmark) = before
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        torch.set_float32_matmul_precision(precision)
        cudnn.deterministic, cudnn.benchmark = deterministic, benchmark


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Keep Transformers from drawing bars on the terminal."""
    logging = transformers.utils.logging
    before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if before:
            logging.enable_progress_bar()
