"""The environment documents of local engines: what was found to change bits (specs/13 section 4).

Measured with small models on one machine with AVX-512: the bits of log-probabilities changed with
the number of threads, rows of a batch, dtype, attention implementation, PyTorch's instruction set,
and the variables `MKL_CBWR` and `ONEDNN_MAX_CPU_ISA`; tokens changed with dtype alone. Versions and
the processor are in it because libraries choose their code by them.

What names a person, a host or a folder is not.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any, Final

__all__ = ["ENGINE_VERSION", "machine", "of_llama_cpp", "of_torch"]

ENGINE_VERSION: Final = 1
"""To be raised with every change of these engines that changes an answer."""

_VARIABLES: Final = (
    "CUBLAS_WORKSPACE_CONFIG",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)
_INSTRUCTIONS: Final = re.compile(r"(amx|asimd|avx|bf16|f16c|fma|i8mm|s?sse|sve)[a-z0-9_]*")


def of_torch(
    torch: Any,
    *,
    weights: bytes,
    device: str,
    dtype: str,
    batch_size: int,
    attention: str,
    libraries: Iterable[str],
) -> dict[str, Any]:
    """Describe a run of PyTorch as it is set up now."""
    found = machine() | {
        "attention": attention,
        "batch_size": batch_size,
        "deterministic": bool(torch.are_deterministic_algorithms_enabled()),
        "device": device,
        "dtype": dtype,
        "engine": "transformers",
        "engine_version": ENGINE_VERSION,
        "instruction_set": str(torch.backends.cpu.get_cpu_capability()),
        "libraries": _versions(["numpy", "tokenizers", "torch", "transformers", *libraries]),
        "matmul_precision": str(torch.get_float32_matmul_precision()),
        "threads": int(torch.get_num_threads()),
        "threads_between": int(torch.get_num_interop_threads()),
        "torch_build": sha256(torch.__config__.show().encode()).hexdigest(),
        "weights": weights.hex(),
    }
    if device.startswith("cuda"):
        found["gpu"] = _gpu(torch, device)
    return found


def of_llama_cpp(
    library: Any,
    *,
    weights: bytes,
    threads: int,
    batch_size: int,
    dtype: str,
    attention: str,
    gpu: bool,
) -> dict[str, Any]:
    """Describe a run of llama.cpp; the binaries are named by digest, since builds differ."""
    return machine() | {
        "attention": attention,
        "batch_size": batch_size,
        "cache_dtype": dtype,
        "device": "gpu" if gpu else "cpu",
        "engine": "llama-cpp",
        "engine_version": ENGINE_VERSION,
        "instruction_set": _text(library.llama_print_system_info()),
        "libraries": _versions(["llama_cpp_python", "numpy"]),
        "binaries": _binaries(Path(library.__file__).parent / "lib"),
        "threads": threads,
        "weights": weights.hex(),
    }


def machine() -> dict[str, Any]:
    """What the processor is, and what steers the libraries from outside."""
    found: dict[str, Any] = {
        "machine": platform.machine(),
        "system": platform.system(),
    }
    about = _cpuinfo()
    name = about.get("model name")
    if name:
        found["processor"] = name
    words = (about.get("flags") or about.get("Features") or "").split()
    instructions = sorted({word for word in words if _INSTRUCTIONS.fullmatch(word)})
    if instructions:
        found["instructions"] = " ".join(instructions)
    variables = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    if variables:
        found["variables"] = variables
    return found


def _cpuinfo() -> dict[str, str]:
    """The first processor, where the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _gpu(torch: Any, device: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": str(torch.cuda.get_device_name(device))}
    major, minor = torch.cuda.get_device_capability(device)
    found["capability"] = f"{major}.{minor}"
    found["cuda"] = str(torch.version.cuda or torch.version.hip)
    found["cudnn"] = str(torch.backends.cudnn.version())
    found["tf32"] = bool(torch.backends.cuda.matmul.allow_tf32)
    try:
        driver = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        return found
    found["driver"] = driver
    return found


def _binaries(folder: Path) -> dict[str, str]:
    """The shared libraries by digest, each once: wheels hold copies under several names."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*")):
        if path.is_file():
            found.setdefault(sha256(path.read_bytes()).hexdigest(), path.name)
    return {name: digest for digest, name in found.items()}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip()
