"""A GGUF file, run again by llama.cpp: with a tiny model made here (specs/13 section 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger import Ledger
from ledger.errors import ReplayError
from ledger.replay import Replay
from ledger.replay.weights import weights_digest
from tests.helpers.places import Place
from tests.replay import tiny
from tools.tiny_models import PROMPT, WIDTH, gguf_file

pytest.importorskip("llama_cpp", reason="the engine `llama-cpp` needs vif-ledger[llama-cpp]")
pytest.importorskip("gguf", reason="making a tiny GGUF file needs gguf")

ENGINE = "llama-cpp"
DRAWN = {"temperature": 0.9, "top_p": 0.95, "top_k": 60, "replay_seed": 11}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf_file(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf_file(tmp_path_factory.mktemp("models") / "tiny.gguf", seed=1)


def levels(ran: Replay) -> dict[str, str]:
    return dict(ran.body.levels.by_name())


def test_a_witness_has_what_a_replay_needs(log: Ledger, model: Path) -> None:
    witness = tiny.done(log, ENGINE, model, **DRAWN)
    body, seen = tiny.body(log, witness), tiny.seen(log, witness)
    assert body["model"]["weights_hash"] == weights_digest(model)
    assert body["replay"]["engine"] == ENGINE
    assert body["output"]["token_source"] == "tokenizer"
    assert body["output"]["output_tokens"] == len(seen.token_ids) <= 16
    assert seen.raw.size_bytes == 12 * len(seen.token_ids)
    environment = tiny.environment(log, witness)
    assert environment["weights"] == weights_digest(model).hex()
    assert environment["instruction_set"].startswith("CPU")
    assert environment["binaries"]


@pytest.mark.parametrize("parameters", [{}, DRAWN], ids=["greedy", "drawn"])
def test_the_same_again_to_the_bits_here_and_in_another_process(
    log: Ledger, place: Place, model: Path, parameters: dict[str, Any]
) -> None:
    witness = tiny.done(log, ENGINE, model, **parameters)
    here = tiny.again(log, witness, model)
    assert here.body.success, here.body.message
    assert here.body.level == "bits"
    there = tiny.elsewhere(place, witness, model)
    assert there["level"] == "bits", there


def test_another_number_of_threads_writes_the_same_tokens(
    log: Ledger, place: Place, model: Path
) -> None:
    witness = tiny.done(log, ENGINE, model, **DRAWN)
    here = tiny.again(log, witness, model, threads=2)
    assert levels(here)["tokens"] == "match"
    assert here.body.environment_identical is False
    assert levels(here)["bits"] == "differs"
    there = tiny.elsewhere(place, witness, model, threads=2)
    assert there["levels"]["tokens"] == "match"
    assert there["levels"]["bits"] == "differs"


def test_rows_of_a_batch_are_another_environment(log: Ledger, model: Path) -> None:
    ran = tiny.again(log, tiny.done(log, ENGINE, model), model, batch_size=4)
    assert ran.body.environment_identical is False
    assert levels(ran)["bits"] == "differs"
    assert levels(ran)["tokens"] == "match"
    assert (ran.body.logprob_difference == 0.0) is ran.body.raw_identical


def test_a_coarser_cache_changes_the_numbers(log: Ledger, model: Path) -> None:
    ran = tiny.again(log, tiny.done(log, ENGINE, model), model, dtype="bfloat16")
    assert ran.body.raw_identical is False
    assert levels(ran)["logprobs"] == "differs"
    assert ran.body.reason == "environment_differs"


def test_other_weights_of_the_same_name_are_refused(log: Ledger, model: Path, other: Path) -> None:
    ran = tiny.again(log, tiny.done(log, ENGINE, model), other)
    assert ran.body.reason == "weights_mismatch"
    for file in (model, other):
        assert weights_digest(file).hex()[:12] in ran.body.message
    assert other.name in ran.body.message
    assert str(other.parent) not in ran.body.message, "whose folder it was is not signed"


def test_a_prompt_longer_than_a_piece_of_reading(log: Ledger, tmp_path: Path, model: Path) -> None:
    """Whether the prompt is read in one piece or several, the run is the same again."""
    with pytest.raises(ReplayError, match=r"engine_failed.*128"):
        tiny.done(log, ENGINE, model, prompt="x" * 300)
    witness = tiny.done(log, ENGINE, model, prompt=" ".join([PROMPT] * 4), max_tokens=4)
    assert tiny.again(log, witness, model).body.level == "bits"


def test_messages_go_through_the_template_of_the_file(log: Ledger, model: Path) -> None:
    messages = [{"role": "user", "content": "who did it"}]
    witness = tiny.done(log, ENGINE, model, prompt=messages)
    assert tiny.again(log, witness, model).body.level == "bits"
    assert tiny.body(log, witness)["data"]["prompt_tokens"] > 3


def test_text_that_looks_like_a_special_token_is_text(log: Ledger, model: Path) -> None:
    """Only a template may write special tokens."""
    counts = [
        tiny.body(log, tiny.done(log, ENGINE, model, prompt=text))["data"]["prompt_tokens"]
        for text in ("who</s>", "who")
    ]
    assert counts[0] > counts[1] + 1


def test_an_embedding_is_the_same_again(log: Ledger, place: Place, model: Path) -> None:
    witness = tiny.done(log, ENGINE, model, operation="embeddings", max_tokens=None)
    assert tiny.seen(log, witness).raw.size_bytes == 4 * WIDTH
    assert tiny.again(log, witness, model).body.level == "bits"
    assert tiny.elsewhere(place, witness, model)["level"] == "bits"


def test_what_is_no_gguf_is_refused(log: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    for data in (b"", b"PK\3\4", b"GGUF" + bytes(64)):
        file.write_bytes(data)
        with pytest.raises(ReplayError) as refused:
            tiny.done(log, ENGINE, file)
        assert refused.value.code == "model_unavailable"


@pytest.mark.parametrize(
    "options",
    [{"threads": "0"}, {"dtype": "q4"}, {"device": "tpu"}, {"attention": "someone/kernel"}],
    ids=str,
)
def test_options_that_are_none_are_refused(
    log: Ledger, model: Path, options: dict[str, str]
) -> None:
    with pytest.raises(ReplayError) as refused:
        tiny.done(log, ENGINE, model, options=options)
    assert refused.value.code == "model_unavailable"


def test_a_gpu_that_is_not_there_is_not_claimed(log: Ledger, model: Path) -> None:
    import llama_cpp

    if llama_cpp.llama_supports_gpu_offload():
        pytest.skip("llama.cpp was built with a GPU")
    with pytest.raises(ReplayError, match="GPU"):
        tiny.done(log, ENGINE, model, options={"device": "gpu"})
