"""Operations run again: what is checked first, what is compared, what is recorded (specs/13)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import ledger
from ledger import Ledger
from ledger.errors import LogError, ReplayError
from ledger.formats.content import from_cbor
from ledger.formats.observation import Observation, Raw
from ledger.model.archive import Media
from ledger.model.replay import LEVELS
from ledger.replay import Resources, Result, areplay, replay
from tests.helpers.places import Place
from tests.replay.lab import (
    PROMPT,
    Scripted,
    called,
    from_template,
    local,
    one,
    says,
)

RAW = Raw(bytes(32), 8)
OTHER = Raw(b"\x01" * 32, 8)
SEEN = Observation(token_ids=[1, 2, 3], logprobs=[-0.5, -0.25, -1.0], raw=RAW)
HERE = {"engine": "scripted", "threads": 1}
THREADS_2 = {"engine": "scripted", "threads": 2}
TEXT = "It is a raven."


def recorded(log: Ledger, **fields: Any) -> str:
    """An operation of which everything can be observed."""
    return local(log, TEXT, observation=SEEN.document(), environment=HERE, **fields)


def again(
    text: str = TEXT,
    ids: tuple[int, ...] = (1, 2, 3),
    logprobs: tuple[float, ...] = (-0.5, -0.25, -1.0),
    raw: Raw = RAW,
    environment: dict[str, Any] | None = None,
) -> Scripted:
    return Scripted(lambda task: says(text, ids, logprobs, raw, environment or HERE))


# Levels


def test_everything_the_same_is_the_same_to_the_bits(log: Ledger) -> None:
    ran = one(log, recorded(log), again(), wanted="bits")
    assert ran.body.success
    assert ran.body.level == "bits"
    assert set(ran.body.levels.by_name().values()) == {"match"}
    assert ran.body.reason is None
    assert ran.body.logprob_difference == 0.0


@pytest.mark.parametrize(
    ("engine", "level", "reason"),
    [
        (again(raw=OTHER), "logprobs", "output_differs"),
        (again(logprobs=(-0.5, -0.2501, -1.0), raw=OTHER), "tokens", "output_differs"),
        (again(logprobs=(-0.5, -0.25 - 1e-7, -1.0), raw=OTHER), "logprobs", "output_differs"),
        (
            again(environment=THREADS_2),
            "logprobs",
            "environment_differs",
        ),
        (again(ids=(1, 2, 4), raw=OTHER), "text", "output_differs"),
        (again(text="It is a ship.", ids=(1, 5, 3), raw=OTHER), "archive", "output_differs"),
    ],
    ids=["raw", "logprobs", "within epsilon", "environment", "tokens", "text"],
)
def test_the_level_reached_is_the_last_that_is_the_same(
    log: Ledger, engine: Scripted, level: str, reason: str
) -> None:
    ran = one(log, recorded(log), engine, wanted="bits")
    assert not ran.body.success
    assert (ran.body.level, ran.body.reason) == (level, reason)
    states = [ran.body.levels.by_name()[name] for name in LEVELS]
    assert states == sorted(states, key=["match", "differs"].index)


def test_where_two_runs_part_is_said_in_tokens_and_characters(log: Ledger) -> None:
    ran = one(log, recorded(log), again("It is a ship.", (1, 2, 9, 9), (-0.5, -0.25, -1.0, -2.0)))
    assert ran.body.first_difference is not None
    assert (ran.body.first_difference.token, ran.body.first_difference.character) == (2, 8)
    assert "token 2" in ran.body.message


def test_an_output_that_is_cut_off_parts_where_it_ends(log: Ledger) -> None:
    ran = one(log, recorded(log), again(text="It is", ids=(1, 2), logprobs=(-0.5, -0.25)))
    assert ran.body.first_difference is not None
    assert (ran.body.first_difference.token, ran.body.first_difference.character) == (2, 5)
    assert ran.body.logprob_difference is None


def test_what_an_engine_cannot_see_counts_neither_for_nor_against(log: Ledger) -> None:
    ran = one(log, recorded(log), Scripted(lambda task: says(TEXT)), wanted="tokens")
    assert (ran.body.level, ran.body.reason) == ("text", "not_observable")
    assert ran.body.levels.tokens == ran.body.levels.bits == "not_observable"
    assert one(log, recorded(log), Scripted(lambda task: says(TEXT))).body.success


def test_the_same_raw_output_elsewhere_is_recorded_and_is_not_bits(log: Ledger) -> None:
    ran = one(log, recorded(log), again(environment=THREADS_2))
    assert ran.body.success
    assert ran.body.levels.bits == "differs"
    assert ran.body.raw_identical is True
    assert ran.body.environment_identical is False


def test_json_outputs_are_compared_as_values(log: Ledger) -> None:
    from ledger.model.archive import JSON, Media

    identifier = local(log, {"b": 1.0, "a": [2]})  # type: ignore[arg-type]
    ran = one(log, identifier, Scripted(lambda task: Result(Media(b'{ "a":[2], "b":1 }', JSON))))
    assert ran.body.levels.text == "match"


def test_confidences_are_compared_where_both_are_of_logprobs(log: Ledger) -> None:
    tokens = [{"token": "x", "logprob": -0.5}]
    fields = {"logprobs": tokens, "observation": {"logprobs": [-0.5]}}
    ran = one(log, local(log, **fields), Scripted(lambda task: says(TEXT, logprobs=[-0.75])))
    assert ran.body.confidence_difference is not None
    assert ran.body.confidence_difference < 0
    stated = local(log, confidence=0.9, confidence_method="verbal")
    ran = one(log, stated, Scripted(lambda task: says(TEXT, logprobs=[-0.75])))
    assert ran.body.confidence_difference is None


# What is recorded


def test_each_run_is_a_signed_statement_with_what_came_out(log: Ledger) -> None:
    identifier = recorded(log)
    ran = one(log, identifier, again(text="Something else."))
    assert ran.receipt is not None
    entry = log.by_id(ran.receipt.id)
    assert entry.payload.type == "replay"
    assert [parent.id for parent in entry.payload.parents] == [identifier]
    body = entry.payload.body
    assert log.content(body["replayed"]["output"]) == b"Something else."
    witness = log.by_id(identifier).payload.body
    assert body["expected"]["output"] == witness["output"]["output_hash"]["sha256"]
    assert body["expected"]["environment"] == witness["replay"]["environment"]["sha256"]
    assert body["started_at"] <= body["ended_at"]


def test_nothing_is_recorded_when_asked_not_to(log: Ledger) -> None:
    identifier = recorded(log)
    size = len(log)
    ran = one(log, identifier, again(), record=False)
    assert ran.body.success
    assert ran.receipt is None
    assert len(log) == size


def test_runs_are_counted(log: Ledger) -> None:
    made = list(replay(log, [recorded(log)], engine=again(), runs=3, resources=Resources()))
    assert [(one.body.run.number, one.body.run.of) for one in made] == [(1, 3), (2, 3), (3, 3)]


def test_a_salted_ledger_compares_contents_and_not_their_digests(place: Place) -> None:
    place.init(salted=True)
    with place.open() as log:
        ran = one(log, recorded(log), again(), wanted="bits")
        assert ran.body.success
        assert ran.body.replayed is not None
        assert ran.body.replayed.output is not None
        assert ran.body.replayed.output.salted


def test_the_asynchronous_twin_does_the_same(log: Ledger) -> None:
    identifier = recorded(log)

    async def all_of_them() -> list[str]:
        found = areplay(log, [identifier], engine=again(), runs=2, resources=Resources())
        return [ran.body.level async for ran in found]

    assert asyncio.run(all_of_them()) == ["bits", "bits"]


def test_progress_is_told(log: Ledger) -> None:
    told: list[tuple[int, int]] = []
    names = [recorded(log), recorded(log)]
    list(replay(log, names, engine=again(), progress=lambda *seen: told.append(seen)))
    assert told == [(0, 2), (1, 2), (2, 2)]


# What is checked before anything runs


def refused(log: Ledger, identifier: str, engine: Any = None, **options: Any) -> str:
    """Replay something that is refused before it runs; returns the reason."""
    engine = engine or again()
    ran = one(log, identifier, engine, **options)
    assert not ran.body.success
    assert ran.body.replayed is None
    assert ran.receipt is not None
    assert ran.body.reason is not None
    if isinstance(engine, Scripted):
        assert engine.tasks == []
    return ran.body.reason


def test_a_prompt_that_follows_from_its_template_is_run(log: Ledger) -> None:
    engine = again()
    assert one(log, local(log, TEXT, **from_template()), engine).body.success
    assert engine.tasks[0].content.data.decode() == PROMPT


@pytest.mark.parametrize(
    "altered",
    [
        {"prompt_template": "Question: {{question}}!\n\n{{atoms}}"},
        {"prompt_variables": {"question": "What was it?"}},
        {"prompt_variables": {}},
        {"context_snapshot": {"atoms": {"a-1": "A raven.", "a-3": "A hoop."}}},
        {"context_snapshot": {"atoms": {"a-1": "A raven."}}},
        {"context_atom_ids": ["a-1", "a-2"]},
        {"context_atom_ids": ["a-3", "a-1"]},
        {"prompt_template": "{{atom.3}}"},
        {"prompt_template": b"\xff{{atoms}}"},
    ],
    ids=lambda altered: f"{next(iter(altered))}-{next(iter(altered.values()))!s:.30}",
)
def test_a_prompt_that_does_not_follow_is_refused(log: Ledger, altered: dict[str, Any]) -> None:
    """An altered template, variable or atom."""
    assert refused(log, local(log, TEXT, **from_template(**altered))) == "prompt_mismatch"


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("prompt_variables", b'{"question":7}'),
        ("prompt_variables", b"no JSON"),
        ("prompt_variables", b"[" * 100_000),
        ("context_snapshot", b'{"atoms":[]}'),
        ("context_snapshot", b'{"atoms":{"a-1":"A raven.","a-3":"A heap."},"more":1}'),
    ],
)
def test_what_a_template_is_filled_with_is_read_strictly(
    log: Ledger, field: str, content: bytes
) -> None:
    """Another program may have recorded it; it is long, so that it is archived by itself."""
    ref = log.archive(content.ljust(100_000), "application/json").ref
    assert refused(log, local(log, TEXT, **from_template(**{field: ref}))) == "prompt_mismatch"


def test_a_prompt_in_messages_contains_what_the_template_makes(log: Ledger) -> None:
    with log.session("lab/templates") as run:
        from tests.session.lab import answer, ask, do

        with run.about(**from_template()):
            do(run, ask(PROMPT), answer(TEXT))
        with run.about(**from_template(context_atom_ids=["a-2"])):
            do(run, ask(PROMPT + " "), answer(TEXT))
    good, bad = (entry.id for entry in log.find(type="witness"))
    assert one(log, good, again()).body.success
    assert refused(log, bad) == "prompt_mismatch"


def raw_request(**members: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Why?"}]
    return {"model": "m", "messages": messages, "seed": 7, "temperature": 0.5} | members


def test_a_prompt_that_the_request_does_not_hold_is_refused(log: Ledger) -> None:
    identifier = local(log, prompt="Why not?", request=raw_request(), engine=None)
    assert refused(log, identifier) == "prompt_mismatch"
    identifier = local(log, prompt="Why?", request=raw_request(), engine=None)
    assert one(log, identifier, again()).body.success


@pytest.mark.parametrize("field", [{"replay_seed": 8}, {"temperature": 0.25}])
def test_another_seed_than_the_request_has_is_refused(log: Ledger, field: dict[str, Any]) -> None:
    identifier = local(log, prompt="Why?", request=raw_request(), engine=None, **field)
    assert refused(log, identifier) == "parameters_mismatch"


def test_a_seed_that_was_not_sent_is_refused_where_the_request_was_captured(log: Ledger) -> None:
    messages = [{"role": "user", "content": "Why?"}]
    fields: dict[str, Any] = {"engine": None, "prompt": messages, "max_tokens": 9}
    fields |= {"request": raw_request(), "replay_seed": 7}
    assert refused(log, local(log, vantage="transport", **fields)) == "parameters_mismatch"
    assert one(log, local(log, TEXT, vantage="manual", **fields), again()).body.success


def test_other_tool_results_than_the_request_has_are_refused(log: Ledger) -> None:
    messages = [
        {"role": "user", "content": "Why?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "nothing"},
    ]
    fields = {"vantage": "transport", "engine": None, "prompt": messages, "tool_ids": ["look"]}
    fields["request"] = raw_request(messages=messages)
    honest = [{"id": "c1", "content": "nothing"}]
    assert one(log, local(log, TEXT, **fields, tool_results=honest), again()).body.success
    forged = [{"id": "c1", "content": "a raven"}]
    assert refused(log, local(log, TEXT, **fields, tool_results=forged)) == "tool_results_mismatch"


def test_erased_content_is_named(log: Ledger) -> None:
    identifier = recorded(log)
    log.erase(from_cbor(log.by_id(identifier).payload.body["data"]["prompt_hash"]), "asked to")
    ran = one(log, identifier, again())
    assert (ran.body.reason, ran.body.level) == ("content_missing", "none")
    assert ran.body.levels.archive == "differs"
    assert ran.body.message.startswith("prompt:")


def test_an_engine_that_is_not_installed_is_named(log: Ledger) -> None:
    assert refused(log, recorded(log), "acme") == "engine_unknown"
    identifier = local(log, engine="acme")
    ran = one(log, identifier)
    assert (ran.body.engine, ran.body.reason) == ("acme", "engine_unknown")


@pytest.mark.parametrize("code", ["model_unavailable", "weights_mismatch"])
def test_what_the_engine_refuses_is_named(log: Ledger, code: str) -> None:
    engine = again()
    engine.refusal = ReplayError(code, "not here")
    assert refused(log, recorded(log), engine) == code


def test_a_witness_that_does_not_say_what_was_asked_is_named(log: Ledger) -> None:
    identifier = log.record(model="m", prompt="2 + 2?", output="4").id
    ran = one(log, identifier)
    assert (ran.body.engine, ran.body.reason) == ("none", "not_recorded")


@pytest.mark.parametrize(
    "failure", [ReplayError("engine_failed", "broken"), ValueError("broken"), RecursionError()]
)
def test_an_engine_that_fails_is_said_and_the_others_go_on(log: Ledger, failure: Exception) -> None:
    names = [recorded(log, prompt="first"), recorded(log, prompt="second")]

    def give(task: Any) -> Result:
        if task.content.data == b"first":
            raise failure
        return says(TEXT)

    first, second = replay(log, names, engine=Scripted(give), resources=Resources())
    assert (first.body.reason, first.body.replayed) == ("engine_failed", None)
    if not isinstance(failure, ReplayError):
        assert first.failure is failure
        assert first.body.message == f"{type(failure).__name__} in the engine"
    assert second.body.success


@pytest.mark.parametrize(
    "result",
    [
        says(TEXT, environment={"load": 0.5}),
        Result(Media(b"x", "")),
        Result(Media(b"x", "text/plain\n")),
        Result(Media(b"x", "text/plain"), response=Media(b"x", "a" * 300)),
        Result(Media(b"x", "text/plain"), confidence=1.5),
        Result(Media("text", "text/plain")),  # type: ignore[arg-type]
        None,
    ],
)
def test_an_engine_that_gives_what_no_statement_can_say_has_failed(
    log: Ledger, result: Any
) -> None:
    ran = one(log, recorded(log), Scripted(lambda task: result))
    assert ran.body.reason == "engine_failed"


@pytest.mark.parametrize("code", ["output_differs", "not_observable", "package_invalid", "other"])
def test_an_engine_cannot_give_reasons_that_are_not_its_own(log: Ledger, code: str) -> None:
    engine = again()
    engine.refusal = ReplayError(code, "no\0 \udcff")
    ran = one(log, recorded(log), engine)
    assert ran.body.reason == "engine_failed"
    assert "\0" not in ran.body.message


def test_the_engine_archive_looks_and_runs_nothing(log: Ledger) -> None:
    ran = one(log, recorded(log), "archive", wanted="archive")
    assert (ran.body.success, ran.body.level) == (True, "archive")
    assert ran.body.levels.text == "not_run"
    ran = one(log, recorded(log), "archive")
    assert ran.body.reason == "not_observable"


def test_names_that_are_no_witness_are_refused_at_once(log: Ledger) -> None:
    identifier = recorded(log)
    with pytest.raises(LogError) as caught:
        replay(log, [identifier, "0"], engine=again())
    assert caught.value.code == "not_found"


def test_a_ledger_without_key_runs_nothing(place: Place) -> None:
    place.init()
    with place.open() as log:
        identifier = recorded(log)
    engine = again()
    with (
        ledger.open(place.path, keys=place.keys / "nowhere") as log,
        pytest.raises(LogError) as caught,
    ):
        one(log, identifier, engine)
    assert caught.value.code == "no_signer"
    assert engine.tasks == []


def test_a_captured_call_is_of_its_protocol(log: Ledger) -> None:
    engine = again(text="Because.")
    ran = one(log, called(log, seed=3), engine)
    assert ran.body.success
    (task,) = engine.tasks
    assert (task.protocol, task.path) == ("chat", "/v1/chat/completions")
    assert task.headers == {"content-type": "application/json"}
    assert b"Why?" in task.content.data
