"""Sessions: what an auditor reads of honest ones, and every way to cheat in one."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.verifier import build
from tests.verifier.scene import KEY, SESSION, URL, Bend, Payload, Scene, digest, story
from verifier import Report, verify_package
from verifier.bodies import BODIES
from verifier.errors import CODES, BadValue
from verifier.html import to_html

Files = dict[str, bytes]


def verify(scene: Scene, folder: Path, kind: str = "ledger", **given: Any) -> Report:
    """Package a scene and verify it under all pins."""
    session = scene.session if kind == "session" else None
    prune(scene.ledger)
    files = build.package(scene.ledger, kind=kind, session=session, **given)
    return verify_files(files, scene, folder)


def prune(ledger: build.Ledger, start: int = 0) -> None:
    """Take away the contents that no statement from an index on names."""
    named = {a for entry in ledger.entries[start:] for a in build.addresses(build.payload(entry))}
    for address in ledger.contents.keys() - named:
        del ledger.contents[address]


def verify_files(files: Files, scene: Scene, folder: Path, **given: Any) -> Report:
    target = folder / "package"
    shutil.rmtree(target, ignore_errors=True)
    build.write(files, target)
    ledger = scene.ledger
    head = f"{len(ledger.entries)}:{ledger.root().hex()}"
    return verify_package(target, trust=ledger.genesis.hex(), known_head=head, **given)


def found(report: Report, *severities: str) -> list[tuple[str, int | None]]:
    """Codes and indices of the findings of these severities."""
    return [(f["code"], f["index"]) for f in report.findings if f["severity"] in severities]


@pytest.mark.parametrize("salted", [False, True])
@pytest.mark.parametrize("kind", ["ledger", "session"])
def test_story_verifies(tmp_path: Path, kind: str, salted: bool) -> None:
    """An honest session is verified, and its unknown call is named where all can see it."""
    scene = story(salted=salted)
    report = verify(scene, tmp_path, kind)
    assert report.exit_code == 0
    assert found(report, "fail", "limit", "note") == [
        ("outcome_unknown", scene.at["outcome_c"]),
        ("call_repeated", scene.at["intent_c2"]),
    ]
    counts = {k: report.counts[k] for k in ("sessions", "intents", "answered", "failed", "unknown")}
    assert counts == {"sessions": 1, "intents": 7, "answered": 5, "failed": 1, "unknown": 1}
    assert report.counts["reused"] == 3
    assert report.summaries["completeness"].endswith(
        "1 session, 7 calls: 5 answered, 1 failed, 1 unknown, 3 reused"
    )
    assert report.summaries["policy"] == "4 witnesses, 7 calls"
    assert report.not_checked == []
    for text in (report.to_text(), to_html(report)):
        assert f"POST {URL}, model small-model, at 2026-11-20T09:00:00.012000Z" in text
        assert f"intent at index {scene.at['intent_c']}" in text


def body(change: Callable[[dict[str, Any]], Any]) -> Bend:
    """A bend of the body alone."""
    return lambda p: change(p["body"])


def put(**members: Any) -> Bend:
    return body(lambda b: b.update(members))


def parent(*steps: str) -> Any:
    """A bend that names other parents; filled in when the scene is there."""
    return Parents(steps)


@dataclasses.dataclass(frozen=True)
class Parents:
    """Steps to be named as parents."""

    steps: tuple[str, ...]


def bent(step: str, bend: Any, salted: bool = False, **given: Any) -> Scene:
    """The story with one step bent."""
    if isinstance(bend, Parents):
        named: list[Payload] = []

        def change(p: Payload) -> None:
            p["parents"] = named or p["parents"]

        honest = story(salted=salted, **given)
        for name in bend.steps:
            at = honest.at[name]
            leaf = build.leaf_hash(honest.ledger.entries[at])
            named.append({"id": honest.ledger.ids[at], "leaf_hash": leaf})
        return story(bend={step: change}, salted=salted, **given)
    return story(bend={step: bend}, salted=salted, **given)


ATTACKS: list[tuple[str, Any, str]] = [
    ("open2", put(run=3), "session_invalid"),
    ("open2", put(previous="complete"), "session_invalid"),
    ("open3", put(previous="interrupted"), "session_invalid"),
    ("open3", parent("open1"), "session_invalid"),
    ("open3", parent("witness_a"), "session_invalid"),
    ("open2", body(lambda b: b["changed"].pop()), "change_unrecorded"),
    ("open2", body(lambda b: b.pop("changed")), "change_unrecorded"),
    ("open2", body(lambda b: b["changed"][1].update(change="added")), "change_unrecorded"),
    ("open3", put(changed=[{"role": "file", "name": "b.py", "change": "altered"}]),
     "change_unrecorded"),
    ("open3", body(lambda b: b["frozen"][1]["content"].update(media_type="text/x-z")),
     "change_unrecorded"),
    ("open1", put(changed=[{"role": "file", "name": "b.py", "change": "added"}]), "body_invalid"),
    ("open1", put(call_key=build.ref(KEY)), "session_invalid"),
    ("intent_a", put(call={"digest": digest({"x": 1}), "replicate": 1}), "call_mismatch"),
    ("intent_a", put(method="PUT"), "call_mismatch"),
    ("intent_a", put(url=URL + "?x=1"), "call_mismatch"),
    ("intent_a", put(url=URL + "?key=1"), "body_invalid"),
    ("intent_a", body(lambda b: b["request_headers"].pop("openai-beta")), "call_mismatch"),
    ("intent_c", put(method="GET"), "call_mismatch"),
    ("intent_b2", put(attempt=3), "session_invalid"),
    ("intent_b2", put(after="unknown"), "session_invalid"),
    ("intent_b2", parent("outcome_a"), "session_invalid"),
    ("intent_b2", parent("intent_b"), "session_invalid"),
    ("intent_b2", lambda p: p.pop("parents"), "body_invalid"),
    ("outcome_d", lambda p: p.pop("parents"), "body_invalid"),
    ("outcome_d", put(http_status=404), "body_invalid"),
    ("outcome_a", body(lambda b: b["decoded"].update(size_bytes=5)), "decoded_mismatch"),
    ("outcome_a", body(lambda b: b["decoded"].update(sha256=bytes(32))), "decoded_mismatch"),
    ("outcome_a", body(lambda b: b["response_headers"].clear()), "body_invalid"),
    ("outcome_a", body(lambda b: b["response_headers"].update({"content-encoding": "deflate"})),
     "decoded_mismatch"),
    ("outcome_b2", body(lambda b: b["response_headers"].update({"content-encoding": "gzip"})),
     "decoded_mismatch"),
    ("witness_a", put(raw={"request": build.ref(b"hi")}), "call_mismatch"),
    ("witness_a", put(raw={"response": build.ref(b"hi")}), "call_mismatch"),
    ("reuse1", put(calls=1), "body_invalid"),
    ("reuse1", parent("outcome_a", "outcome_b"), "session_invalid"),
    ("reuse1", parent("outcome_a", "intent_a"), "session_invalid"),
    ("close2", put(run=1), "session_invalid"),
    ("close2", parent("open1"), "session_invalid"),
    ("close2", put(answered=4), "session_totals"),
    ("close2", put(failed=1), "session_totals"),
    ("close2", put(unknown=1), "session_totals"),
    ("close2", put(unpriced=0), "session_totals"),
    ("close2", put(cost_usd=0.6 + 0.3 + 1e-16), "session_totals"),
    ("close2", body(lambda b: b.pop("cost_usd")), "session_totals"),
    ("close3", put(cost_usd=0.0), "session_totals"),
    ("close3", put(reused=0), "session_totals"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "bend", "code"), ATTACKS)
def test_one_step_bent(step: str, bend: Any, code: str, tmp_path: Path) -> None:
    """Whoever has all keys and bends one statement is found out at just that statement."""
    scene = bent(step, bend)
    if step.startswith("witness"):  # what the witness names is in the package
        scene.ledger.content(b"hi")
    if step == "open1" and code == "session_invalid":
        scene.ledger.content(KEY)
    report = verify(scene, tmp_path)
    assert found(report, "fail", "limit") == [(code, scene.at[step])]
    assert report.exit_code == 1
    assert report.status(CODES[code][1] or "") == "failed"


@pytest.mark.parametrize(
    ("step", "bend", "code"),
    [
        ("open1", body(lambda b: b.pop("call_key")), "session_invalid"),
        ("open2", body(lambda b: b["call_key"].update(media_type="x/y")), "session_invalid"),
        ("outcome_a", put(decoded={"sha256": bytes(32), "size_bytes": 1}), "session_invalid"),
        ("intent_a", put(call={"digest": digest({"prompt": "\u20ac", "n": 1.0}), "replicate": 1}),
         "call_mismatch"),
    ],
)  # fmt: skip
def test_salted_step_bent(step: str, bend: Any, code: str, tmp_path: Path) -> None:
    """In a salted ledger the key belongs to every run, and no unsalted digest to any call."""
    scene = bent(step, bend, salted=True)
    report = verify(scene, tmp_path)
    assert found(report, "fail", "limit") == [(code, scene.at[step])]


def twice(s: Scene) -> None:
    s.outcome("again", "intent_a", status="unknown", reason="timeout")


def paid_again(s: Scene) -> None:
    s.intent("again", {"prompt": "\u20ac", "n": 1.0}, 2, parent="outcome_a", after="failed")
    s.outcome("failed", "again", status="failed", reason="not_sent")


def paid_again_as_new(s: Scene) -> None:
    s.intent("again", {"prompt": "\u20ac", "n": 1.0})
    s.outcome("failed", "again", status="failed", reason="not_sent")


def lonely(s: Scene) -> None:
    s.stream = "elsewhere"
    s.intent("again", {"prompt": "z"})
    s.stream = SESSION


def late(s: Scene) -> None:
    s.intent("again", {"prompt": "z"})


def old_run(s: Scene) -> None:
    s.stream, now = SESSION, s.stream
    s.outcome("again", "intent_c", status="unknown", reason="timeout")
    s.stream = now


def own_death(s: Scene) -> None:
    s.outcome("again", "intent_c", status="unknown", reason="killed")


def other_run(s: Scene) -> None:
    s.outcome("again", "intent_c", status="unknown", reason="abandoned")


def second_witness(s: Scene) -> None:
    s.witness("again", "outcome_a", None)


def stage_again(s: Scene) -> None:
    state = s.ref(b'{"done":1}')
    s.add("again", "savepoint", {"stage": "one", "complete": False, "state": state})


INSERTED: list[tuple[str, Callable[[Scene], None], tuple[str, ...], list[str]]] = [
    ("witness_a", twice, (), ["outcome_duplicate"]),
    ("witness_a", paid_again, (), ["call_duplicate"]),
    ("witness_a", paid_again_as_new, (), ["call_duplicate", "session_invalid"]),
    ("open1", lonely, (), ["session_invalid"]),
    ("close2", late, (), ["session_invalid"]),
    ("open2", old_run, ("outcome_c", "intent_c2", "outcome_c2", "reuse3"), ["session_invalid"]),
    (
        "intent_c",
        own_death,
        ("outcome_c", "intent_c2", "outcome_c2", "reuse3"),
        ["session_invalid"],
    ),
    ("open2", other_run, ("outcome_c", "intent_c2", "outcome_c2", "reuse3"), ["session_invalid"]),
    ("witness_a", second_witness, (), ["session_invalid"]),
    ("witness_d", stage_again, (), ["session_invalid"]),
]


@pytest.mark.parametrize(("after", "insert", "skip", "codes"), INSERTED)
def test_one_step_more(
    after: str,
    insert: Callable[[Scene], None],
    skip: tuple[str, ...],
    codes: list[str],
    tmp_path: Path,
) -> None:
    """A statement too many is found out where it stands."""
    scene = story(insert={after: insert}, skip=skip)
    report = verify(scene, tmp_path)
    wanted = {(code, scene.at["again"]) for code in codes}
    other = [one for one in found(report, "fail", "limit") if one not in wanted]
    # The runs were closed by the numbers of the story without the steps that are skipped.
    assert {code for code, _ in other} <= ({"session_totals", "session_invalid"} if skip else set())
    assert wanted <= set(found(report, "fail"))


@pytest.mark.parametrize(
    ("skip", "wanted"),
    [
        (("outcome_c", "intent_c2", "outcome_c2", "reuse3"), [("outcome_missing", "intent_c")]),
        (("outcome_d", "witness_d"), [("outcome_missing", "intent_d")]),
        (("outcome_c", "intent_c2", "outcome_c2", "close2", "open3", "reuse3", "close3", "save3"),
         [("intent_open", "intent_c")]),
    ],
)  # fmt: skip
def test_answer_left_out(
    skip: tuple[str, ...], wanted: list[tuple[str, str]], tmp_path: Path
) -> None:
    """An intent whose outcome was never written is missing it once its run or a later is closed."""
    counts = {"close2": put(answered=2, unpriced=0)}
    if "outcome_d" in skip:
        counts = {"close2": put(answered=2, cost_usd=0.3)}
    if "reuse3" in skip:
        counts["close3"] = put(reused=0)
    scene = story(skip=skip, bend=counts)
    report = verify(scene, tmp_path)
    expected = [(code, scene.at[step]) for code, step in wanted]
    seen = [f for f in found(report, "fail", "limit") if f[0] in ("outcome_missing", "intent_open")]
    assert seen == expected
    assert report.exit_code == (3 if wanted[0][0] == "intent_open" else 1)
    text = report.to_text()
    assert "without outcome" in text
    assert "no outcome: POST" in text


def test_two_answers_of_one_call(tmp_path: Path) -> None:
    """Two attempts that ran at the same time and were both answered: a call was paid twice."""

    def race(s: Scene) -> None:
        s.intent("x1", {"prompt": "x"})
        s.intent("x2", {"prompt": "x"})
        s.answered("y1", "x1", "one", "identity")
        s.answered("y2", "x2", "two", "identity")

    scene = story(insert={"open1": race})
    report = verify(scene, tmp_path)
    assert found(report, "fail") == [
        ("session_invalid", scene.at["x2"]),
        ("call_duplicate", scene.at["y2"]),
    ]


IDENT = "resp_0123456789abcdef0123456789abcdef"
FETCHING: dict[str, Any] = {
    "call": {"digest": bytes(32), "replicate": 1}, "attempt": 2, "after": "unknown",
    "method": "POST", "url": URL, "fetches": IDENT,
}  # fmt: skip


def test_fetching_bodies() -> None:
    """An id may stand in an intent after an unknown outcome alone, and it is a name."""
    table = BODIES["intent"]
    table(FETCHING)
    table({**FETCHING, "fetches": "x" * 256})
    first = {k: v for k, v in FETCHING.items() if k != "after"} | {"attempt": 1}
    bad = [first, {**FETCHING, "after": "failed"}, {**FETCHING, "after": None}]
    bad += [{**FETCHING, "fetches": v} for v in ("", "x" * 257, "a\nb", 1, None, b"x", [IDENT])]
    for one in bad:
        with pytest.raises(BadValue):
            table(one)
        assert not table.all([FETCHING, one])


@pytest.mark.parametrize("salted", [False, True])
@pytest.mark.parametrize("kind", ["ledger", "session"])
def test_fetch_is_no_repetition(tmp_path: Path, kind: str, salted: bool) -> None:
    """An answer fetched by the id that its stream told is paid once, also at the second try."""

    def fetch(s: Scene) -> None:
        broken = {"reason": "stream", "http_status": 200, "streaming": "interrupted"}
        s.intent("f1", {"prompt": "f"})
        s.outcome("g1", "f1", status="unknown", response_id=IDENT, **broken)
        s.intent("f2", {"prompt": "f"}, 2, parent="g1", after="unknown", fetches=IDENT)
        s.outcome("g2", "f2", status="unknown", response_id=IDENT, reason="timeout")
        s.intent("f3", {"prompt": "f"}, 3, parent="g2", after="unknown", fetches=IDENT)
        s.answered("g3", "f3", "kept", "identity")
        s.witness("again", "g3", 0.1)

    opened = {step: put(on_unknown="fetch") for step in ("open1", "open2", "open3")}
    scene = story(insert={"witness_a": fetch}, bend=opened, salted=salted)
    report = verify(scene, tmp_path, kind)
    assert report.exit_code == 0
    assert found(report, "fail", "limit", "note") == [
        ("outcome_unknown", scene.at["g1"]),
        ("outcome_unknown", scene.at["g2"]),
        ("outcome_unknown", scene.at["outcome_c"]),
        ("call_repeated", scene.at["intent_c2"]),
    ]


def fetching(told: str | None, fetches: str, status: str = "unknown") -> Callable[[Scene], None]:
    """What inserts a call of which an id was told, or none, and one that is fetched."""

    def insert(s: Scene) -> None:
        ident = {} if told is None else {"response_id": told}
        more = {"http_status": 200} if status == "answered" else {"reason": "disconnected"}
        s.intent("f1", {"prompt": "f"})
        s.outcome("g1", "f1", status=status, **more, **ident)
        s.intent("again", {"prompt": "f"}, 2, parent="g1", after="unknown", fetches=fetches)
        s.outcome("g2", "again", status="failed", reason="not_sent")

    return insert


@pytest.mark.parametrize(
    ("insert", "codes"),
    [
        (fetching(IDENT, IDENT), []),
        (fetching(IDENT, IDENT[:-1]), ["session_invalid"]),
        (fetching(IDENT, IDENT.upper()), ["session_invalid"]),
        (fetching(None, IDENT), ["session_invalid"]),
        (fetching(IDENT, IDENT, "answered"), ["call_duplicate"]),
        (fetching(IDENT, "x", "answered"), ["session_invalid", "call_duplicate"]),
    ],
)
def test_fetch_of_another_answer(
    insert: Callable[[Scene], None], codes: list[str], tmp_path: Path
) -> None:
    """Only the id that the parent told is fetched; an answer that was recorded is a double."""
    scene = story(insert={"witness_a": insert})
    report = verify(scene, tmp_path)
    assert found(report, "fail", "limit") == [(code, scene.at["again"]) for code in codes]
    repeated = [one for one in found(report, "note") if one[0] == "call_repeated"]
    assert repeated == [("call_repeated", scene.at["intent_c2"])]


def test_fetch_after_a_kill(tmp_path: Path) -> None:
    """A killed run told no id, so nothing can be fetched after it."""
    scene = story(bend={"intent_c2": put(fetches=IDENT)})
    report = verify(scene, tmp_path)
    wanted = [("session_invalid", scene.at["intent_c2"])]
    assert found(report, "fail", "limit") == wanted


@pytest.mark.parametrize("bend", [put(note=1), lambda p: p.pop("vif")])
def test_fetch_after_what_cannot_be_read(bend: Bend, tmp_path: Path) -> None:
    """What the parent told cannot be known, and is not told of the intent."""
    insert = {"witness_a": fetching(IDENT, "x")}
    scene = story(insert=insert, bend={"g1": bend})
    report = verify(scene, tmp_path)
    assert [index for _, index in found(report, "fail")] == [scene.at["g1"]]


def test_cost_told_after_the_close(tmp_path: Path) -> None:
    """A priced witness that comes after its run was closed makes the close's sum wrong."""
    scene = story(insert={"close2": lambda s: s.witness("late", "outcome_c2", 1.0)})
    report = verify(scene, tmp_path)
    assert found(report, "fail") == [("session_totals", scene.at["close2"])]


def test_sessions_do_not_mix(tmp_path: Path) -> None:
    """Two sessions side by side have runs, calls and stages of their own, and lend no answers."""
    scene = story()
    other = story(ledger=scene.ledger, session="mva/experiment_3")
    assert verify(scene, tmp_path).counts["sessions"] == 2
    third = Scene(ledger=scene.ledger, session="svc")
    third.at = {"outcome_a": other.at["outcome_a"], "intent_c": other.at["intent_c"]}
    third.open("open1", 1, {})
    third.add("reuse", "reuse", {"calls": 1}, ["outcome_a"])
    third.outcome("outcome", "intent_c", status="unknown", reason="timeout")
    wanted = [("session_invalid", third.at["reuse"]), ("session_invalid", third.at["outcome"])]
    assert found(verify(third, tmp_path), "fail") == wanted
    # In a package of that session alone the parents are not there, and not of the session.
    report = verify(third, tmp_path, "session")
    assert [one for one in found(report, "fail") if one[0] == "session_invalid"] == wanted


def test_witnesses_alone_are_no_calls(tmp_path: Path) -> None:
    """A session of witnesses without any of the six types is as it was before there were calls."""
    ledger = build.sample()
    files = build.package(ledger)
    report = verify_files(files, Scene(ledger=ledger), tmp_path)
    assert report.exit_code == 0
    assert report.counts["sessions"] == 0
    assert "call" not in report.to_text()


@pytest.mark.parametrize("kind", ["range", "unsigned"])
def test_part_is_not_judged(tmp_path: Path, kind: str) -> None:
    """In a range or an unsigned part bodies are checked, calls are not, and the report says so."""
    scene = bent("close2", put(answered=9))
    given: dict[str, Any] = {"start": 5} if kind == "range" else {"signed": False}
    prune(scene.ledger, given.get("start", 0))
    session = SESSION if kind == "unsigned" else None
    part = "range" if kind == "range" else "session"
    files = build.package(scene.ledger, kind=part, session=session, **given)
    report = verify_files(files, scene, tmp_path)
    assert found(report, "fail") == []
    assert report.counts["intents"] == 0
    assert any(s.startswith("sessions and calls") for s in report.not_checked)


def test_withheld_is_not_checked(tmp_path: Path) -> None:
    """Without contents the digests cannot be computed; the report says how many."""
    scene = bent("intent_a", put(call={"digest": bytes(32), "replicate": 1}))
    report = verify(scene, tmp_path, withheld=True)
    assert found(report, "fail") == []
    assert "request digests: body or key not in the package (5)" in report.not_checked
    assert "decoded responses: body not in the package (5)" in report.not_checked
    salted = story(salted=True)
    report = verify(salted, tmp_path, withheld=True)
    assert "request digests: body or key not in the package (7)" in report.not_checked


def test_unknown_encoding_is_not_checked(tmp_path: Path) -> None:
    """What the verifier cannot decode it names, and believes nothing."""
    change = body(lambda b: b["response_headers"].update({"content-encoding": "br"}))
    report = verify(bent("outcome_a", change), tmp_path)
    assert report.exit_code == 0
    assert "decoded responses: an encoding that cannot be undone (1)" in report.not_checked


def test_record_dropped_and_denied(tmp_path: Path) -> None:
    """Whoever leaves a record out of a session and signs a smaller count is found by the chain."""
    scene = story()

    def deny(b: dict[str, Any]) -> None:
        b["statements"] -= 2
        for stream in b["streams"]:
            stream["statements"] -= 2 * (stream["id"] == SESSION)

    drop = [scene.at["intent_b"], scene.at["outcome_b"]]
    report = verify(scene, tmp_path, "session", drop=drop, change=deny)
    assert ("stream_incomplete", scene.at["intent_b2"]) in found(report, "fail")


@pytest.mark.parametrize("jobs", [1, 2])
def test_unreadable_record_has_its_own_finding(tmp_path: Path, jobs: int) -> None:
    """What an unreadable record leaves open is not told again for all that follows."""
    for step in ("open1", "intent_a", "outcome_a", "witness_a", "reuse1", "open2", "close2"):
        scene = story(bend={step: lambda p: p.pop("vif")})
        files = build.package(scene.ledger)
        report = verify_files(files, scene, tmp_path, jobs=jobs)
        # What only that record named is a stray content now.
        seen = [one for one in found(report, "fail") if one[0] != "file_unexpected"]
        assert seen == [("payload_invalid", scene.at[step])], step


def test_invalid_body_has_its_own_finding(tmp_path: Path) -> None:
    """A body with a key too many is one finding, wherever it stands."""
    for step in story().at:
        scene = story(bend={step: put(note=1)})
        report = verify(scene, tmp_path)
        assert found(report, "fail") == [("body_invalid", scene.at[step])], step


FOLDER_ATTACKS: list[tuple[str, Callable[[Files, str], Any], str]] = [
    ("FAULTS.jsonl", lambda f, p: f.pop(p), "file_missing"),
    ("FAULTS.jsonl", lambda f, p: f.update({p: f[p].split(b"\n", 1)[1]}), "derived_mismatch"),
    ("0002/SESSION_CHRONOLOG.jsonl", lambda f, p: f.update({p: b"{}\n"}), "derived_mismatch"),
    ("PROJECT_CHRONOLOG_mva.jsonl", lambda f, p: f.update({p: b""}), "derived_mismatch"),
    ("request.json", lambda f, p: f.update({p: b"{}"}), "derived_mismatch"),
    ("request.json", lambda f, p: f.pop(p), "file_missing"),
    ("experiment_snapshot.md", lambda f, p: f.update({p: b"# other"}), "derived_mismatch"),
    ("FAULTS.jsonl", lambda f, p: f.update({"data/session/files/009_x": b""}), "file_unexpected"),
    ("FAULTS.jsonl", lambda f, p: f.update({"data/session/x": b""}), "file_unexpected"),
    ("FAULTS.jsonl", lambda f, p: f.update({"data/PROJECT_CHRONOLOG_x.jsonl": b""}),
     "file_unexpected"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "code"), FOLDER_ATTACKS)
def test_folder_follows_from_the_log(
    name: str, change: Callable[[Files, str], Any], code: str, tmp_path: Path
) -> None:
    """Readable files that tell another story than the log are refused, though sealed and signed."""
    honest = build.package(story().ledger, kind="session", session=SESSION)
    path = next(p for p in sorted(honest) if p.endswith(name))
    scene = story()
    plain = build.Derivation.session

    def lying(self: build.Derivation) -> None:
        plain(self)
        change(self.files, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build.Derivation, "session", lying)
        report = verify(scene, tmp_path, "session")
    assert {(f["code"], f["severity"]) for f in report.findings} >= {(code, "fail")}
    assert {f["code"] for f in report.findings if f["severity"] == "fail"} == {code}


STEPS = st.sampled_from(sorted(story().at))
NOISE = st.sampled_from([0, 1, -1, 2**63, "", "x", None, True, 1.5, [], {}, bytes(32)])


@given(step=STEPS, data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bent_member_is_answered(
    step: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever stands in a member of a body, the answer is a report."""

    def change(p: Payload) -> None:
        place = p["body"]
        key = data.draw(st.sampled_from(sorted(place)))
        if isinstance(place[key], dict) and data.draw(st.booleans()):
            place = place[key]
            key = data.draw(st.sampled_from(sorted(place)))
        place[key] = data.draw(NOISE)

    scene = story(bend={step: change})
    files = build.package(scene.ledger, signed=False)
    report = verify_files(files, scene, tmp_path_factory.mktemp("bent"))
    assert report.exit_code in (1, 3)
    json.loads(report.to_json())
