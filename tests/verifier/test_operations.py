"""Cross-model operations: what an auditor reads of honest ones, and every way to cheat in one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier import build
from tests.verifier.combined import INSIGHT, SUMMARY, Combined, Payload, moment, prompt, story
from tests.verifier.scene import SESSION
from tests.verifier.test_sessions import found, prune, verify, verify_files
from verifier.bodies import BODIES
from verifier.errors import CODES, BadValue
from verifier.html import to_html

Bend = Callable[[Payload], Any]
OTHER = build.Key(9, "lab-second")


def put(*path: str | int, **members: Any) -> Bend:
    """A bend that sets members of the map at a path in the body; None takes one away."""

    def change(p: Payload) -> None:
        at = p["body"]
        for step in path:
            at = at[step]
        for name, value in members.items():
            if value is None:
                del at[name]
            else:
                at[name] = value

    return change


def parents(*steps: str, also: Bend | None = None) -> Callable[[Combined], Bend]:
    """A bend that names other parents, made when the scene is known."""

    def make(s: Combined) -> Bend:
        named = [s.ledger.named(s.at[name]) for name in steps]

        def change(p: Payload) -> None:
            p["parents"] = named
            if also is not None:
                also(p)

        return change

    return make


def bent(step: str, bend: Any, made: bool = False, **given: Any) -> Combined:
    """The story with one step bent; `made` says that the bend needs the scene."""
    if not made:
        return story(bend={step: bend}, **given)
    kept: list[Bend] = []
    honest = story(**given)
    kept.append(bend(honest))
    return story(bend={step: kept[0]}, **given)


@pytest.mark.parametrize("salted", [False, True])
@pytest.mark.parametrize("kind", ["ledger", "session"])
def test_story_verifies(tmp_path: Path, kind: str, salted: bool) -> None:
    """An honest operation is verified, counted, and nothing is left unchecked."""
    report = verify(story(salted=salted), tmp_path, kind)
    assert found(report, "fail", "limit", "note") == []
    assert report.exit_code == 0
    assert report.not_checked == []
    names = ("operations", "operations_open", "stages", "parents_outside")
    assert [report.counts[name] for name in names] == [1, 0, 5, 0]
    assert report.summaries["lineage"] == "21 links, 1 operation of 5 stages"
    assert report.summaries["policy"] == "5 witnesses, 5 stages"


ref = build.ref
ATTACKS: list[tuple[str, Bend, list[tuple[str, str]]]] = [
    # Calls of a stage (section 2).
    ("w_think", put("model", model_id="weak"), [("stage_mismatch", "i")]),
    ("w_think", put("model", system_fingerprint="other"), [("stage_mismatch", "i")]),
    ("w_think", put(operation="execute_tool"), []),  # no calls, so no model to compare with
    ("w_think", put("model", model_id="alias", requested_model="strong"), []),
    ("w_think", put("model", model_id="alias", actual_model="strong"), []),
    ("w_again", put("model", model_id="weak"), [("stage_mismatch", "e_again")]),
    ("w_answer", put("model", system_fingerprint=None), [("stage_mismatch", "e")]),
    # Usage (section 7).
    ("i", put("usage", operations=1), [("derivation_mismatch", "i"), ("derivation_mismatch", "c")]),
    ("w_think", put("cost", cost_usd=0.75), [("derivation_mismatch", "i")]),
    ("w_think", put("cost", tokens_used=7), [("derivation_mismatch", "i")]),
    ("w_think", put(cost=None), [("derivation_mismatch", "i")]),
    ("w_short", put("output", output_tokens=6, total_tokens=13),
     [("derivation_mismatch", "t_short")]),
    ("w_again", put(cost={"cost_usd": 0.0, "price_table": "p"}),
     [("derivation_mismatch", "e_again")]),
    # A transfer and its source (section 3).
    ("t_short", put("source", model_id="weak"), [("stage_mismatch", "t_short")]),
    ("t_short", put("source", model_version="2"), [("stage_mismatch", "t_short")]),
    ("t_short", put("source", model_version=None), [("stage_mismatch", "t_short")]),
    ("t_short", put("source", context=ref(b"hello")), [("stage_mismatch", "t_short")]),
    ("t_short", put("source", context=ref(b"a tool")), []),
    ("t_whole", put("content", media_type="text/x"), [("stage_mismatch", "t_whole")]),
    ("t_short", put(atoms=["a-3"]), [("stage_mismatch", "t_short")]),
    ("t_short", put(atoms=["a-1"]), []),
    ("t_short", put(atoms=["a-1", "a-2", "a-3"]), [("stage_mismatch", "t_short")]),
    ("t_short", put(atoms=["a-1", "a-2"]), [("derivation_mismatch", "t_short")]),
    ("t_short", put(atoms=None), [("derivation_mismatch", "t_short")]),
    ("t_short", put(completeness=None),
     [("derivation_mismatch", "t_short"), ("part_mismatch", "c")]),
    ("t_short", put(compression_ratio=2.0), [("derivation_mismatch", "t_short")]),
    ("t_short", put(compression_ratio=None), [("derivation_mismatch", "t_short")]),
    ("t_whole", put(completeness=0.5),
     [("derivation_mismatch", "t_whole"), ("part_mismatch", "c")]),
    # An execution and its transfers (section 4).
    ("t_whole", put("target", model_id="dear"), [("stage_mismatch", "e")]),
    ("t_whole", put("target", model_version="3"), [("stage_mismatch", "e")]),
    ("t_whole", put("target", model_version=None), []),
    ("t_whole", put("target", context=ref(b"the question")), [("stage_mismatch", "e")]),
    ("w_again", put("data", prompt_hash=ref(b"the question")),
     [("context_mismatch", "e_again")]),
    ("w_answer", put("data", prompt_hash=ref(b"the question")), [
        ("stage_mismatch", "e"), ("context_mismatch", "e")]),
    # Times.
    ("i", put(ended_at=moment(999)),
     [("stage_times", "t_short"), ("stage_times", "t_whole"), ("derivation_mismatch", "c")]),
    ("e_again", put(started_at=moment(0)), [("stage_times", "e_again")]),
    # A provenance and its steps (section 5).
    ("p", put("steps", 1, label="t_other"), [("part_mismatch", "p")]),
    ("p", put("steps", 1, stage="insight"), [("part_mismatch", "p")]),
    ("p", put("operation", number=2),
     [("operation_open", "p"), ("part_mismatch", "p"), ("part_mismatch", "c")]),
    ("i", put("operation", name="other"),
     [("operation_open", "i"), ("part_mismatch", "p"), ("part_mismatch", "c")]),
    ("i", put(label="other"), [("part_mismatch", "p")]),
    # A combination repeats its parts (section 6).
    ("c", put("insights", 0, model_id="cheap"), [("part_mismatch", "c")]),
    ("c", put("insights", 0, model_version=None), [("part_mismatch", "c")]),
    ("c", put("insights", 0, confidence=0.95), [("part_mismatch", "c")]),
    ("c", put("executions", 1, quality=0.5), [("part_mismatch", "c")]),
    ("c", put("transfers", 0, passed=2, failed=0), [("part_mismatch", "c")]),
    ("c", put("transfers", 1, completeness=None), [("part_mismatch", "c")]),
    ("c", put("transfers", 0, quality=0.9), [("part_mismatch", "c")]),
    # Numbers of the combination from its stages (section 7).
    ("c", put("cost", operations=6), [("derivation_mismatch", "c")]),
    ("c", put("cost", priced=1), [("derivation_mismatch", "c")]),
    ("c", put("cost", tokens=7), [("derivation_mismatch", "c")] * 2),
    ("c", put("cost", tokens=None, cost_per_token_usd=None), [("derivation_mismatch", "c")]),
    ("c", put("cost", "breakdown", insight=0.25), [("derivation_mismatch", "c")] * 2),
    ("c", put("quality", "components", insight=0.85), [("derivation_mismatch", "c")] * 2),
    ("c", put("quality", "components", transfer=None), [("derivation_mismatch", "c")] * 2),
    ("c", put(confidence=0.85), [("derivation_mismatch", "c")]),
    ("c", put(confidence=None, confidence_band=None), [("derivation_mismatch", "c")]),
    ("c", put(started_at=moment(1)), [("derivation_mismatch", "c")] * 2),
    ("c", put(ended_at=moment(99)), [("derivation_mismatch", "c")] * 2),
    # Numbers of the combination from itself.
    ("c", put(confidence_band="A"), [("derivation_mismatch", "c")]),
    ("c", put(confidence_band=None), [("derivation_mismatch", "c")]),
    ("c", put(duration_ms=1.0), [("derivation_mismatch", "c")]),
    ("c", put("quality", overall=0.7), [("derivation_mismatch", "c")]),
    ("c", put("quality", degradation=None), [("derivation_mismatch", "c")]),
    ("c", put("quality", preservation=1.0), [("derivation_mismatch", "c")]),
    ("c", put("cost", total_usd=0.5), [("derivation_mismatch", "c")]),
    ("c", put("cost", optimised_usd=None), [("derivation_mismatch", "c")]),
    ("c", put("cost", reduction_percent=99.0), [("derivation_mismatch", "c")]),
    ("c", put("cost", effectiveness=0.1), [("derivation_mismatch", "c")]),
    ("c", put("cost", efficiency=0.1), [("derivation_mismatch", "c")]),
    ("c", put("cost", cost_per_token_usd=0.1), [("derivation_mismatch", "c")]),
    ("c", put("cost", cost_per_quality_point_usd=None), [("derivation_mismatch", "c")]),
    ("c", put(replay={"runs": 4, "succeeded": 3}), [("derivation_mismatch", "c")]),
    ("c", put(replay={"runs": 4, "succeeded": 3, "success_rate": 0.75}), []),
    ("c", put(replay={"runs": 0, "succeeded": 0}), []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "bend", "wanted"), ATTACKS, ids=[f"{n}-{a[0]}" for n, a in enumerate(ATTACKS)]
)
def test_attack_is_named(
    tmp_path: Path, step: str, bend: Bend, wanted: list[tuple[str, str]]
) -> None:
    """What is bent gives its code at its statement, and nothing else is wrongly reported."""
    scene = bent(step, bend)
    report = verify(scene, tmp_path)
    honest = [(code, scene.at[where]) for code, where in wanted]
    got = [one for one in found(report, "fail", "note") if not one[0].startswith("content_")]
    assert sorted(got) == sorted(honest)


PARENTS: list[tuple[str, Callable[[Combined], Bend], list[tuple[str, str]]]] = [
    ("t_short", parents("w_think", "i", "w_short"), [("stage_mismatch", "t_short")]),
    ("t_whole", parents("t_short"), [("stage_mismatch", "t_whole")]),
    ("e_again", parents("w_again"), [("stage_mismatch", "e_again")]),
    ("e_again", parents("t_short", "w_answer", "w_again"), []),  # built on, and paid elsewhere
    ("e_again", parents("t_short", "w_answer", "w_again", also=put(made_with=2)),
     [("derivation_mismatch", "e_again")]),
    ("e_again", parents("t_short", "w_again", "w_answer"), [("derivation_mismatch", "e_again")]),
    ("e_again", parents("w_again", "t_short"),
     [("derivation_mismatch", "e_again"), ("context_mismatch", "e_again")]),
    ("e_again", parents("w_again", "t_short", also=put(made_with=2)), []),
    ("p", parents("i", "t_whole", "t_short", "e", "e_again"),
     [("part_mismatch", "p"), ("stage_order", "p"), ("part_mismatch", "c")]),
    ("p", parents("i", "w_short", "t_whole", "e", "e_again"),
     [("part_mismatch", "p"), ("part_mismatch", "c"), ("part_dropped", "t_short")]),
    ("c", parents("i", "t_whole", "t_short", "e", "e_again", "p"), [("part_mismatch", "c")]),
    ("c", parents("i", "t_short", "t_whole", "e_again", "e", "p"), [("part_mismatch", "c")]),
    ("c", parents("t_short", "i", "t_whole", "e", "e_again", "p"), [("part_mismatch", "c")]),
    ("c", parents("i", "t_short", "t_whole", "e", "p", "e_again"),
     [("part_mismatch", "c")]),
    ("c", parents("i", "t_short", "t_whole", "e", "e_again", "w_think"),
     [("part_mismatch", "c")]),
]  # fmt: skip


@pytest.mark.parametrize(("step", "bend", "wanted"), PARENTS)
def test_other_parents_are_named(
    tmp_path: Path, step: str, bend: Callable[[Combined], Bend], wanted: list[tuple[str, str]]
) -> None:
    """Parents that are exchanged, reordered or of another type are found, at the right place."""
    scene = bent(step, bend, made=True)
    report = verify(scene, tmp_path)
    assert sorted(found(report, "fail", "note")) == sorted(
        (code, scene.at[where]) for code, where in wanted
    )


def invent(p: Payload) -> None:
    p["parents"][0]["leaf_hash"] = bytes(32)


@pytest.mark.parametrize(
    ("step", "codes"),
    [("i", ["parent_missing"]), ("t_whole", ["parent_missing"]), ("e", ["parent_missing"]),
     ("p", ["parent_missing", "part_missing", "part_mismatch", "part_dropped"]),
     ("c", ["parent_missing", "part_missing", "part_mismatch", "part_dropped"])],
)  # fmt: skip
def test_invented_parents(tmp_path: Path, step: str, codes: list[str]) -> None:
    """A part that is not in the log is missing, and what cannot be judged without it is not."""
    scene = story(bend={step: invent})
    report = verify(scene, tmp_path)
    assert {code for code, _ in found(report, "fail")} == set(codes)
    where = {f["code"]: f["index"] for f in report.findings}
    assert where["parent_missing"] == scene.at[step]
    if "part_missing" in codes:
        assert where["part_missing"] == scene.at[step]
        assert where["part_dropped"] == scene.at["i"]
        message = next(f["message"] for f in report.findings if f["code"] == "part_missing")
        assert "insight" in message
    assert report.not_checked == []


def test_invalid_stage_gives_no_second_finding(tmp_path: Path) -> None:
    """A stage whose body is invalid is one finding; what rests on it is not judged."""
    for step in ("w_think", "i", "t_short", "p", "c"):
        scene = story(bend={step: put(extra=1)})
        report = verify(scene, tmp_path)
        assert found(report, "fail", "note") == [("body_invalid", scene.at[step])]
        assert report.not_checked == []


def test_forged_signature_is_one_finding(tmp_path: Path) -> None:
    """A stage that another key signed is found where it is, and its operation still adds up."""
    scene = story()
    at = scene.at["i"]
    entry = bytearray(scene.ledger.entries[at])
    entry[-1] ^= 1
    files = build.package(scene.ledger)
    name = next(path for path in files if "/entries/" in path)
    files[name] = files[name].replace(bytes(scene.ledger.entries[at]), bytes(entry))
    report = verify_files(files, scene, tmp_path)
    codes = {code for code, index in found(report, "fail") if index == at}
    assert {"signature_invalid", "leaf_mismatch"} <= codes


@pytest.mark.parametrize("last", ["i", "t_whole", "e", "e_again", "p"])
def test_open_operation_is_noted(tmp_path: Path, last: str) -> None:
    """An operation that was interrupted is verified, counted as open, and named."""
    steps = ["i", "w_short", "t_short", "t_whole", "w_answer", "e", "w_again", "e_again", "p", "c"]
    scene = story(skip=tuple(steps[steps.index(last) + 1 :]))
    report = verify(scene, tmp_path)
    assert found(report, "fail", "limit", "note") == [("operation_open", scene.at["i"])]
    assert report.exit_code == 0
    assert [report.counts[n] for n in ("operations", "operations_open")] == [0, 1]
    assert report.summaries["lineage"].endswith(", 1 open")


def test_operation_that_was_gone_on_with(tmp_path: Path) -> None:
    """After a crash another stream goes on; only stages of one stream are compared in time."""

    def resume(s: Combined) -> None:
        s.stream += "/again"
        s.tick = 0

    report = verify(story(insert={"t_whole": resume}), tmp_path)
    assert found(report, "fail", "limit", "note") == []
    assert report.exit_code == 0


def again(step: str) -> Callable[[Combined], None]:
    """Add a copy of a step."""

    def add(s: Combined) -> None:
        s.add("double", s.kind[step], s.body[step], s.named[step])

    return add


@pytest.mark.parametrize(
    ("step", "after", "codes"),
    [
        ("i", "i", ["operation_duplicate", "part_dropped"]),
        ("e", "c", ["operation_duplicate", "part_dropped"]),
        ("t_whole", "e", ["operation_duplicate", "part_dropped"]),
        ("p", "p", ["operation_duplicate"]),
        ("c", "c", ["operation_duplicate"]),
    ],
)
def test_duplicate_is_named(tmp_path: Path, step: str, after: str, codes: list[str]) -> None:
    """A second stage of one label, a second chain, a second combination: at the later one."""
    scene = story(insert={after: again(step)})
    report = verify(scene, tmp_path)
    got = [one for one in found(report, "fail", "note") if one[0] != "stage_times"]
    assert sorted(got) == sorted((code, scene.at["double"]) for code in codes)


def extra(s: Combined) -> None:
    s.work("i_late", "insight", "strong", "another thing", [])


@pytest.mark.parametrize("after", ["i", "e_again", "p", "c"])
def test_stage_left_out_is_dropped(tmp_path: Path, after: str) -> None:
    """A stage that the combination leaves out is named, whether it came before or after it."""
    scene = story(insert={after: extra})
    report = verify(scene, tmp_path)
    assert found(report, "fail", "note") == [("part_dropped", scene.at["i_late"])]


def test_stage_of_another_operation(tmp_path: Path) -> None:
    """A transplanted stage belongs to another operation; that one still has it."""

    def other(s: Combined) -> None:
        s.operation = {"name": "review", "number": 2}
        s.work("i_other", "insight", "strong", INSIGHT, ["w_think", "w_tool"],
               model_version="strong-fp")  # fmt: skip
        s.operation = {"name": "review", "number": 1}

    honest = story(insert={"i": other})
    there = honest.ledger.named(honest.at["i_other"])

    def change(p: Payload) -> None:
        p["parents"][0] = there
        p["body"]["steps"][0]["label"] = "i_other"

    scene = story(insert={"i": other}, bend={"p": change})
    report = verify(scene, tmp_path)
    assert sorted(found(report, "fail", "note")) == sorted(
        [
            ("operation_open", scene.at["i_other"]),
            ("part_dropped", scene.at["i"]),
            ("part_mismatch", scene.at["p"]),
            ("part_mismatch", scene.at["c"]),
        ]
    )


def test_same_name_in_another_session_is_another_operation(tmp_path: Path) -> None:
    """Operations are told apart by session, and a statement without one has its own."""
    ledger = build.Ledger()
    first = story(ledger=ledger)
    second = story(ledger=ledger, session="other/one")
    report = verify(second, tmp_path)
    assert found(report, "fail", "limit", "note") == []
    assert report.counts["operations"] == 2
    part = verify(first, tmp_path, "session")
    assert found(part, "fail", "note") == []
    assert part.counts["operations"] == 1


def test_operation_without_session(tmp_path: Path) -> None:
    """An operation needs no session."""

    class Plain(Combined):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.plain = True

    scene = Plain()
    scene.work("i", "insight", "m", "x", [])
    report = verify(scene, tmp_path)
    assert found(report, "fail", "limit", "note") == [("operation_open", scene.at["i"])]


def test_stage_of_another_session_is_joined(tmp_path: Path) -> None:
    """A stage that another session ran keeps its own label and operation there."""
    ledger = build.Ledger()
    theirs = story(ledger=ledger, session="other/one")
    mine = Combined(ledger=ledger)
    mine.operation = {"name": "second", "number": 7}
    mine.join("far", theirs, "i", ledger=False)
    mine.transfer("t", "cheap", ["far"])
    mine.call("w", "cheap", f"see: {INSIGHT}".encode())
    mine.work("e", "execution", "cheap", "done", ["t", "w"])
    claims = {"status": "verified", "chain_verified": True, "lineage_verified": True}
    mine.provenance("p", ["far", "t", "e"], claims=claims)
    mine.combine("c", "p")
    report = verify(mine, tmp_path)
    assert found(report, "fail", "limit", "note") == []
    assert report.counts["operations"] == 2
    own = [i for i, e in enumerate(ledger.entries) if build.payload(e).get("session") == SESSION]
    prune(ledger, own[0])
    part = verify(mine, tmp_path, "session")
    # What the other session holds is not in this package, and so not judged.
    assert [one[0] for one in found(part, "fail", "note")] == ["parent_outside"] * 3
    assert part.counts["parents_outside"] == 3
    assert "rules of operations over statements that are not at hand (1)" in part.not_checked


def test_nested_operation(tmp_path: Path) -> None:
    """An operation inside a stage counts with its own numbers."""

    def outer(s: Combined) -> None:
        s.operation = {"name": "outer", "number": 1}
        s.call("w_outer", "boss", b"sum up", 1.0)
        s.work("i_outer", "insight", "boss", "all of it", ["w_outer", "c"])
        s.transfer("t_outer", "cheap", ["i_outer"])
        s.call("w_last", "cheap", b"use all of it", 0.5)
        s.work("e_outer", "execution", "cheap", "fine", ["t_outer", "w_last"])
        s.provenance("p_outer", ["i_outer", "t_outer", "e_outer"])
        s.combine("c_outer", "p_outer")

    scene = story(insert={"c": outer})
    report = verify(scene, tmp_path)
    assert found(report, "fail", "limit", "note") == []
    assert report.counts["operations"] == 2
    usage = scene.body["i_outer"]["usage"]
    assert usage["operations"] == 1 + scene.body["c"]["cost"]["operations"]
    bad = story(insert={"c": outer}, bend={"i_outer": put("usage", operations=20)})
    report = verify(bad, tmp_path)
    assert found(report, "fail") == [
        ("derivation_mismatch", bad.at["i_outer"]),
        ("derivation_mismatch", bad.at["c_outer"]),
    ]


def test_operation_that_is_built_on_is_not_paid_again(tmp_path: Path) -> None:
    """A combination counts in a stage that it is inside of, and in none that only rests on it."""

    def outer(made_with: int, **bend: Bend) -> Combined:
        def add(s: Combined) -> None:
            s.operation = {"name": "outer", "number": 1}
            s.call("w_outer", "boss", b"sum up", 1.0)
            s.work("i_outer", "insight", "boss", "all of it", ["c", "w_outer"], made_with)

        return story(insert={"c": add}, bend=bend)

    for made_with, operations in ((1, 1), (2, 6)):
        scene = outer(made_with)
        assert scene.body["i_outer"]["usage"]["operations"] == operations
        note = ("operation_open", scene.at["i_outer"])
        assert found(verify(scene, tmp_path), "fail", "limit", "note") == [note]
        scene = outer(made_with, i_outer=put(made_with=3 - made_with))
        wrong = ("derivation_mismatch", scene.at["i_outer"])
        assert found(verify(scene, tmp_path), "fail") == [wrong]


@pytest.mark.parametrize("salted", [False, True])
def test_what_is_built_on_is_no_call_and_no_context(tmp_path: Path, salted: bool) -> None:
    """Witnesses that a stage merely builds on are neither counted nor asked for anything."""
    s = Combined(salted=salted)
    s.call("w_old", "other", b"an older question", 8.0)
    s.work("i", "insight", "strong", INSIGHT, ["w_old"], 0)
    s.call("w_think", "strong", b"a question", 0.5)
    s.work("i2", "insight", "strong", "more", ["w_old", "i", "w_think"], 1)
    s.transfer("t", "cheap", ["i", "w_old", "w_think"], made_with=1)
    s.transfer("t_all", "cheap", ["i", "w_old", "w_think"], made_with=0)
    s.call("w", "cheap", f"use {INSIGHT}".encode(), 0.25)
    s.work("e", "execution", "cheap", "done", ["w_old", "t", "t_all", "w_think", "w"], 1)
    s.work("e2", "execution", "cheap", "done", ["w_think", "t", "w"], 2)  # one inside of it
    counts = {name: s.body[name]["usage"]["operations"] for name in ("i", "i2", "t", "t_all", "e")}
    assert counts == {"i": 0, "i2": 1, "t": 1, "t_all": 0, "e": 1}
    s.provenance("p", ["i", "i2", "t", "t_all", "e", "e2"])
    s.combine("c", "p")
    report = verify(s, tmp_path)
    assert found(report, "fail", "limit", "note") == []
    assert report.not_checked == []


@pytest.mark.parametrize(
    ("kind", "model", "named", "made_with", "codes"),
    [
        # Its calls.
        ("insight", "cheap", ["w_none"], 1, ["stage_mismatch"]),
        ("insight", "cheap", ["w_none"], 0, []),
        ("insight", "cheap", ["w_has", "w_none"], 1, ["stage_mismatch"]),
        ("insight", "cheap", ["w_has", "w_none"], 2, []),
        ("execution", "cheap", ["w_has", "t", "w_both"], 1, ["stage_mismatch"]),
        ("execution", "cheap", ["t", "w_has", "w_both"], 2, []),
        # Its contexts.
        ("execution", "cheap", ["t", "w_has"], 1, []),
        ("execution", "cheap", ["t", "w_has"], 0, ["context_mismatch"]),
        ("execution", "cheap", ["w_has", "t", "w_own"], 1, ["context_mismatch"]),
        ("execution", "cheap", ["t", "w_own", "w_has"], 2, []),
        # A transfer may well be inside of an execution; it is one of its parents.
        ("execution", "cheap", ["t", "w_has"], 2, []),
        ("execution", "cheap", ["w_has", "t"], 1, ["context_mismatch"]),
        # The context of a target.
        ("execution", "cheap", ["w_has", "t_told", "w_own"], 1,
         ["stage_mismatch", "context_mismatch"]),
        ("execution", "cheap", ["t_told", "w_has", "w_own"], 2, []),
    ],
)  # fmt: skip
def test_calls_and_contexts_are_of_what_a_stage_was_made_with(
    tmp_path: Path, kind: str, model: str, named: list[str], made_with: int, codes: list[str]
) -> None:
    """A witness that is built on stands for no call and no context; one inside does."""
    s = Combined()
    asked = s.ref(f"use {INSIGHT}".encode(), "text/plain")
    s.work("i", "insight", "strong", INSIGHT, [])
    s.transfer("t", "cheap", ["i"])
    s.transfer("t_told", "cheap", ["i"], target={"model_id": "cheap", "context": asked})
    s.call("w_has", "cheap", f"use {INSIGHT}".encode())
    s.call("w_own", "cheap", b"anything else")
    s.call("w_none", "other", b"anything else")
    s.call("w_both", "other", f"also use {INSIGHT}".encode())
    s.work("x", kind, model, "done", named, made_with)
    report = verify(s, tmp_path)
    assert sorted(found(report, "fail")) == sorted((code, s.at["x"]) for code in codes)


@pytest.mark.parametrize(("made_with", "codes"), [(1, []), (0, ["stage_mismatch"])])
def test_context_of_a_source(tmp_path: Path, made_with: int, codes: list[str]) -> None:
    """What a source builds on is not what its model was given."""
    s = Combined()
    s.call("w", "strong", b"a question")
    s.work("i", "insight", "strong", INSIGHT, ["w"], made_with)
    question = s.body["w"]["data"]["prompt_hash"]
    s.transfer("t", "cheap", ["i"], source={"model_id": "strong", "context": question})
    report = verify(s, tmp_path)
    assert found(report, "fail") == [(code, s.at["t"]) for code in codes]


def test_times_are_of_what_a_stage_builds_on(tmp_path: Path) -> None:
    """A stage starts after the stages that it builds on had ended; those inside come later."""
    for made_with in (0, 1, 2):
        s = Combined()
        s.work("i", "insight", "strong", INSIGHT, [])
        s.call("w", "strong", b"a question")
        s.work("i2", "insight", "strong", "more", ["i", "w"], made_with, started_at=moment(0))
        wrong = [("stage_times", s.at["i2"])] if made_with < 2 else []
        assert found(verify(s, tmp_path), "fail") == wrong


NUMBERS = [
    ("i", 2, True), ("i", 1, False), ("i", 3, None), ("i", 0, False), ("i", 2**63 - 1, None),
    ("t_short", 1, True), ("t_short", 0, False), ("t_short", 2, None), ("t_short", 3, None),
    ("t_whole", 0, True), ("t_whole", 1, None),
    ("e", 1, True), ("e", 3, True), ("e", 4, None), ("e_again", 2, True), ("e_again", 3, None),
    *((step, value, None) for step in ("i", "t_short", "e")
      for value in (-1, 2**63, "1", 1.0, True, [], {})),
    *((step, None, None) for step in ("i", "t_short", "e")),
]  # fmt: skip


@pytest.mark.parametrize(("step", "value", "good"), NUMBERS)
def test_number_of_parents_that_a_stage_was_made_with(
    tmp_path: Path, step: str, value: Any, good: bool | None
) -> None:
    """It is a count, always there, of at most all parents, and never the source of a transfer."""
    scene = bent(step, put(made_with=value))
    report = verify(scene, tmp_path)
    at = scene.at[step]
    if good is None:
        assert found(report, "fail", "note") == [("body_invalid", at)]
    elif good:
        assert found(report, "fail", "note") == []
    else:
        assert ("derivation_mismatch", at) in found(report, "fail")
        assert "body_invalid" not in report.finding_counts


def test_insight_without_parents_was_made_with_none(tmp_path: Path) -> None:
    """Without parents the number is 0."""
    for value in (0, 1):
        s = Combined(bend={"i": put(made_with=value)})
        s.work("i", "insight", "m", "x", [])
        wanted = [("body_invalid", s.at["i"])] if value else []
        assert found(verify(s, tmp_path), "fail") == wanted


def test_statements_of_another_session_that_are_built_on(tmp_path: Path) -> None:
    """In a package of a session, what a stage merely builds on is needed by no rule on calls."""
    for made_with, lacking in ((1, False), (2, True)):
        ledger = build.Ledger()
        theirs = Combined(ledger=ledger, session="other/one")
        theirs.call("w_theirs", "other", b"their question", 8.0)
        for bend, codes in (
            ({}, []),
            ({"i": put("usage", operations=7)}, [] if lacking else ["derivation_mismatch"]),
            ({"w": put("model", model_id="weak")}, [] if lacking else ["stage_mismatch"]),
        ):
            mine = Combined(ledger=ledger, bend=bend)
            mine.operation = {"name": "mine", "number": len(ledger.entries)}
            mine.stream = f"{SESSION}/{len(ledger.entries)}"
            mine.join("w_theirs", theirs, "w_theirs", ledger=False)
            mine.call("w", "strong", b"my question")
            mine.work("i", "insight", "strong", "x", ["w_theirs", "w"], made_with)
            prune(ledger, 2)
            report = verify(mine, tmp_path, "session")
            got = [one for one in found(report, "fail") if one[1] == mine.at["i"]]
            assert got == [(code, mine.at["i"]) for code in codes]
            assert any("not at hand" in text for text in report.not_checked) is lacking


def test_fan_out_and_in(tmp_path: Path) -> None:
    """Many insights go to many executions, as far as an operation may have stages."""
    s = Combined()
    insights = [f"i{n}" for n in range(60)]
    for name in insights:
        s.work(name, "insight", "m", f"thing {name}", [])
    transfers = []
    for name in insights:
        transfers.append(f"t{name}")
        s.transfer(transfers[-1], "m", [name])
    s.call("w", "m", " ".join(f"thing {name}" for name in insights).encode())
    executions = [f"e{n}" for n in range(60)]
    for name in executions:
        s.work(name, "execution", "m", "out", [*transfers, "w"])
    s.provenance("p", [*insights, *transfers, *executions])
    s.combine("c", "p")
    report = verify(s, tmp_path)
    assert found(report, "fail", "limit", "note") == []
    assert report.counts["stages"] == 180


def computed(s: Combined) -> Payload:
    return {
        "chain_verified": True, "lineage_verified": True, "status": "verified",
        "trust_chain": [build.PRODUCER.kid],
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["ledger", "session"])
def test_true_claims_hold(tmp_path: Path, kind: str) -> None:
    """What is claimed and found is no finding."""
    report = verify(story(claims=computed(story())), tmp_path, kind)
    assert found(report, "fail", "limit", "note") == []


@pytest.mark.parametrize(
    "claim",
    [
        {"chain_verified": False},
        {"lineage_verified": False},
        {"status": "failed"},
        {"status": "outside"},
        {"trust_chain": [build.AUTHORITY.kid]},
        {"trust_chain": [build.PRODUCER.kid, build.PRODUCER.kid]},
        {"trust_chain": [build.PRODUCER.kid, OTHER.kid]},
    ],
)
def test_false_claims_are_named(tmp_path: Path, claim: Payload) -> None:
    """A claim that differs from what was computed is a mismatch, and only that."""
    scene = story(claims=claim)
    report = verify(scene, tmp_path)
    assert found(report, "fail", "note") == [("claim_mismatch", scene.at["p"])]


@pytest.mark.parametrize(
    ("step", "bend", "claim", "holds"),
    [
        ("t_short", put("source", model_id="weak"), {"lineage_verified": True}, False),
        ("t_short", put("source", model_id="weak"), {"lineage_verified": False}, True),
        ("t_short", put("source", model_id="weak"), {"chain_verified": True}, True),
        ("t_short", put("source", model_id="weak"), {"status": "failed"}, True),
        ("t_short", put(compression_ratio=2.0), {"lineage_verified": True}, False),
        ("i", put(extra=1), {"chain_verified": True}, False),
        ("i", put(extra=1), {"chain_verified": False}, True),
        ("i", put(extra=1), {"lineage_verified": True}, True),
        # What was handed over and never arrived breaks the chain.
        ("w_again", put("data", prompt_hash=ref(b"the question")), {"status": "verified"}, False),
        ("w_again", put("data", prompt_hash=ref(b"the question")), {"status": "failed"}, True),
        # Findings on what is no stage are not of it.
        ("w_again", put(extra=1), {"status": "verified"}, True),
        ("c", put(duration_ms=1.0), {"status": "verified"}, True),
    ],
)
def test_claims_of_operations_with_findings(
    tmp_path: Path, step: str, bend: Bend, claim: Payload, holds: bool
) -> None:
    """Claims are held against the findings on the stages and the provenance itself."""
    scene = story(claims=claim, bend={step: bend})
    report = verify(scene, tmp_path)
    assert (report.finding_counts.get("claim_mismatch", 0) == 0) is holds


def test_whole_trust_chain(tmp_path: Path) -> None:
    """Keys are listed once, where they come first."""

    class TwoKeys(Combined):
        def add(self, step: str, *rest: Any) -> None:
            self.stream = f"{SESSION}/second" if step.startswith("t_") else SESSION
            add = self.ledger.add
            self.ledger.add = lambda *a, **k: add(  # type: ignore[method-assign]
                *a, **k, key=OTHER if step.startswith("t_") else build.PRODUCER
            )
            try:
                super().add(step, *rest)
            finally:
                self.ledger.add = add  # type: ignore[method-assign]

    for chain, codes in (
        ([build.PRODUCER.kid, OTHER.kid], []),
        ([OTHER.kid, build.PRODUCER.kid], ["claim_mismatch"]),
    ):
        s = TwoKeys(ledger=build.Ledger((build.PRODUCER, OTHER)))
        s.work("i", "insight", "m", "x", [])
        s.transfer("t_x", "m", ["i"])
        s.call("w", "m", b"x")
        s.work("e", "execution", "m", "y", ["t_x", "w"])
        s.provenance("p", ["i", "t_x", "e"], claims={"trust_chain": chain})
        s.combine("c", "p")
        report = verify(s, tmp_path)
        assert [code for code, _ in found(report, "fail", "note")] == codes


def test_withheld_contents_are_counted(tmp_path: Path) -> None:
    """Without contents the rule on contexts is not judged, and the report says of how many."""
    scene = story()
    report = verify(scene, tmp_path, withheld=True)
    assert found(report, "fail", "note") == []
    assert "what was handed over: contents not in the package (3)" in report.not_checked


@pytest.mark.parametrize(
    ("context", "media_type", "contained"),
    [
        (INSIGHT.encode(), "text/plain", True),
        (b"xx" + INSIGHT.encode() + b"yy", "application/octet-stream", True),
        (INSIGHT.encode()[:-1], "text/plain", False),
        (prompt(INSIGHT), "application/json", True),
        (prompt(INSIGHT), "Application/Problem+JSON ; a=b", True),
        (prompt(INSIGHT), "text/json", False),
        (json.dumps({INSIGHT: 1}).encode(), "application/json", False),
        (json.dumps({"a": [[INSIGHT[:5], INSIGHT[5:]]]}).encode(), "application/json", False),
        (json.dumps({"a": [["x", {"b": INSIGHT}]]}).encode(), "application/json", True),
        (json.dumps(INSIGHT).encode(), "application/json", True),
        (prompt(INSIGHT)[:-1], "application/json", False),
        (b'{"a":1,"a":' + json.dumps(INSIGHT).encode() + b"}", "application/json", False),
        (b'{"n":9007199254740992,"a":' + json.dumps(INSIGHT).encode() + b"}",
         "application/json", False),
        (b"[" * 65 + json.dumps(INSIGHT).encode() + b"]" * 65, "application/json", False),
        (b"[" * 64 + json.dumps(INSIGHT).encode() + b"]" * 64, "application/json", True),
        (b"\xef\xbb\xbf" + prompt(INSIGHT), "application/json", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("salted", [False, True])
def test_containment(
    tmp_path: Path, context: bytes, media_type: str, contained: bool, salted: bool
) -> None:
    """What was handed over is a run of bytes of a context, or of a string in one that is I-JSON."""
    s = Combined(salted=salted)
    s.work("i", "insight", "m", INSIGHT, [])
    s.transfer("t", "m", ["i"])
    s.call("w", "m", context, media_type=media_type)
    s.work("e", "execution", "m", "y", ["t", "w"])
    report = verify(s, tmp_path)
    wanted = [] if contained else [("context_mismatch", s.at["e"])]
    assert found(report, "fail") == wanted


def test_empty_content_and_own_context(tmp_path: Path) -> None:
    """Empty content is in every context; `context` counts; without any context nothing is."""
    s = Combined()
    s.work("i", "insight", "m", INSIGHT, [])
    s.transfer("t_empty", "m", ["i"], "")
    s.transfer("t", "m", ["i"])
    s.work("e1", "execution", "m", "y", ["t_empty"], context=s.ref(b"x"))
    s.work("e2", "execution", "m", "y", ["t"], context=s.ref(INSIGHT.encode() + b"x"))
    s.work("e3", "execution", "m", "y", ["t", "t_empty"])
    report = verify(s, tmp_path)
    assert found(report, "fail") == [("context_mismatch", s.at["e3"])]


def test_unsigned_part_and_range_say_so(tmp_path: Path) -> None:
    """In other parts bodies are judged, and rules over several statements are named."""
    scene = bent("c", put(duration_ms=1.0, insights=[{"model_id": "x"}]))
    prune(scene.ledger)
    files = build.package(scene.ledger, kind="range", start=0)
    report = verify_files(files, scene, tmp_path)
    assert found(report, "fail") == [("derivation_mismatch", scene.at["c"])]
    assert "operations over several statements: the package is a range" in report.not_checked
    assert report.counts["operations"] == report.counts["stages"] == 0


def test_text_and_page_name_operations(tmp_path: Path) -> None:
    """Both forms of the report say what is open."""
    report = verify(story(skip=("c",)), tmp_path)
    for text in (report.to_text(), to_html(report)):
        assert "operation_open" in text
        assert "1 operation of 5 stages, 1 open" in text


def test_every_new_code_is_in_the_table() -> None:
    """The codes of the page have their axis and severity."""
    assert {CODES[code] for code in ("part_missing", "claim_mismatch", "outside_failed")} == {
        ("fail", "lineage")
    }
    assert CODES["context_mismatch"] == ("fail", "contents")
    assert CODES["derivation_mismatch"] == ("fail", "policy")
    assert CODES["outside_unpinned"] == ("limit", "lineage")
    assert CODES["operation_open"] == ("note", "completeness")


@pytest.mark.parametrize("kind", ["insight", "transfer", "execution", "provenance", "cross_model"])
def test_bodies_one_by_one_and_in_columns_agree(kind: str) -> None:
    """Each member taken away, of another type, or added gives one answer both ways."""
    scene = story(claims=computed(story()))
    step = {"insight": "i", "transfer": "t_short", "execution": "e", "provenance": "p"}
    good = scene.body[step.get(kind, "c")]
    check = BODIES[kind]
    assert check.all([good, good])
    for name in [*good, "unknown"]:
        for value in (None, 1, "x", [], {}, 1.5, True):
            bad = {**good, name: value}
            try:
                check(bad)
                passes = True
            except BadValue:
                passes = False
            assert check.all([good, bad]) is passes


def test_summary_is_searched_in_every_context(tmp_path: Path) -> None:
    """One of several contexts is enough, and a stage's own context is one of them."""
    s = Combined()
    s.work("i", "insight", "m", INSIGHT, [])
    s.transfer("t", "m", ["i"], SUMMARY)
    for n, text in enumerate((b"nothing", b"still nothing", f"so: {SUMMARY}".encode())):
        s.call(f"w{n}", "m", text)
    s.work("e", "execution", "m", "y", ["t", "w0", "w1", "w2"])
    assert found(verify(s, tmp_path), "fail") == []


@pytest.mark.parametrize(
    ("handed", "context", "codes", "large"),
    [
        (b"0123456789", b"x" * 99 + b"0123456789" + b"y" * 99, [], 0),
        (b"0123456789", b"x" * 99 + b"012345678" + b"y" * 99, ["context_mismatch"], 0),
        (b"abc", b'{"a":"\\u0061bc","b":"' + b"-" * 99 + b'"}', ["context_mismatch"], 0),
        (b"0123456789a", b"x" * 99, [], 1),
    ],
)
def test_contents_too_large_to_hold(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    handed: bytes,
    context: bytes,
    codes: list[str],
    large: int,
) -> None:
    """A large context is looked through in pieces, as bytes; what is too large is counted."""
    import verifier.package
    import verifier.shelf

    monkeypatch.setattr(verifier.shelf, "CALL_BODY_MAX_BYTES", 10)
    monkeypatch.setattr(verifier.package, "READ_BYTES", 7)
    s = Combined()
    s.work("i", "insight", "m", handed.decode(), [])
    s.transfer("t", "m", ["i"])
    s.call("w", "m", context, media_type="application/json")
    s.work("e", "execution", "m", "y", ["t", "w"])
    report = verify(s, tmp_path)
    assert [code for code, _ in found(report, "fail")] == codes
    text = f"what was handed over: contents that are too large to look into ({large})"
    assert (text in report.not_checked) is bool(large)


def test_work_on_contexts_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When enough was looked through, the rest is counted and not judged."""
    import verifier.shelf

    monkeypatch.setattr(verifier.shelf, "CONTEXT_WORK", 0)
    monkeypatch.setattr(verifier.shelf, "_TIMES", 0)
    report = verify(story(), tmp_path)
    assert found(report, "fail", "note") == []
    text = "what was handed over: contents that are too large to look into (3)"
    assert text in report.not_checked


def test_the_largest_operation(tmp_path: Path) -> None:
    """255 stages that all have each other as parents are judged, and messages stay short."""
    s = Combined()
    names: list[str] = []
    for n in range(85):
        s.work(f"i{n}", "insight", f"m{n}", f"out {n}", names[-200:])
        names.append(f"i{n}")
    for n in range(85):
        s.transfer(f"t{n}", "m", [f"i{n}", *names[:-1][:200]] if n > 84 else [f"i{n}"])
        names.append(f"t{n}")
    for n in range(85):
        s.work(f"e{n}", "execution", "m", "done", names[85:])
        names.append(f"e{n}")
    s.provenance("p", names)
    s.combine("c", "p")
    report = verify(s, tmp_path)
    assert report.counts["stages"] == 255
    assert {code for code, _ in found(report, "fail", "note")} == {"context_mismatch"}
    assert max(len(f["message"]) for f in report.findings) < 500
    wrong = story(bend={"p": lambda p: p["parents"].reverse()})
    report = verify(wrong, tmp_path)
    codes = {f["code"] for f in report.findings if f["index"] == wrong.at["p"]}
    assert codes == {"part_mismatch", "stage_order"}


@pytest.mark.parametrize("seed", range(24))
def test_any_parents_at_all_are_answered(tmp_path: Path, seed: int) -> None:
    """Whatever parents the steps name, an answer comes, and it is not that all is well."""
    rng = random.Random(seed)
    steps = ["i", "t_short", "t_whole", "e", "e_again", "p", "c"]
    honest = story()

    def any_parents(p: Payload) -> None:
        some = []
        for at in rng.sample(range(len(honest.ledger.entries)), k=rng.randint(1, 6)):
            one = honest.ledger.named(at)
            if rng.random() < 0.2:
                one["ledger"] = rng.choice([bytes(32), honest.ledger.genesis])
            if rng.random() < 0.2:
                one["leaf_hash"] = rng.randbytes(32)
            some.append(one)
        if p["type"] in ("provenance", "cross_model") and len(some) < len(p["parents"]):
            some += p["parents"][: len(p["parents"]) - len(some)]
        unique = {one["leaf_hash"]: one for one in some}
        p["parents"] = list(unique.values())
        if "made_with" in p["body"]:
            p["body"]["made_with"] = rng.randint(0, len(unique) - (p["type"] == "transfer"))

    scene = story(bend=dict.fromkeys(rng.sample(steps, k=rng.randint(1, 4)), any_parents))
    for kind in ("ledger", "session"):
        report = verify(scene, tmp_path, kind)
        assert report.exit_code in (0, 1)
        assert report.to_json()
        assert report.to_text()
    assert report.findings


@pytest.mark.parametrize("seed", range(24))
def test_damaged_bytes_are_found(tmp_path: Path, seed: int) -> None:
    """A byte of an operation's statements that is changed fails the package, and never more."""
    rng = random.Random(seed)
    scene = story(claims=computed(story()))
    prune(scene.ledger)
    files = build.package(scene.ledger)
    name = next(path for path in files if "/entries/" in path)
    raw = bytearray(files[name])
    raw[rng.randrange(len(raw) // 4, len(raw))] ^= 1 << rng.randrange(8)
    files[name] = bytes(raw)
    report = verify_files(files, scene, tmp_path)
    assert report.exit_code == 1
