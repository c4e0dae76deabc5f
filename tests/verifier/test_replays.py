"""Replays: what an auditor reads of honest ones, and every way to claim more than was reached."""

from __future__ import annotations

import copy
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.verifier import build
from tests.verifier.replayed import (
    ELSEWHERE,
    OBSERVED,
    REQUEST,
    Replays,
    answer,
    document,
    levels,
    story,
)
from tests.verifier.scene import Payload
from tests.verifier.test_operations import put
from tests.verifier.test_sessions import found, prune, verify
from verifier import BESIDE_MAX, Report, cbor, cose, verify_package
from verifier.bodies import BODIES
from verifier.content import REF_MARK
from verifier.errors import BadValue
from verifier.html import to_html
from verifier.text import to_text
from verifier.witness_body import witness_refs

Bend = Callable[[Payload], Any]
REVIEWER = build.Key(21, "reviewer")
THERE = "example.net/review"
UNSEEN = "replays: contents that are not at hand, or too large"


@pytest.mark.parametrize("salted", [False, True])
@pytest.mark.parametrize("kind", ["ledger", "session"])
def test_story_verifies(tmp_path: Path, kind: str, salted: bool) -> None:
    """Honest replays are verified whatever came out, and failures are noted for all to see."""
    scene = story(salted=salted)
    report = verify(scene, tmp_path, kind)
    notes = [("replay_failed", scene.at[step]) for step in ("other", "moved", "away")]
    assert found(report, "fail", "limit", "note") == notes
    assert [f["message"] for f in report.findings] == [
        "level archive, not text: output_differs",
        "level logprobs, not bits: environment_differs",
        "level archive, not text: model_unavailable",
    ]
    assert (report.exit_code, report.not_checked) == (0, [])
    assert (report.counts["replays"], report.counts["reproduced"]) == (6, 3)
    assert report.status("replay") == "verified"
    assert report.summaries["replay"] == "6 replays, 3 reproduced"
    assert report.replays == [
        {
            "kid": build.PRODUCER.kid.hex(), "name": "lab-producer", "own": True, "pinned": True,
            "genesis": scene.ledger.genesis.hex(), "replays": 6, "reproduced": 3,
            "witnesses": 2, "level": "archive",
        }
    ]  # fmt: skip


def test_without_replays_the_axis_does_not_apply(tmp_path: Path) -> None:
    """A package in which nothing was replayed is not the worse for it."""
    scene = Replays()
    scene.local()
    report = verify(scene, tmp_path)
    assert (report.exit_code, report.replays) == (0, [])
    assert report.status("replay") == "not_applicable"


# -- bodies ------------------------------------------------------------------------------------

FULL = story()
DIGEST = bytes(32)
BODY_ATTACKS: list[tuple[str, Bend]] = [
    ("api", put(version=2)),
    ("api", put(engine="two words")),
    ("api", put(wanted="exact")),
    ("api", put(success=False)),
    ("api", put(level="logprobs")),
    ("api", put(level="none")),
    ("api", put("levels", bits="maybe")),
    ("api", put("levels", bits=None)),
    ("api", put("levels", more="match")),
    ("api", put("levels", text="differs")),
    ("api", put("levels", text="not_run")),
    ("api", put("levels", archive="not_observable")),
    ("api", put("run", number=2)),
    ("api", put(run={"number": 0, "of": 1})),
    ("api", put(run={"number": 1, "of": 10_001})),
    ("api", put(engine="archive")),
    ("api", put(replayed=None)),
    ("api", put(reason="output_differs")),
    ("api", put(epsilon=None)),
    ("api", put(epsilon=-1.0)),
    ("api", put(logprob_difference=0.5)),
    ("api", put(raw_identical=None)),
    ("api", put(raw_identical=False)),
    ("api", put(environment_identical=False)),
    ("api", put(first_difference={"character": 1})),
    ("api", put(first_difference={"token": 1})),
    ("api", put(first_difference={})),
    ("api", put(confidence_difference=0.1)),
    ("api", put("replayed", confidence=0.5)),
    ("api", put("replayed", observation=None)),
    ("api", put("replayed", environment=None)),
    ("api", put("replayed", output=None)),
    ("api", put("expected", output=None)),
    ("api", put("expected", response=None)),
    ("api", put("expected", output=b"short")),
    ("api", put("expected", more=DIGEST)),
    ("api", put(message="\0")),
    ("api", put(started_at="2027-11-20T09:00:00.000000Z")),
    ("near", put(reason="output_differs")),
    ("near", put(logprob_difference=0.5)),
    ("other", put(first_difference=None, levels=levels(*"mmddd"), level="text")),
    ("other", put(reason=None)),
    ("other", put(reason="environment_differs")),
    ("other", put(reason="not_observable")),
    ("other", put(reason="engine_failed")),
    ("other", put(reason="bad_luck")),
    ("other", put(success=True, reason=None)),
    ("other", put("levels", bits="match")),
    ("moved", put(reason="output_differs")),
    ("moved", put("levels", bits="match")),
    ("looked", put(levels=levels(*"mmnnn"))),
    ("looked", put(success=False, reason="content_missing")),
    ("looked", put(levels=levels(*"dnnnn"), level="none", success=False, reason="not_recorded")),
    ("looked", put(levels=levels(*"dnnnn"), level="none", success=False, reason="not_observable")),
    ("looked", put(epsilon=0.5)),
    ("away", put(reason="not_observable")),
    ("away", put(reason=None)),
    ("away", put(replayed={})),
]


@pytest.mark.parametrize(("step", "bend"), BODY_ATTACKS)
def test_bodies_that_contradict_themselves(step: str, bend: Bend) -> None:
    """What a body says against itself is refused, and the honest one is not."""
    body = copy.deepcopy(FULL.body[step])
    BODIES["replay"](body)
    bend({"body": body})
    with pytest.raises(BadValue):
        BODIES["replay"](body)


BODY_HONEST: list[tuple[str, Bend]] = [
    ("api", put(run={"number": 10_000, "of": 10_000})),
    ("api", put("replayed", confidence=1.0)),
    ("looked", put(levels=levels(*"dnnnn"), level="none", success=False, reason="content_missing")),
    ("looked", put(wanted="text", success=False, reason="not_observable")),
    ("away", put(levels=levels(*"dnnnn"), level="none", reason="content_missing")),
    ("away", put(wanted="archive", success=True, reason=None)),
    ("away", put(reason="engine_failed", expected={})),
]


@pytest.mark.parametrize(("step", "bend"), BODY_HONEST)
def test_bodies_that_may_be(step: str, bend: Bend) -> None:
    """Bodies at the edge of the rules are taken."""
    body = copy.deepcopy(FULL.body[step])
    bend({"body": body})
    if "confidence" in body.get("replayed", {}):
        body["confidence_difference"] = body["replayed"]["confidence"] - 0.9
    BODIES["replay"](body)


@pytest.mark.parametrize("steps", [[], ["w_api", "w_local"]])
def test_a_replay_has_one_parent(tmp_path: Path, steps: list[str]) -> None:
    """A replay of nothing, or of two witnesses, is refused."""

    def change(p: Payload) -> None:
        p.pop("parents")
        if steps:
            p["parents"] = [FULL.ledger.named(FULL.at[name]) for name in steps]

    report = verify(story(bend={"looked": change}), tmp_path)
    assert ("body_invalid", FULL.at["looked"]) in found(report, "fail")
    assert report.counts["replays"] == 5


def test_fields_of_a_witness(tmp_path: Path) -> None:
    """What a witness records for a replay are references, in whatever package it is."""
    scene = Replays()
    scene.local(
        data={
            "prompt_hash": scene.ref(b"hi", "text/plain"),
            "prompt_template": scene.ref(b"{{x}}", "text/plain"),
            "prompt_variables": scene.ref(b'{"x":"hi"}'),
            "context_snapshot": scene.ref(b'{"atoms":{}}'),
        },
        output={"output_hash": scene.ref(b"o", "text/plain")},
    )
    report = verify(scene, tmp_path)
    assert found(report, "fail", "limit") == []
    assert report.counts["content_checked"] == 7
    for group, bend in (
        ("replay", {"engine": "two words"}), ("replay", {"observation": DIGEST}),
        ("replay", {"environment": {"a": 1}}), ("data", {"prompt_variables": "x"}),
        ("data", {"context_snapshot": [1]}),
    ):  # fmt: skip
        bent = Replays(bend={"w_local": put(group, **bend)})
        bent.local()
        assert ("body_invalid", 1) in found(verify(bent, tmp_path), "fail")


# -- what follows from the contents ------------------------------------------------------------


def ref(content: bytes, media_type: str = "application/json") -> Payload:
    return build.ref(content, media_type)


MISMATCHES: list[tuple[str, Bend, str]] = [
    # expected is what the witness has
    ("away", put("expected", output=DIGEST), "expected.output"),
    ("away", put("expected", request=DIGEST), "expected.request"),
    ("away", put("expected", response=DIGEST), "expected.response"),
    ("looked", put("expected", observation=None), "expected.observation"),
    ("looked", put("expected", environment=DIGEST), "expected.environment"),
    ("away", put("expected", observation=DIGEST), "expected.observation"),
    ("away", put("expected", confidence=0.5), "expected.confidence"),
    ("away", put("expected", confidence=None), "expected.confidence"),
    # a level that was not reached
    ("other", put(levels=levels(*"mmddd"), level="text", success=True, reason=None,
         first_difference={"token": 1}),
     "level text is differs, not match"),
    ("other", put(levels=levels(*"mddod"), epsilon=None, logprob_difference=None),
     "level logprobs is differs, not not_observable"),
    ("near", put(logprob_difference=0.0), "logprob_difference"),
    ("near", put(logprob_difference=None), "logprob_difference"),
    ("near", put(epsilon=0.001, logprob_difference=0.0), "level logprobs is differs, not match"),
    ("near", put(raw_identical=True), "raw_identical is True, not False"),
    ("moved", put(raw_identical=False), "raw_identical is False, not True"),
    ("moved", put(environment_identical=True, success=True, reason=None, level="bits",
                  levels=levels(*"mmmmm")), "environment_identical is True, not False"),
    ("other", put("first_difference", token=2), "first_difference.token is 2, not 1"),
    ("other", put("first_difference", character=0), "first_difference.character is 0, not 1"),
    ("other", put("first_difference", character=None), "first_difference.character is absent"),
    # one that differs where it does not
    ("near", put(levels=levels(*"mdddd"), level="archive", success=False,
                 reason="environment_differs", first_difference={"character": 0, "token": 0}),
     "level text is match, not differs"),
    ("near", put(levels=levels(*"mmddd"), level="text", success=False,
                 reason="environment_differs", first_difference={"token": 0}),
     "level tokens is match, not differs"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "bend", "words"), MISMATCHES)
def test_what_does_not_follow(step: str, bend: Bend, words: str, tmp_path: Path) -> None:
    """A replay that says otherwise than it compared is found, and is no evidence."""
    scene = story(bend={step: bend})
    report = verify(scene, tmp_path)
    assert found(report, "fail") == [("replay_mismatch", scene.at[step])]
    assert words in next(f["message"] for f in report.findings if f["severity"] == "fail")
    assert report.status("replay") == "failed"
    assert report.exit_code == 1
    assert report.replays[0]["replays"] == 5


def content(step: str, part: str, data: bytes, media_type: str = "application/json") -> Any:
    """A story in which a part of what was replayed is another content."""

    def make() -> Replays:
        s = story(bend={step: put("replayed", **{part: ref(data, media_type)})})
        s.ledger.content(data)
        return s

    return make


FORGED = [
    (content("api", "output", b"hello", "text/plain"), "api", "replayed.output is not that of"),
    (content("api", "response", answer("hello")), "api", "replayed.output is not that of"),
    (content("api", "response", answer("hello")), "api", "replayed.observation is not that of"),
    (content("api", "response", answer(system_fingerprint="x")), "api",
     "replayed.environment is not that of"),
    (content("api", "response", b"{}"), "api", "replayed.output is there, and is not in"),
    (content("api", "response", b"no JSON"), "api", "replayed.observation is there"),
    (content("near", "observation", b'{"token_ids": [1]}'), "near", "not an observation"),
    (content("near", "observation", b"{}"), "near", "an observation without a member"),
    (content("near", "environment", b"[]"), "near", "not an environment"),
    (content("near", "environment", document({"a": None})), "near", "not an environment"),
    (content("near", "output", b"a", "text/plain"), "near", "level text is differs, not match"),
    (content("near", "observation", document({"token_texts": ["a", "b"]})), "near",
     "level tokens is differs, not match"),
    (content("near", "observation", document({**OBSERVED, "token_ids": [5, 7, 10]})), "near",
     "level tokens is differs, not match"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "step", "words"), FORGED)
def test_contents_that_say_otherwise(
    make: Callable[[], Replays], step: str, words: str, tmp_path: Path
) -> None:
    """Archived contents are compared again, and answers read again."""
    scene = make()
    report = verify(scene, tmp_path)
    assert found(report, "fail") == [("replay_mismatch", scene.at[step])]
    assert any(words in f["message"] for f in report.findings), report.findings


def test_response_that_is_left_out(tmp_path: Path) -> None:
    """What an endpoint answered follows from its answer, or from nothing."""
    report = verify(story(bend={"api": put("replayed", response=None)}), tmp_path)
    text = next(f["message"] for f in report.findings if f["code"] == "replay_mismatch")
    assert text.count("follows from no response") == 3


def test_parent_that_is_no_witness(tmp_path: Path) -> None:
    """Only a witness can be replayed."""

    def change(p: Payload) -> None:
        p["parents"] = [FULL.ledger.named(FULL.at["api"])]

    scene = story(bend={"looked": change})
    report = verify(scene, tmp_path)
    assert found(report, "fail") == [("replay_mismatch", scene.at["looked"])]
    assert report.replays[0]["replays"] == 5


def test_text_is_json_where_both_are(tmp_path: Path) -> None:
    """Outputs in JSON are the same when their values are; as text they are not."""
    for kind, state in (("application/json", "m"), ("text/plain", "d")):
        s = Replays()
        s.local(output={"output_hash": s.ref(b'{"a": 1, "b": 2}', "application/x+json")})
        replayed = {"output": s.ref(b'{"b":2.0,"a":1}', kind)}
        more: Payload = {"replayed": replayed}
        if state == "d":
            more |= {"first_difference": {"character": 2}, "reason": "output_differs"}
        s.replay("r", "w_local", levels("m", state, *"ooo"), **more)
        assert found(verify(s, tmp_path), "fail") == []


def test_nothing_can_be_observed(tmp_path: Path) -> None:
    """What an engine does not show counts neither for nor against."""
    s = Replays()
    s.witness("w", replay={"engine": "llama-cpp"})
    s.replay("r", "w", levels(*"moooo"), replayed={}, reason="not_observable")
    assert found(verify(s, tmp_path), "fail") == []
    s = Replays()
    s.witness("w", replay={"engine": "llama-cpp"})
    replayed = {"output": s.ref(b"x", "text/plain"), "observation": s.ref(document(OBSERVED))}
    s.replay("r", "w", levels(*"moooo"), replayed=replayed, reason="not_observable")
    assert found(verify(s, tmp_path), "fail") == []


def test_expected_observation_that_is_none(tmp_path: Path) -> None:
    """A recorded observation that is not in its form says nothing."""
    s = Replays()
    s.local(observed={"token_ids": [1], "logprobs": [-1.0, -2.0]})
    more = {"environment_identical": True, "wanted": "tokens", "reason": "not_observable"}
    s.again("r", "mmooo", **more)
    assert found(verify(s, tmp_path), "fail") == []


@pytest.mark.parametrize("engine", ["openai", None])
def test_protocol_follows_from_the_call(engine: str | None, tmp_path: Path) -> None:
    """By the URL of the intent if it is at hand, otherwise by the request."""
    replay = {} if engine is None else {"replay": {"engine": engine}}
    s = Replays()
    s.called(**replay)
    s.api()
    assert found(verify(s, tmp_path), "fail") == []
    for url, codes in (("/v1/chat/completions?x=1", []), ("/v1/messages", ["replay_mismatch"])):
        s = Replays()
        s.open("open1", 1, {})
        s.intent("intent", None, url=f"https://api.example.org{url}",
                 request=s.ref(REQUEST))  # fmt: skip
        s.add("outcome", "outcome", {"status": "answered", "http_status": 200,
                                     "response": s.ref(answer())}, ["intent"])  # fmt: skip
        s.called(**replay)
        parent = s.ledger.named(s.at["outcome"])
        del s.at["w_api"]
        s.ledger.entries.pop(), s.ledger.ids.pop()
        seq, _ = s.ledger.streams[s.stream]
        s.ledger.streams[s.stream] = (seq - 1, build.leaf_hash(s.ledger.entries[-1]))
        s.at["w_api"] = s.ledger.add("witness", s.body["w_api"], stream=s.stream,
                                     session=s.session, parents=[parent])  # fmt: skip
        s.api()
        codes_found = [code for code, _ in found(verify(s, tmp_path), "fail") if "replay" in code]
        assert codes_found == codes


def test_answer_that_was_compressed(tmp_path: Path) -> None:
    """The encoding of a recorded answer is undone before it is read."""
    wire = gzip.compress(answer(), mtime=0)
    for encoding, codes, unseen in (("gzip", [], 0), ("br", [], 1), ("", ["replay_mismatch"], 0)):
        s = Replays()
        s.called()
        raw = {"request": s.ref(REQUEST), "response": s.ref(wire)}
        if encoding:
            raw["response_headers"] = {"content-encoding": encoding}
        s = Replays()
        s.ref(wire), s.ref(REQUEST)
        s.called(raw=raw)
        s.api()
        report = verify(s, tmp_path)
        assert [code for code, _ in found(report, "fail")] == codes
        assert report.not_checked == ([f"{UNSEEN} (1)"] if unseen else [])


def test_contents_that_are_withheld(tmp_path: Path) -> None:
    """Without contents no level can be judged, and the report says of how many."""
    report = verify(story(), tmp_path, withheld=True)
    assert report.exit_code == 3
    assert f"{UNSEEN} (4)" in report.not_checked
    assert found(report, "fail") == []
    lying = story(bend={"away": put("expected", output=DIGEST)})
    assert found(verify(lying, tmp_path, withheld=True), "fail") == [
        ("replay_mismatch", lying.at["away"])
    ]


def test_one_content_that_is_missing(tmp_path: Path) -> None:
    """What is at hand is judged, though something else is not."""
    bend = put("first_difference", token=2)
    scene = story(bend={"other": bend})
    del scene.ledger.contents[build.blake3("a\u00e8c".encode()).digest()]
    report = verify(scene, tmp_path)
    assert ("replay_mismatch", scene.at["other"]) in found(report, "fail")
    assert f"{UNSEEN} (1)" in report.not_checked


def test_too_much_to_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of comparing is bounded; what is left is counted."""
    monkeypatch.setattr("verifier.shelf.CONTEXT_WORK", 0)
    monkeypatch.setattr("verifier.shelf._TIMES", 0)
    report = verify(story(), tmp_path)
    assert f"{UNSEEN} (4)" in report.not_checked
    assert report.exit_code == 0


NOISE = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.floats(-2, 2), st.binary(max_size=3),
    st.sampled_from(["match", "differs", "text", "archive", "openai", "not_observable"]),
    st.just([]), st.just({}), st.just(ref(b"hi", "text/plain")), st.just(DIGEST),
)  # fmt: skip


@given(step=st.sampled_from(["api", "near", "other", "moved", "looked", "away"]), data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bent_member_is_answered(
    step: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever stands in a member of a replay, the answer is a report."""

    def change(p: Payload) -> None:
        place = p["body"]
        key = data.draw(st.sampled_from(sorted(place)))
        if isinstance(place[key], dict) and data.draw(st.booleans()):
            place = place[key]
            key = data.draw(st.sampled_from(sorted(place)))
        place[key] = data.draw(NOISE)

    scene = story(bend={step: change})
    build.write(build.package(scene.ledger), folder := tmp_path_factory.mktemp("bent"))
    report = verify_package(folder)
    codes = {code for code, _ in found(report, "fail")} - {"file_unexpected", "content_missing"}
    assert codes <= {"body_invalid", "replay_mismatch", "cbor_invalid"}
    json.loads(report.to_json())


def test_references_of_a_witness_in_order() -> None:
    """The quick list of a witness's references is what a walk over the statement finds."""
    scene = Replays()
    data = {
        key: scene.ref(key.encode())
        for key in ("prompt_hash", "prompt_template", "prompt_variables", "context_snapshot")
    }
    raw = {"request": scene.ref(b"q"), "response": scene.ref(b"a")}
    scene.local(data=data, raw=raw)
    p = cbor.decode(cose.parse(scene.ledger.entries[1])[1])
    refs = witness_refs(p["body"])
    assert refs == cbor.find_marked(p, REF_MARK)
    assert refs is not None
    assert len(refs) == 9


# -- operations --------------------------------------------------------------------------------


def operation(**given: Any) -> Any:
    """An operation whose calls were replayed, two of three with success."""
    from tests.verifier.combined import Combined, moment
    from tests.verifier.combined import story as combined

    s: Combined = combined(**given)
    names = ["w_think", "w_short", "w_again"]
    states = [levels(*"mnnnn"), levels(*"mnnnn"), levels(*"dnnnn")]
    for name, state in zip(names, states, strict=True):
        ok = state["archive"] == "match"
        body: Payload = {
            "version": 1, "engine": "archive", "wanted": "archive", "success": ok,
            "level": "archive" if ok else "none", "levels": state, "run": {"number": 1, "of": 1},
            "expected": {"confidence": 0.9}, "message": "", "started_at": moment(0),
            "ended_at": moment(0),
        }  # fmt: skip
        if not ok:
            body["reason"] = "content_missing"
        s.add(f"r_{name}", "replay", body, [name])
    row = {"replays": 1, "succeeded": 1, "level": "archive"}
    none: Payload = {"replays": 0, "succeeded": 0}
    stages = [
        {"stage": "insight", "label": "i", **row},
        {"stage": "transfer", "label": "t_short", **row},
        {"stage": "transfer", "label": "t_whole", **none},
        {"stage": "execution", "label": "e", **none},
        {"stage": "execution", "label": "e_again", "replays": 1, "succeeded": 0, "level": "none"},
    ]
    whole: Payload = {
        "version": 1, "operation": dict(s.operation), "wanted": "archive", "stages": stages,
        "checks": [{"name": "stages_fit", "passed": True}], "success": False, "message": "",
        "started_at": moment(0), "ended_at": moment(1),
    }  # fmt: skip
    s.add("whole", "replay_operation", whole, ["c", *(f"r_{name}" for name in names)])
    return s


@pytest.mark.parametrize("kind", ["ledger", "session"])
def test_operation_verifies(tmp_path: Path, kind: str) -> None:
    """An operation replayed stage by stage adds up."""
    scene = operation()
    report = verify(scene, tmp_path, kind)
    assert found(report, "fail", "limit") == []
    assert (report.exit_code, report.not_checked) == (0, [])
    assert report.counts["replays"] == 3


def named(*steps: str) -> Callable[[Any], Bend]:
    return lambda s: lambda p: p.update(parents=[s.ledger.named(s.at[name]) for name in steps])


def reproduced(p: Payload) -> None:
    """Say of the last stage, and so of the whole, that it came out the same."""
    p["body"]["stages"][4]["succeeded"] = 1
    p["body"]["success"] = True


WHOLES: list[tuple[str, Any, str]] = [
    ("whole", put("operation", number=2), "operation is not that of the cross_model"),
    ("whole", put(wanted="text"), "wanted is not that of parent 1"),
    ("whole", put("stages", 0, label="x"), "stages are not the steps"),
    ("whole", put("stages", 2, replays=1, level="archive"), "stage 2 (transfer t_whole) does not"),
    ("whole", reproduced, "stage 4 (execution e_again) does not"),
    ("whole", put("stages", 0, level="text"), "stage 0 (insight i) does not"),
    ("r_w_short", put(wanted="text", success=False, reason="not_observable"), "wanted is not"),
]


@pytest.mark.parametrize(("step", "bend", "words"), WHOLES)
def test_operation_that_does_not_add_up(step: str, bend: Bend, words: str, tmp_path: Path) -> None:
    """What the replay of an operation says of its replays is recomputed."""
    scene = operation(bend={step: bend})
    report = verify(scene, tmp_path)
    assert found(report, "fail") == [("replay_mismatch", scene.at["whole"])]
    assert any(words in f["message"] for f in report.findings)


PARENTS = [
    (["p", "r_w_think", "r_w_short", "r_w_again"], "the first parent is not a cross_model"),
    (["c", "w_think", "r_w_short", "r_w_again"], "parent 1 is not a replay"),
    (["c", "r_w_short", "r_w_think", "r_w_again"], "the replays are not in the order"),
    (["c", "r_w_think", "r_w_short"], "stage 4 (execution e_again) does not add up"),
]


@pytest.mark.parametrize(("steps", "words"), PARENTS)
def test_operation_with_other_parents(steps: list[str], words: str, tmp_path: Path) -> None:
    """Replays are those of the operation's calls, in the order of its stages."""
    scene = operation(bend={"whole": named(*steps)(operation())})
    report = verify(scene, tmp_path)
    assert found(report, "fail") == [("replay_mismatch", scene.at["whole"])]
    assert any(words in f["message"] for f in report.findings), report.findings


def test_replay_of_a_call_outside_of_the_operation(tmp_path: Path) -> None:
    """A replay of another call does not count for an operation."""

    def insert(s: Any) -> None:
        s.call("w_else", "strong", b"something else", None)

    honest = operation(insert={"c": insert})
    bend = {"r_w_short": lambda p: p.update(parents=[honest.ledger.named(honest.at["w_else"])])}
    scene = operation(insert={"c": insert}, bend=bend)
    report = verify(scene, tmp_path)
    assert found(report, "fail") == [("replay_mismatch", scene.at["whole"])]
    assert any("of no witness that a stage was made with" in f["message"] for f in report.findings)


def test_failed_check_is_no_success(tmp_path: Path) -> None:
    """Success means that every check passed, and that is said if it is so."""
    skip = ("r_w_again",)
    row = {"stage": "execution", "label": "e_again", "replays": 0, "succeeded": 0}

    def whole(success: bool, passed: bool) -> Bend:
        def change(p: Payload) -> None:
            p["body"]["stages"][4] = row
            p["body"]["success"] = success
            p["body"]["checks"][0]["passed"] = passed

        return change

    for success, passed, codes in (
        (True, True, []), (False, False, []),
        (True, False, ["body_invalid"]), (False, True, ["body_invalid"]),
    ):  # fmt: skip
        scene = operation(skip=skip, bend={"whole": whole(success, passed)})
        report = verify(scene, tmp_path)
        assert [code for code, _ in found(report, "fail")] == codes


WHOLE_BODIES: list[Bend] = [
    put(version=2), put(wanted="all"), put(stages=[]), put(checks=[]), put(success=None),
    put("stages", 0, level=None), put("stages", 2, level="text"), put("stages", 0, succeeded=2),
    put("stages", 0, stage="witness"), put(ended_at="2020-11-20T09:00:00.000000Z"), put(more=1),
    put("operation", number=0),
]  # fmt: skip


@pytest.mark.parametrize("bend", WHOLE_BODIES)
def test_bodies_of_operations(bend: Bend) -> None:
    """The table of a replay of an operation refuses what it does not name."""
    body = copy.deepcopy(operation().body["whole"])
    BODIES["replay_operation"](body)
    bend({"body": body})
    with pytest.raises(BadValue):
        BODIES["replay_operation"](body)


# -- evidence of others ------------------------------------------------------------------------


class Review:
    """A package, and one of somebody else who replayed from it in a ledger of their own."""

    def __init__(
        self, folder: Path, bend: dict[str, Bend] | None = None, own: bool = False, **given: Any
    ) -> None:
        self.folder = folder
        lab = self.lab = story() if own else Replays()
        if not own:
            lab.called()
            lab.local()
        prune(lab.ledger)
        self.here = folder / "here"
        build.write(build.package(lab.ledger), self.here)
        ledger = build.Ledger(origin=THERE, seed=9, producers=[REVIEWER])
        theirs = self.theirs = Replays(of=lab, ledger=ledger, session="review", bend=bend)
        theirs.api()
        theirs.again("near", "mmmmd", wanted="tokens", env=ELSEWHERE, epsilon=0.0,
                     logprob_difference=0.0, raw_identical=True,
                     environment_identical=False)  # fmt: skip
        theirs.replay("away", "w_local", levels(*"mnnnn"), reason="weights_mismatch")
        prune(ledger)
        self.files = build.package(ledger)
        self.there = folder / "there"
        build.write(self.files, self.there)

    def verify(self, beside: bool = True, pinned: bool = True, **given: Any) -> Report:
        lab, review = self.lab.ledger, self.theirs.ledger
        head = self.folder / "head.txt"
        head.write_bytes(review.checkpoint())
        trust, heads = [lab.genesis.hex()], [f"{len(lab.entries)}:{lab.root().hex()}"]
        if pinned:
            trust.append(review.genesis.hex())
            heads.append(str(head))
        others = [self.there] if beside else []
        return verify_package(
            self.here, trust=trust, known_head=heads, **{"beside": others, **given}
        )

    def evidence(self, **change: Any) -> dict[str, Any]:
        return {
            "kid": build.PRODUCER.kid.hex(), "name": "lab-producer", "own": False, "pinned": True,
            "genesis": self.theirs.ledger.genesis.hex(), "replays": 3, "reproduced": 2,
            "witnesses": 2, "level": "logprobs",
        } | change  # fmt: skip


def signed_by_the_reviewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a ledger of another origin adds be signed by the reviewer."""
    add = build.Ledger.add

    def signed(self: build.Ledger, kind: str, body: Payload, **given: Any) -> int:
        if self.origin == THERE and kind != "genesis":
            given = {**given, "key": REVIEWER}
        return add(self, kind, body, **given)

    monkeypatch.setattr(build.Ledger, "add", signed)


@pytest.fixture
def review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Review]:
    signed_by_the_reviewer(monkeypatch)
    return lambda **given: Review(tmp_path, **given)


def reviewer(r: Review, **change: Any) -> dict[str, Any]:
    return r.evidence(kid=REVIEWER.kid.hex(), name="reviewer", **change)


def test_evidence_of_a_reviewer(review: Callable[..., Review]) -> None:
    """Who replays in a ledger of their own is named with what they reached."""
    r = review()
    report = r.verify()
    assert found(report, "fail", "limit", "note") == []
    assert report.exit_code == 0
    assert report.replays == [reviewer(r)]
    assert report.status("replay") == "verified"
    assert report.summaries["replay"] == "evidence of 1 other key"
    assert report.counts["replays"] == 0
    other = report.beside[0] if report.beside else report
    assert (other.exit_code, other.counts["replays"], other.counts["reproduced"]) == (0, 3, 2)
    assert found(other, "fail", "limit") == []
    assert (other.replays, other.not_checked) == ([], [])
    line = (
        f"reproduced by key {REVIEWER.kid.hex()} (reviewer), ledger "
        f"{r.theirs.ledger.genesis.hex()}, at level logprobs: 2 of 3"
    )
    assert line in to_text(report)
    assert "<h2>Replays</h2>" in to_html(report)
    assert REVIEWER.kid.hex() in to_html(report)
    assert json.loads(report.to_json())["replays"] == report.replays


def test_own_evidence_comes_first(review: Callable[..., Review]) -> None:
    """The producer's own replays are told apart from those of others."""
    r = review(own=True)
    report = r.verify()
    assert [(one["own"], one["replays"]) for one in report.replays] == [(True, 6), (False, 3)]
    assert report.summaries["replay"] == "6 replays, 3 reproduced, evidence of 1 other key"
    text = to_text(report)
    assert text.index("reproduced by key " + build.PRODUCER.kid.hex()) < text.index(
        "reproduced by key " + REVIEWER.kid.hex()
    )


def test_review_by_itself(review: Callable[..., Review]) -> None:
    """Without the package that was replayed nothing can be compared, and that is said."""
    r = review()
    report = verify_package(
        r.there,
        trust=r.theirs.ledger.genesis.hex(),
        known_head=f"{len(r.theirs.ledger.entries)}:{r.theirs.ledger.root().hex()}",
    )
    assert report.exit_code == 0
    assert report.not_checked == ["replays of witnesses that are not at hand (3)"]
    assert report.status("replay") == "verified"
    assert report.replays == []


FORGERIES: list[tuple[str, Bend]] = [
    ("near", put("replayed", output=ref(b"something else", "text/plain"))),
    ("near", put(logprob_difference=None)),
    ("away", put("expected", output=DIGEST)),
    ("near", put(level="bits", levels=levels(*"mmmmm"), environment_identical=True)),
]


@pytest.mark.parametrize(("step", "bend"), FORGERIES)
def test_reviewer_who_claims_too_much(
    step: str, bend: Bend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forged replay fails its own package, counts for nothing, and harms no one else."""
    signed_by_the_reviewer(monkeypatch)
    add = Replays.again

    def archived(self: Replays, *args: Any, **given: Any) -> None:
        self.ref(b"something else", "text/plain")
        add(self, *args, **given)

    monkeypatch.setattr(Replays, "again", archived)
    r = Review(tmp_path, bend={step: bend})
    report = r.verify()
    assert report.beside is not None
    assert found(report.beside[0], "fail") == [("replay_mismatch", r.theirs.at[step])]
    assert report.beside[0].status("replay") == "failed"
    assert (report.beside[0].exit_code, report.exit_code) == (1, 0)
    assert report.replays == []


def test_package_of_a_reviewer_that_fails(review: Callable[..., Review]) -> None:
    """Nothing in a package that failed is evidence."""
    r = review()
    (r.there / "README.md").write_bytes(b"altered")
    report = r.verify()
    assert report.beside is not None
    assert report.beside[0].exit_code == 1
    assert (report.exit_code, report.replays) == (0, [])


def test_forgery_that_the_package_builds_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that names a parent in a package that was found out fails with it."""
    signed_by_the_reviewer(monkeypatch)
    bend = {"away": put("expected", output=DIGEST)}
    for bent, codes in (({}, []), (bend, ["outside_failed"])):
        r = Review(tmp_path / str(len(codes)), bend=bent)
        parent = r.lab.ledger.named(r.theirs.at["api"], r.theirs.ledger)
        body = {"kind": "reviewed"}
        r.lab.ledger.add("annotation", body, stream="notes", parents=[parent])
        shutil.rmtree(r.here)
        build.write(build.package(r.lab.ledger), r.here)
        assert [code for code, _ in found(r.verify(), "fail")] == codes


def test_own_replay_of_a_witness_elsewhere(review: Callable[..., Review]) -> None:
    """A reviewer's package is compared with that of the producer beside it, too."""
    r = review()
    ledger, lab = r.theirs.ledger, r.lab.ledger
    pins = {
        "trust": [ledger.genesis.hex(), lab.genesis.hex()],
        "known_head": f"{len(ledger.entries)}:{ledger.root().hex()}",
    }
    report = verify_package(r.there, beside=[r.here], **pins)
    assert (report.exit_code, report.not_checked) == (0, [])
    assert report.summaries["replay"] == "3 replays, 2 reproduced"
    assert report.replays == []  # nothing of its own was replayed
    forged = Review(r.folder / "forged", bend={"near": put(logprob_difference=None)})
    ledger = forged.theirs.ledger
    report = verify_package(forged.there, beside=[forged.here])
    assert ("replay_mismatch", forged.theirs.at["near"]) in found(report, "fail")


@pytest.mark.parametrize("kind", ["range", "unsigned"])
def test_replays_in_a_part(kind: str, tmp_path: Path) -> None:
    """Replays are judged in any part, as far as their witnesses are in it."""
    more: Payload = {"kind": "range"} if kind == "range" else {"kind": "session", "signed": False}
    scene = story(bend={"near": put(logprob_difference=0.0)})
    prune(scene.ledger)
    given = {"session": scene.session} if kind == "unsigned" else {}
    build.write(build.package(scene.ledger, **more, **given), tmp_path / "whole")
    report = verify_package(tmp_path / "whole")
    assert found(report, "fail") == [("replay_mismatch", scene.at["near"])]
    scene = story()
    prune(scene.ledger, scene.at["w_local"])
    build.write(build.package(scene.ledger, kind="range", start=2), tmp_path / "rest")
    report = verify_package(tmp_path / "rest")
    assert found(report, "fail") == []
    assert "replays of witnesses that are not at hand (2)" in report.not_checked
    assert report.replays[0]["replays"] == 4


def test_reviewer_who_is_not_pinned(review: Callable[..., Review]) -> None:
    """Anybody can make a ledger: the evidence is shown, and that nobody vouches for it."""
    r = review()
    report = r.verify(pinned=False)
    assert report.beside is not None
    assert (report.beside[0].exit_code, report.exit_code) == (3, 0)
    assert report.replays == [reviewer(r) | {"pinned": False}]
    assert ", which is not pinned, at level" in report.to_text()


# -- attachments -------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_attached_package(packed: bool, review: Callable[..., Review]) -> None:
    """A package in the folder `attachments/` is as one given beside; no manifest lists it."""
    r = review()
    place = r.here / "attachments"
    place.mkdir()
    name = "review.zip" if packed else "review"
    if packed:
        build.write_zip(r.files, place / name)
    else:
        shutil.copytree(r.there, place / name)
    report = r.verify(beside=False)
    assert found(report, "fail", "limit", "note") == []
    assert report.exit_code == 0
    assert report.replays == [reviewer(r)]
    assert report.beside is not None
    assert [one.package for one in report.beside] == [str(place / name)]
    assert "beside  " in to_text(report)


def test_attachments_come_after_those_given(review: Callable[..., Review]) -> None:
    """Two packages of one ledger cannot both be beside, wherever they come from."""
    r = review()
    shutil.copytree(r.there, r.here / "attachments" / "again")
    report = r.verify()
    assert [f["code"] for f in report.findings if f["severity"] == "fatal"] == ["usage"]
    assert report.beside is not None
    assert [Path(one.package).name for one in report.beside] == ["there", "again"]


def test_attachments_that_are_none(review: Callable[..., Review]) -> None:
    """Links and odd names are refused, what is no package cannot be read, all else is ignored."""
    r = review()
    place = r.here / "attachments"
    place.mkdir()
    assert r.verify(beside=False, pinned=False).exit_code == 0
    (place / "link").symlink_to(r.there)
    (place / "odd name").mkdir()
    report = r.verify(beside=False, pinned=False)
    assert sorted(f["code"] for f in report.findings) == ["link_refused", "name_invalid"]
    assert report.beside == []
    (place / "link").unlink()
    (place / "odd name").rmdir()
    (place / "empty").mkdir()
    report = r.verify(beside=False, pinned=False)
    assert report.exit_code == 2
    assert [f["code"] for f in report.findings if f["severity"] == "fatal"] == ["not_a_package"]


def test_folder_of_attachments_that_is_a_link(review: Callable[..., Review]) -> None:
    """The folder itself is no link, and a file of that name is not expected."""
    r = review()
    (r.folder / "far").mkdir()
    shutil.copytree(r.there, r.folder / "far" / "review")
    (r.here / "attachments").symlink_to(r.folder / "far")
    report = r.verify(beside=False, pinned=False)
    assert [f["code"] for f in report.findings] == ["link_refused"]
    (r.here / "attachments").unlink()
    (r.here / "attachments").write_bytes(b"")
    report = r.verify(beside=False, pinned=False)
    assert sorted(f["code"] for f in report.findings) == ["file_unexpected", "seal_mismatch"]


def test_too_many_attachments(review: Callable[..., Review]) -> None:
    """More packages than may be beside are refused, and only so many are looked at."""
    r = review()
    for n in range(BESIDE_MAX + 1):
        shutil.copytree(r.there, r.here / "attachments" / f"p{n:02d}")
    report = r.verify(beside=False, pinned=False)
    assert "package_invalid" in [f["code"] for f in report.findings]
    assert report.beside is not None
    assert len(report.beside) == BESIDE_MAX


def test_only_folders_have_attachments(review: Callable[..., Review]) -> None:
    """A zip with a folder of that name has files that nobody lists."""
    r = review()
    files = {str(p.relative_to(r.here)): p.read_bytes() for p in r.here.rglob("*") if p.is_file()}
    files["attachments/x/bagit.txt"] = b""
    file = build.write_zip(files, r.folder / "here.zip")
    report = verify_package(file)
    assert ("file_unexpected", None) in found(report, "fail")


def test_attachments_of_an_attachment_are_left_alone(review: Callable[..., Review]) -> None:
    """Only the first package has packages beside it."""
    r = review()
    place = r.here / "attachments" / "review"
    shutil.copytree(r.there, place)
    (place / "attachments" / "more").mkdir(parents=True)
    report = r.verify(beside=False)
    assert report.exit_code == 0
    assert report.beside is not None
    assert len(report.beside) == 1
