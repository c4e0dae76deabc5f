"""A folder of weights, run again on PyTorch: with a tiny model made here (specs/13 section 6)."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import Ledger
from ledger.errors import ReplayError
from ledger.formats.content import from_cbor
from ledger.replay import Replay, replay
from ledger.replay.weights import weights_digest
from tests.helpers.places import Place
from tests.replay import tiny
from tests.replay.lab import called
from tools.tiny_models import PROMPT, transformers_folder

for _name in ("torch", "transformers", "safetensors", "tokenizers"):
    pytest.importorskip(
        _name, reason=f"the engine `transformers` needs {_name}: vif-ledger[transformers]"
    )

ENGINE = "transformers"
DRAWN = {"temperature": 0.9, "top_p": 0.95, "top_k": 60, "replay_seed": 11}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformers_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformers_folder(tmp_path_factory.mktemp("models") / "tiny", seed=1)


def levels(ran: Replay) -> dict[str, str]:
    return dict(ran.body.levels.by_name())


# What is recorded


def test_a_witness_has_what_a_replay_needs(log: Ledger, model: Path) -> None:
    witness = tiny.done(log, ENGINE, model, **DRAWN)
    body, seen = tiny.body(log, witness), tiny.seen(log, witness)
    assert body["model"]["weights_hash"] == weights_digest(model)
    assert body["replay"]["engine"] == ENGINE
    assert {name: body["replay"][name] for name in DRAWN} == DRAWN
    assert body["capture"]["vantage"] == "hook"
    assert body["output"]["token_source"] == "tokenizer"
    assert body["output"]["output_tokens"] == len(seen.token_ids) <= 16
    assert body["output"]["finish_reason"] == "length"
    assert body["uncertainty"]["confidence_method"] == "logprobs"
    assert seen.raw.size_bytes == 12 * len(seen.token_ids)
    assert all(one <= 0.0 for one in seen.logprobs)
    environment = tiny.environment(log, witness)
    assert environment["weights"] == weights_digest(model).hex()
    assert (environment["threads"], environment["batch_size"]) == (1, 1)
    assert environment["dtype"] == "float32"
    assert environment["deterministic"] is True


def test_a_session_can_be_recorded_to(log: Ledger, model: Path) -> None:
    with log.session("tiny") as session:
        witness = tiny.done(session, ENGINE, model)  # type: ignore[arg-type]
    assert tiny.again(log, witness, model).body.level == "bits"


# The same again


@pytest.mark.parametrize("parameters", [{}, DRAWN], ids=["greedy", "drawn"])
def test_the_same_again_to_the_bits_here_and_in_another_process(
    log: Ledger, place: Place, model: Path, parameters: dict[str, Any]
) -> None:
    witness = tiny.done(log, ENGINE, model, **parameters)
    here = tiny.again(log, witness, model)
    assert here.body.success, here.body.message
    assert here.body.level == "bits"
    assert here.body.logprob_difference == 0.0
    there = tiny.elsewhere(place, witness, model)
    assert there["level"] == "bits", there


@pytest.mark.parametrize("parameters", [{}, DRAWN], ids=["greedy", "drawn"])
def test_another_number_of_threads_writes_the_same_tokens(
    log: Ledger, place: Place, model: Path, parameters: dict[str, Any]
) -> None:
    witness = tiny.done(log, ENGINE, model, **parameters)
    here = tiny.again(log, witness, model, threads=2)
    assert levels(here)["tokens"] == "match"
    assert here.body.environment_identical is False
    assert levels(here)["bits"] == "differs"
    assert here.body.reason == "environment_differs"
    there = tiny.elsewhere(place, witness, model, threads=2)
    assert there["levels"]["tokens"] == "match"
    assert there["levels"]["bits"] == "differs"


@pytest.mark.parametrize(
    "variables", [{"MKL_CBWR": "COMPATIBLE"}, {"ATEN_CPU_CAPABILITY": "default"}], ids=str
)
def test_other_instructions_of_the_processor_are_another_environment(
    log: Ledger, place: Place, model: Path, variables: dict[str, str]
) -> None:
    """Unless the processor has no others: then nothing is another."""
    witness = tiny.done(log, ENGINE, model)
    there = tiny.elsewhere(place, witness, model, variables)
    assert there["levels"]["tokens"] == "match"
    assert there["environment_identical"] is (there["levels"]["bits"] == "match")
    if "MKL_CBWR" in variables:  # which is itself part of the environment
        assert there["environment_identical"] is False


def test_the_seed_decides(log: Ledger, model: Path) -> None:
    seeds = (11, -11, 12)
    drawn = [
        tiny.seen(log, tiny.done(log, ENGINE, model, **(DRAWN | {"replay_seed": one})))
        for one in seeds
    ]
    assert len({one.token_ids for one in drawn}) == len(seeds)


# Not the same


@pytest.mark.parametrize("rows", [2, 8])
def test_rows_of_a_batch_are_another_environment(log: Ledger, model: Path, rows: int) -> None:
    ran = tiny.again(log, tiny.done(log, ENGINE, model), model, batch_size=rows)
    assert ran.body.environment_identical is False
    assert levels(ran)["bits"] == "differs"
    assert levels(ran)["tokens"] == "match"
    assert (ran.body.logprob_difference == 0.0) is ran.body.raw_identical


def test_a_coarser_dtype_changes_the_numbers(log: Ledger, model: Path) -> None:
    ran = tiny.again(log, tiny.done(log, ENGINE, model), model, dtype="bfloat16")
    assert ran.body.raw_identical is False
    assert levels(ran)["logprobs"] == "differs"
    assert levels(ran)["bits"] == "differs"
    assert ran.body.reason == "environment_differs"


def test_other_weights_of_the_same_name_are_refused(log: Ledger, model: Path, other: Path) -> None:
    witness = tiny.done(log, ENGINE, model)
    ran = tiny.again(log, witness, other)
    assert ran.body.reason == "weights_mismatch"
    assert ran.body.level == "archive"
    for folder in (model, other):
        assert weights_digest(folder).hex()[:12] in ran.body.message
    assert other.name in ran.body.message
    assert str(other.parent) not in ran.body.message, "whose folder it was is not signed"


def test_the_right_weights_are_found_among_others(log: Ledger, model: Path, other: Path) -> None:
    assert tiny.again(log, tiny.done(log, ENGINE, model), other, model).body.level == "bits"


def test_one_byte_of_the_weights_is_seen(log: Ledger, model: Path, tmp_path: Path) -> None:
    witness = tiny.done(log, ENGINE, model)
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert tiny.again(log, witness, copy).body.reason == "weights_mismatch"


def test_an_output_that_was_cut_is_found_at_its_end(log: Ledger, model: Path) -> None:
    """A record that says less than the model wrote."""
    whole = tiny.seen(log, tiny.done(log, ENGINE, model))
    text = "".join(whole.token_texts[:5])
    witness = log.record(
        model="tiny",
        prompt=PROMPT,
        output=text,
        engine=ENGINE,
        weights_hash=weights_digest(model),
        max_tokens=16,
        observation={
            "token_ids": list(whole.token_ids[:5]),
            "logprobs": list(whole.logprobs[:5]),
        },
    )
    ran = tiny.again(log, witness, model)
    assert levels(ran)["text"] == levels(ran)["tokens"] == "differs"
    assert ran.body.first_difference is not None
    assert ran.body.first_difference.token == 5


def test_fewer_tokens_are_the_beginning_of_more(log: Ledger, model: Path) -> None:
    few, many = (
        tiny.seen(log, tiny.done(log, ENGINE, model, max_tokens=number, **DRAWN))
        for number in (5, 12)
    )
    assert many.token_ids[:5] == few.token_ids
    assert many.logprobs[:5] == few.logprobs


def test_weights_that_change_while_they_are_loaded_are_refused(
    log: Ledger, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was hashed is what runs."""
    copy = Path(shutil.copytree(model, tmp_path / "copy"))

    @contextlib.contextmanager
    def meddling(library: object) -> Iterator[None]:
        yield
        (copy / "model.safetensors").touch()

    monkeypatch.setattr("ledger.replay.engines.transformers.quiet", meddling)
    with pytest.raises(ReplayError) as refused:
        tiny.done(log, ENGINE, copy)
    assert refused.value.code == "weights_mismatch"


def test_a_call_to_a_provider_can_be_tried_on_weights_at_hand(log: Ledger, model: Path) -> None:
    """Its messages go through the template; that the words differ is what comes out."""
    identifier = called(log, "who did it", "Somebody.", max_tokens=8, seed=3)
    (ran,) = replay(log, [identifier], engine=ENGINE, resources=tiny.at_hand(model))
    assert ran.body.engine == ENGINE
    assert ran.body.replayed is not None, ran.body.message
    assert levels(ran)["text"] == "differs"
    assert ran.body.reason == "environment_differs"


# Prompts and parameters


def test_an_output_ends_before_a_text_to_stop_at(log: Ledger, model: Path) -> None:
    whole = tiny.body(log, tiny.done(log, ENGINE, model))
    text = log.content(from_cbor(whole["output"]["output_hash"])).decode()
    stop = text[6:8]
    witness = tiny.done(log, ENGINE, model, stop=[stop])
    body = tiny.body(log, witness)
    said = log.content(from_cbor(body["output"]["output_hash"])).decode()
    assert said == text[: text.index(stop)]
    assert body["output"]["finish_reason"] == "stop"
    assert body["replay"]["other_params"] == {"stop": [stop]}
    assert tiny.again(log, witness, model).body.level == "bits"


def test_messages_go_through_the_template_of_the_weights(log: Ledger, model: Path) -> None:
    messages = [{"role": "user", "content": "who did it"}]
    witness = tiny.done(log, ENGINE, model, prompt=messages)
    plain = tiny.done(log, ENGINE, model, prompt="<s>user who did it</s>")
    assert tiny.seen(log, witness).token_ids == tiny.seen(log, plain).token_ids
    assert tiny.again(log, witness, model).body.level == "bits"


def test_a_prompt_without_room_is_refused(log: Ledger, model: Path) -> None:
    with pytest.raises(ReplayError, match=r"engine_failed.*128"):
        tiny.done(log, ENGINE, model, prompt="x" * 500)


def test_what_the_engine_does_not_know_is_refused(log: Ledger, model: Path) -> None:
    with pytest.raises(ReplayError, match="presence_penalty") as refused:
        tiny.done(log, ENGINE, model, presence_penalty=0.5)
    assert refused.value.code == "model_unavailable"


@pytest.mark.parametrize(
    "options",
    [
        {"threads": "many"},
        {"threads": "0"},
        {"dtype": "int8"},
        {"attention": "someone/kernel"},
        {"device": "cuda:99"},
        {"device": "nowhere"},
    ],
    ids=str,
)
def test_options_that_are_none_are_refused(
    log: Ledger, model: Path, options: dict[str, str]
) -> None:
    with pytest.raises(ReplayError) as refused:
        tiny.done(log, ENGINE, model, options=options)
    assert refused.value.code == "model_unavailable"


# What is not loaded


def test_pickles_are_not_loaded(log: Ledger, model: Path, tmp_path: Path) -> None:
    import torch

    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    (copy / "model.safetensors").unlink()
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(ReplayError, match="safetensors") as refused:
        tiny.done(log, ENGINE, copy)
    assert refused.value.code == "model_unavailable"


def test_code_among_the_weights_is_not_run(log: Ledger, model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    canary = tmp_path / "ran"
    (copy / "modeling_own.py").write_text(f"open({str(canary)!r}, 'w')\n")
    config = json.loads((copy / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "modeling_own.Own"}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ReplayError, match="code"):
        tiny.done(log, ENGINE, copy)
    tokenizer = json.loads((copy / "tokenizer_config.json").read_text())
    tokenizer |= {"auto_map": config.pop("auto_map"), "tokenizer_class": "Own"}
    tokenizer["auto_map"] = {"AutoTokenizer": ["modeling_own.Own", "modeling_own.Own"]}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ReplayError):
        tiny.done(log, ENGINE, copy)
    assert not canary.exists()


def test_an_adapter_of_other_weights_is_refused(log: Ledger, model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    (copy / "adapter_config.json").write_text('{"base_model_name_or_path": "elsewhere"}')
    with pytest.raises(ReplayError, match="adapter"):
        tiny.done(log, ENGINE, copy)
