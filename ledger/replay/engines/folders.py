"""What a folder of weights may hold before it is loaded: tensors, and no code.

Loaders follow what a folder says of itself: to pickles, to classes by name, to other weights
elsewhere. Only safetensors are loaded, and a folder that points at anything else is refused.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from ledger.errors import ReplayError
from ledger.formats.call import read_ijson
from ledger.replay.weights import shown

__all__ = ["check_model", "check_sentences", "is_sentences"]

_MODULES = frozenset(
    f"sentence_transformers.{place}.{name}"
    for place in ("models", "base.modules", "sentence_transformer.modules")
    for name in ("Transformer", "Pooling", "Normalize")
)


def check_model(folder: Path) -> None:
    """Refuse what is no model in safetensors; raises `ReplayError("model_unavailable")`."""
    if not folder.is_dir():
        raise _refused(folder, "is no folder of a model")
    if not any(folder.glob("*.safetensors")):
        raise _refused(folder, "has no weights in safetensors; others are not loaded")
    if (folder / "adapter_config.json").exists():
        raise _refused(folder, "is an adapter of other weights, which its digest says nothing of")
    config = _json(folder / "config.json")
    if not isinstance(config, dict):
        raise _refused(folder, "has no config.json that is an object")
    if "auto_map" in config:
        raise _refused(folder, "brings code of its own, which is not run")


def is_sentences(folder: Path) -> bool:
    """Whether it is a model of sentence embeddings."""
    return (folder / "modules.json").is_file()


def check_sentences(folder: Path) -> None:
    """Refuse a model of sentence embeddings made of other modules than pooling and norm.

    Raises `ReplayError("model_unavailable")`.
    """
    modules = _json(folder / "modules.json")
    if not isinstance(modules, list) or not modules:
        raise _refused(folder, "has no modules.json, which a model of sentence embeddings has")
    for one in modules:
        kind, place = (
            one.get(name) if isinstance(one, dict) else None for name in ("type", "path")
        )
        if kind not in _MODULES:
            raise _refused(
                folder, f"has a module {json.dumps(kind)[:100]}, which is not known here"
            )
        if not isinstance(place, str) or PurePosixPath(place).is_absolute() or ".." in place:
            raise _refused(folder, "has a module outside")
        if kind.endswith(".Transformer"):
            check_model(folder / place)
            said = _json(folder / place / "sentence_bert_config.json")
            options = [name for name in said or () if name.endswith(("_args", "_kwargs"))]
            if any(said[name] for name in options):  # how to load it is not for the folder to say
                raise _refused(folder, f"asks to be loaded with {options[0]}")


def _json(path: Path) -> Any:
    try:
        return read_ijson(path.read_bytes())
    except (OSError, ValueError):
        return None


def _refused(folder: Path, why: str) -> ReplayError:
    return ReplayError("model_unavailable", f"weights: {shown(folder)}: {why}")
