"""What local engines are made of and needs no heavy library: weights at hand, prompts, folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import ReplayError
from ledger.formats.observation import environment
from ledger.model.archive import Media, media
from ledger.replay import Resources, Task
from ledger.replay.engine import names
from ledger.replay.engines import fingerprint, llama_cpp, transformers
from ledger.replay.engines.at_hand import choose
from ledger.replay.engines.chat import prompt_text
from ledger.replay.engines.folders import check_model, check_sentences
from ledger.replay.engines.sampling import Parameters, Sampler
from ledger.replay.engines.writing import Written, write
from ledger.replay.weights import weights_digest


def task(weights: bytes | None = None, **parameters: Any) -> Task:
    return Task("transformers", "chat", "small", media("Why?"), parameters, weights)


def refusal(code: str, call: Any, *arguments: Any) -> str:
    with pytest.raises(ReplayError) as error:
        call(*arguments)
    assert error.value.code == code
    return error.value.message


# Weights at hand


def test_the_digest_decides_which_weights_are_taken(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    found = choose(Resources(weights=[one, two]), task(weights_digest(two)), "a file")
    assert found.path == two


def test_without_weights_there_is_no_model() -> None:
    assert "small" in refusal("model_unavailable", choose, Resources(), task(bytes(32)), "a file")


def test_several_weights_and_no_digest_are_a_guess(tmp_path: Path) -> None:
    at_hand = Resources(weights=[tmp_path, tmp_path])
    assert "2 weights" in refusal("model_unavailable", choose, at_hand, task(), "a file")


def test_other_weights_are_named(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    said = refusal(
        "weights_mismatch", choose, Resources(weights=[one, two]), task(b"\xab" * 32), "a file"
    )
    assert "abababababab;" in said
    for file in (one, two):
        assert f"{file.name} ({weights_digest(file).hex()[:12]})" in said


def test_a_message_stays_short_and_utf8(tmp_path: Path) -> None:
    """It becomes part of a statement, which takes 4,096 bytes of UTF-8."""
    deep = Path(tmp_path, *["ü" * 100] * 9)
    deep.mkdir(parents=True)
    files = [deep / os.fsdecode(b"%d\xff" % number) for number in range(30)]
    for file in files:
        file.write_bytes(b"1")
    said = refusal("weights_mismatch", choose, Resources(weights=files), task(bytes(32)), "a file")
    assert len(said.encode()) < 4096
    assert "22 more" in said


def test_weights_that_cannot_be_read_may_be_the_ones(tmp_path: Path) -> None:
    """A mismatch is not claimed where one of the places could not be looked at."""
    (tmp_path / "one").write_bytes(b"1")
    at_hand = Resources(weights=[tmp_path / "nothing", tmp_path / "one"])
    assert "nothing" in refusal("model_unavailable", choose, at_hand, task(bytes(32)), "a file")


def test_progress_of_hashing_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    (tmp_path / "one").write_bytes(b"1" * 10)
    at_hand = Resources(weights=[tmp_path / "one"], progress=lambda *said: told.append(said))
    choose(at_hand, task(), "a file")
    assert told[-1] == ("hashing one", 10, 10)


# Prompts


MESSAGES = media([{"role": "user", "content": "Why <b>?"}])


def test_text_is_the_prompt_as_it_is() -> None:
    assert prompt_text(media("Why?"), "{{ x }}", {}, None) == ("Why?", False)


def test_messages_are_put_into_the_template() -> None:
    template = "{{ bos_token }}{% for m in messages %}{{ m | tojson }}{% endfor %}"
    found = prompt_text(MESSAGES, template, {"bos_token": "<s>"}, None)
    assert found == ('<s>{"content": "Why <b>?", "role": "user"}', True)


@pytest.mark.parametrize(
    "template",
    [
        None,
        "{{ raise_exception('roles alternate') }}",
        "{{ messages.__class__.__mro__[-1].__subclasses__() }}",
        "{% set x = messages.append(1) %}",
        "{% include '/etc/hostname' %}",
        "{{ 1 / 0 }}",
        "{% for",
        "{{ strftime_now('%Y') }}",
    ],
)
def test_templates_that_cannot_be_used(template: str | None) -> None:
    refusal("engine_failed", prompt_text, MESSAGES, template, {}, None)


def test_the_date_is_the_recorded_one() -> None:
    today = Parameters.of(task(other_params={"date": "2026-11-20"})).today
    assert prompt_text(MESSAGES, "{{ strftime_now('%d %b %Y') }}", {}, today).text == "20 Nov 2026"


@pytest.mark.parametrize(
    "content",
    [
        Media(b"\xff", "text/plain"),
        Media(b"{", "application/json"),
        Media(b'{"messages": []}', "application/json"),
        Media(b'["Why?"]', "application/json"),
    ],
    ids=lambda content: repr(content.data),
)
def test_prompts_that_are_none(content: Media) -> None:
    refusal("engine_failed", prompt_text, content, "{{ messages }}", {}, None)


# Parameters


def test_parameters_are_those_of_the_witness() -> None:
    found = Parameters.of(
        task(
            replay_seed=-3, temperature=0.5, max_tokens=9, other_params={"stop": "\n", "user": "u"}
        )
    )
    assert (found.seed, found.temperature, found.max_tokens, found.stop) == (-3, 0.5, 9, ("\n",))
    assert Parameters.of(task()).temperature == 0.0


@pytest.mark.parametrize(
    "other",
    [
        {"presence_penalty": 1.0},
        {"stop": [""]},
        {"stop": [7]},
        {"stop": 7},
        {"date": 7},
        {"date": "today"},
    ],
    ids=str,
)
def test_parameters_that_would_be_ignored_are_refused(other: dict[str, Any]) -> None:
    refusal("model_unavailable", Parameters.of, task(other_params=other))


# Tokens


def test_tokens_are_drawn_as_asked_for() -> None:
    numpy = pytest.importorskip("numpy", reason="choosing tokens needs numpy")
    logits = numpy.log([0.5, 0.25, 0.125, 0.125])

    def drawn(**parameters: Any) -> list[int]:
        sampler = Sampler(Parameters.of(task(**parameters)))
        return [sampler.choose(logits)[0] for _ in range(400)]

    assert set(drawn()) == {0}
    assert set(drawn(temperature=1.0)) == {0, 1, 2, 3}
    assert set(drawn(temperature=1.0, top_k=2)) == {0, 1}
    assert set(drawn(temperature=1.0, top_p=0.75)) == {0, 1}
    assert set(drawn(temperature=1.0, top_p=0.0)) == {0}
    assert set(drawn(temperature=1e-310)) == {0}
    assert drawn(temperature=1.0, replay_seed=1) == drawn(temperature=1.0, replay_seed=1)
    assert drawn(temperature=1.0, replay_seed=1) != drawn(temperature=1.0, replay_seed=-1)
    assert 160 < drawn(temperature=1.0).count(0) < 240


def test_the_sequence_of_a_seed_never_changes() -> None:
    """What was recorded has to come out again in years: raise ENGINE_VERSION if this changes."""
    numpy = pytest.importorskip("numpy", reason="choosing tokens needs numpy")
    sampler = Sampler(Parameters.of(task(temperature=1.0, replay_seed=7)))
    assert [sampler.choose(numpy.zeros(1000))[0] for _ in range(6)] == SEQUENCE


SEQUENCE = [951, 847, 927, 92, 838, 302]


def test_logprobs_are_those_of_the_model() -> None:
    numpy = pytest.importorskip("numpy", reason="choosing tokens needs numpy")
    logits = numpy.log([0.75, 0.25]) + 100.0
    chosen, logprob = Sampler(Parameters.of(task(temperature=0.1, top_k=1))).choose(logits)
    assert (chosen, logprob) == (0, pytest.approx(-0.2876820724517809, abs=1e-12))
    with pytest.raises(ReplayError, match="not finite"):
        Sampler(Parameters()).choose(numpy.array([numpy.nan, 1.0]))


class Letters:
    """Token n is the n-th letter."""

    def text(self, ids: Any) -> str:
        return "".join(map(self.token, ids))

    def token(self, number: int) -> str:
        return chr(ord("a") + number)


def writing(parameters: Parameters, room: int = 10, prompt: Any = (0,)) -> Written:
    numpy = pytest.importorskip("numpy", reason="choosing tokens needs numpy")
    place = iter(range(1, 100))
    return write(prompt, lambda new: numpy.eye(26)[next(place)], Letters(), parameters, {7}, room)


def test_writing_ends_where_it_should() -> None:
    ended = writing(Parameters())
    assert (ended.text, ended.finish_reason) == ("bcdefgh", "stop")
    cut = writing(Parameters(max_tokens=3))
    assert (cut.text, cut.finish_reason) == ("bcd", "length")
    full = writing(Parameters(), room=5)
    assert (full.text, full.finish_reason) == ("bcde", "length")
    stopped = writing(Parameters(stop=("de", "xyz")))
    assert (stopped.text, stopped.finish_reason, len(stopped.ids)) == ("bc", "stop", 4)
    assert writing(Parameters(max_tokens=0)).text == ""


def test_prompts_without_tokens_or_room_are_refused() -> None:
    refusal("engine_failed", writing, Parameters(), 10, ())
    refusal("engine_failed", writing, Parameters(), 3, (0, 0, 0))


# Folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "modules.json").write_text(
        '[{"type": "sentence_transformers.models.Transformer", "path": ""}]'
    )
    return tmp_path


def test_a_folder_of_tensors_may_be_loaded(folder: Path) -> None:
    check_model(folder)
    check_sentences(folder)


def test_a_folder_says_nothing_about_how_to_load_it(folder: Path) -> None:
    (folder / "sentence_bert_config.json").write_text('{"model_args": {"use_safetensors": false}}')
    assert "model_args" in refusal("model_unavailable", check_sentences, folder)


def test_folders_that_are_no_models(folder: Path, tmp_path: Path) -> None:
    refusal("model_unavailable", check_model, folder / "model.safetensors")
    (folder / "config.json").write_text("[]")
    refusal("model_unavailable", check_model, folder)
    (folder / "modules.json").unlink()
    refusal("model_unavailable", check_sentences, folder)
    (folder / "model.safetensors").rename(folder / "model.bin")
    assert "safetensors" in refusal("model_unavailable", check_model, folder)


# Environments and imports


def test_a_machine_is_described_without_saying_whose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    found = fingerprint.machine()
    assert json.loads(environment(found)) == found
    assert found["variables"]["MKL_CBWR"] == "COMPATIBLE"
    assert "hostname" not in found


def test_heavy_libraries_are_not_imported_with_the_modules() -> None:
    program = """
import sys
import ledger, ledger.replay, ledger.replay.recording
import ledger.replay.engines.transformers, ledger.replay.engines.llama_cpp
heavy = {"torch", "transformers", "llama_cpp", "sentence_transformers", "numpy", "safetensors"}
print(sorted(heavy & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ran.stdout == "[]\n", ran.stderr


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("transformers", "torch", "vif-ledger[transformers]"),
        ("llama_cpp", "llama_cpp", "vif-ledger[llama-cpp]"),
    ],
)
def test_a_missing_library_is_a_model_that_is_not_available(
    monkeypatch: pytest.MonkeyPatch, module: str, missing: str, extra: str
) -> None:
    """And not an error that ends the replay of everything else."""
    monkeypatch.setitem(sys.modules, missing, None)
    made = {"transformers": transformers.Transformers, "llama_cpp": llama_cpp.LlamaCpp}[module]
    with pytest.raises(ReplayError, match=missing) as error:
        made(Resources())
    assert error.value.code == "model_unavailable"
    assert extra in (error.value.hint or "")


@pytest.mark.parametrize("name", ["transformers", "llama-cpp"])
def test_the_engines_are_found_by_name(name: str) -> None:
    assert name in names()
