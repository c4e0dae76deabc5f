"""Fixtures of the capture tests: shared samples, a real ledger, Inspect logs made to order."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import log as ledger_log
from ledger.log import Ledger


@pytest.fixture
def theory_of_mind(shared: Path) -> Path:
    """A real Inspect log of 100 samples."""
    path = shared / "samples" / "theory-of-mind.eval"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


@pytest.fixture(params=[False, True], ids=["plain", "salted"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A real ledger, once with plain and once with salted references."""
    folder, keys = tmp_path / "ledger", tmp_path / "keys"
    ledger_log.init(folder, origin="example.org/lab", keys=keys, salted=request.param)
    with ledger_log.open(folder, keys=keys, session="s") as opened:
        yield opened


Writer = Callable[..., Path]


@pytest.fixture
def eval_log(tmp_path: Path) -> Writer:
    """Writes an `.eval` file of some samples; other members by keyword, None to leave one out."""

    def write(*samples: dict[str, Any], **members: Any) -> Path:
        header = {"version": 2, "eval": {"task": "arithmetic", "eval_id": "abc"}}
        summaries = [{"id": one.get("id"), "epoch": one.get("epoch")} for one in samples]
        documents: dict[str, Any] = {
            f"samples/{one.get('id')}_epoch_{one.get('epoch')}.json": one for one in samples
        }
        documents |= {"summaries.json": summaries, "header.json": header}
        for name, document in members.items():
            documents[name.replace("__", "/") + ".json"] = document
        path = tmp_path / "made.eval"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, document in documents.items():
                if document is not None:
                    text = document if isinstance(document, str) else json.dumps(document)
                    archive.writestr(name, text)
        return path

    return write
