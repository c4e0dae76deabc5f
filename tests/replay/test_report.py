"""The determinism report: what it counts, what it never hides, and its page."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import Draft, Ledger
from ledger.export.text import shown
from ledger.formats.payload import Parent
from ledger.replay import determinism, recorded_determinism
from ledger.replay.levels import LEVELS
from ledger.replay.report import plot as report_plot
from ledger.replay.report.counts import STATES, Few
from ledger.replay.report.environments import Change
from ledger.replay.report.inputs import Contents, Run, Subject
from ledger.replay.report.json import document
from ledger.replay.report.page import page
from ledger.replay.report.passages import passages
from ledger.replay.report.plot import bars, strip
from ledger.replay.report.whole import Report, gather
from ledger.replay.report.witness import CELLS_MAX, OUTPUTS_MAX, WitnessReport
from tests.replay.lab import Scripted, local, says
from tests.replay.runs import HOSTILE, World

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FP_1 = {"model": "m", "system_fingerprint": "fp_1"}
FP_2 = {"model": "m", "system_fingerprint": "fp_2"}


def only(report: Report) -> WitnessReport:
    (one,) = report.witnesses
    return one


def said(world: World, *outputs: str | None, **fields: Any) -> Report:
    subject = world.subject(7)
    runs = [world.run(subject, output, number=n, of=99, place=n, **fields)
            for n, output in enumerate(outputs, 1)]  # fmt: skip
    return gather(runs, world.contents)


# Outputs and where they part


@pytest.mark.parametrize("salted", [False, True])
def test_outputs_are_told_apart_by_content(salted: bool) -> None:
    """Equal contents are one output, salted or not; the recorded one counts as one of them."""
    report = said(World(salted), None, "forty-four", None, "forty-four", "forty")
    one = only(report)
    assert one.distinct == 3
    assert one.as_recorded == 2
    assert sorted(count for _, count in one.outputs.items()) == [1, 2]
    assert one.unidentified == 0
    assert one.pairs == (2, 10)
    assert one.characters.first == 5
    assert report.agreement("text") == (2, 5)
    assert report.nondeterministic == [7]
    assert one.verdict == "differs"


def test_what_is_salted_and_not_at_hand_is_not_called_certain() -> None:
    world = World(salted=True)
    subject = world.subject(7)
    runs = [world.run(subject, "other", number=n, of=2) for n in (1, 2)]
    one = only(gather(runs, Contents()))
    assert one.unidentified == 2
    assert document(gather(runs))["results"][0]["outputs"]["not_certain"] == 2


def test_json_is_one_output_in_any_order() -> None:
    world = World()
    refs = [
        world.keep(text, "application/json") for text in (b'{"a":1,"b":2}', b'{"b": 2, "a": 1}')
    ]
    identities = {world.contents.identity(ref) for ref in refs}
    assert len(identities) == 1
    assert world.contents.identity(world.keep(b"{", "application/json"))[1]


def test_where_runs_part_from_each_other() -> None:
    """From different places: at the first. From one place: there or later, which is said."""
    assert only(said(World(), None, "forty-four")).runs_part() == (6, True)
    assert only(said(World(), "forty-four", "fort")).runs_part() == (4, True)
    assert only(said(World(), "forty-four", "forty-fwo")).runs_part() == (6, False)
    assert only(said(World(), "forty-four", "forty-four")).runs_part() is None
    assert only(said(World(), None, None)).runs_part() is None


def test_the_first_token_is_the_earliest_of_all_runs() -> None:
    world = World()
    subject = world.subject(7)
    runs = [world.run(subject, "x", tokens="differs", number=n, of=2, token=place)
            for n, place in ((1, 9), (2, 4))]  # fmt: skip
    assert only(gather(runs)).tokens.first == 4


def test_more_outputs_than_are_kept_are_counted() -> None:
    report = said(World(), *(f"output {n}" for n in range(OUTPUTS_MAX + 5)))
    one = only(report)
    assert one.outputs.more
    assert one.distinct == OUTPUTS_MAX + 2
    assert one.with_output == one.runs == OUTPUTS_MAX + 5
    found = document(report)["results"][0]["outputs"]
    assert found["at_least"]
    assert sum(each["runs"] for each in found["counts"]) + found["others"] == one.runs


@given(st.lists(st.integers(0, 30)), st.integers(1, 5))
def test_few_is_exact_in_any_order(keys: list[int], most: int) -> None:
    found: list[Few[int, int]] = []
    for order in (keys, sorted(keys), sorted(keys, reverse=True)):
        few: Few[int, int] = Few(most, 0)
        for key in order:
            few.add(key, 1)
        found.append(few)
    kept = sorted(set(keys))[:most]
    for few in found:
        assert list(few.items()) == [(key, keys.count(key)) for key in kept]
        assert few.rest == sum(key not in kept for key in keys)
        assert few.more == (len(set(keys)) > most)


# Environments


def test_what_another_environment_explains_is_apart() -> None:
    """Three runs as recorded; the service changes; two runs differ: not called nondeterministic."""
    world = World()
    subject = world.subject(7, fingerprint=FP_1)
    runs = [world.run(subject, number=n, of=5, fingerprint=FP_1, bits="match") for n in (1, 2, 3)]
    runs += [
        world.run(subject, "forty-four", number=n, of=5, fingerprint=FP_2, bits="differs")
        for n in (4, 5)
    ]
    report = gather(runs, world.contents)
    assert only(report).verdict == "environment"
    assert report.nondeterministic == []
    assert report.differing("text") == {"same": 0, "changed": 2, "unknown": 0}
    first, second = report.environments()
    assert (first.fingerprint, first.tally.runs, first.recorded) == ("fp_1", 3, 5)
    assert (second.fingerprint, second.tally.runs, second.recorded) == ("fp_2", 2, 0)
    assert (first.tally.matched("text"), second.tally.matched("text")) == (3, 0)
    (change,) = report.changes()
    assert change == Change("system_fingerprint", "fp_1", "fp_2", 2)
    turns = {turn.level: (turn.matched_in, turn.differed_in) for turn in report.turns()}
    assert turns == dict.fromkeys(("text", "bits"), ((first.digest,), (second.digest,)))
    assert report.reasons == {"environment_differs": 2}


def test_one_run_that_differs_in_the_same_environment_is_enough() -> None:
    world = World()
    subject = world.subject(7, fingerprint=FP_1)
    runs = [world.run(subject, "x", fingerprint=one) for one in (FP_1, FP_2)]
    report = gather(runs, world.contents)
    assert only(report).verdict == "differs"
    assert only(report).relations == ["same", "changed"]
    assert report.turns() == []


@pytest.mark.parametrize("salted", [False, True])
def test_nested_members_of_environments(salted: bool) -> None:
    world = World(salted)
    old = {"threads": 1, "lib": {"a": "1", "b": "1"}, "gone": True}
    new = {"threads": 1, "lib": {"a": "2", "b": "1"}, "here": 1}
    subject = world.subject(7, fingerprint=old)
    runs = [world.run(subject, number=n, of=2, fingerprint=new) for n in (1, 2)]
    report = gather(runs, world.contents)
    changes = {(one.member, one.old, one.new, one.runs) for one in report.changes()}
    assert changes == {("lib.a", "1", "2", 2), ("gone", True, None, 2), ("here", None, 1, 2)}
    assert report.unread_changes == 0
    unread = gather(runs, Contents())
    assert unread.changes() == []
    assert unread.unread_changes == 2


def test_an_environment_that_is_not_said_is_a_row_of_its_own() -> None:
    report = said(World(), None, "x")
    (row,) = report.environments()
    assert (row.name, row.document, row.tally.runs) == ("not known", None, 2)
    assert row.relations == {"same": 0, "changed": 0, "unknown": 2}
    assert only(report).verdict == "differs"


# What did not run, and what was damaged


def test_failures_are_counted_by_reason() -> None:
    world = World()
    runs = [world.run(world.subject(1), reason="engine_failed")]
    runs += [world.run(world.subject(2), number=n, of=2, reason=reason)
             for n, reason in ((1, "engine_failed"), (2, None))]  # fmt: skip
    runs += [world.run(world.subject(3), reason="content_missing", archive="differs")]
    runs += [world.run(world.subject(4, None), wanted="archive")]
    runs += [world.run(world.subject(5))]
    report = gather(runs, world.contents)
    assert [one.verdict for one in report.witnesses] == [
        "not_run", "incomplete", "archive", "not_observable", "reproduced",
    ]  # fmt: skip
    assert report.reasons == {"engine_failed": 2, "content_missing": 1}
    assert (report.runs, report.answered, report.succeeded) == (6, 3, 3)
    assert not report.reproduced


def test_a_damaged_archive_accuses_no_model() -> None:
    """Everything after an archive that differs differs too (section 6), which shows nothing."""
    world = World()
    one = only(gather([world.run(world.subject(1), archive="differs")], world.contents))
    assert one.tally.count("text", "differs") == 1
    assert (one.verdict, one.as_recorded, one.distinct) == ("archive", 1, 1)
    other = only(gather([world.run(world.subject(1), "x", archive="differs")], world.contents))
    assert other.verdict == "differs"


def test_confidence() -> None:
    world = World()
    subject = world.subject(1)
    runs = [world.run(subject, number=n, of=3, confidence=(0.5, value))
            for n, value in enumerate((0.25, 0.5, 1.0), 1)]  # fmt: skip
    found = gather(runs, world.contents).confidence.document()
    assert found == {"runs": 3, "min": -0.25, "max": 0.5, "mean": pytest.approx(0.25 / 3)}


# Any statements in any order


@st.composite
def stories(draw: st.DrawFn) -> tuple[World, list[Run]]:
    world = World(draw(st.booleans()))
    runs = []
    fingerprints = st.sampled_from([None, FP_1, FP_2, {"threads": 1}])
    for index in range(draw(st.integers(1, 4))):
        subject = world.subject(
            index, draw(st.sampled_from(["forty-two", None])), draw(fingerprints)
        )
        of = draw(st.integers(1, 6))
        for number in range(1, of + 1):
            reason = draw(st.sampled_from([None, None, None, "engine_failed", "weights_mismatch"]))
            output = draw(st.sampled_from([None, "forty-four", "fort", "x", "y"]))
            runs.append(
                world.run(
                    subject,
                    output,
                    number=number,
                    of=of,
                    reason=reason,
                    fingerprint=draw(fingerprints),
                    tokens=draw(st.sampled_from(["match", "differs", "not_observable"])),
                    logprobs=draw(st.sampled_from(["match", "differs", "not_observable"])),
                    wanted=draw(st.sampled_from(["archive", "text", "tokens", "bits"])),
                    archive="match" if reason is None else draw(st.sampled_from(STATES[:2])),
                    confidence=draw(st.sampled_from([None, (0.1, 0.7), (0.3, 0.2)])),
                    place=len(runs),
                )
            )
    return world, runs


@settings(max_examples=60, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_counts_add_up_in_any_order(story: tuple[World, list[Run]], chance: random.Random) -> None:
    world, runs = story
    report = gather(runs, world.contents)
    assert report.runs == len(runs) == sum(one.runs for one in report.witnesses)
    assert sum(report.verdicts.values()) == len(report.witnesses)
    assert report.succeeded + sum(report.reasons.values()) == report.runs
    for level in LEVELS:
        n, m = report.agreement(level)
        assert n <= m <= report.runs
        assert sum(report.tally.count(level, state) for state in STATES) == report.runs
        answered = level != "archive"
        if answered:
            assert sum(report.differing(level).values()) == report.tally.count(level, "differs")
    assert sum(row.tally.runs for row in report.environments()) == report.answered
    for one in report.witnesses:
        same, pairs = one.pairs
        assert same <= pairs
        assert one.with_output <= one.runs
        assert len(one.cells) == one.runs
        assert sum(tally.runs for _, tally in one.environments.items()) <= one.runs
    for bar in bars(report):
        assert sum(part.runs for part in bar.segments) == report.runs
        assert sum(part.width for part in bar.segments) == report_plot._BAR_WIDTH

    shuffled = list(runs)
    chance.shuffle(shuffled)
    again = gather(shuffled, World(world.salted, world.stored).contents)
    assert document(again) == document(report)
    assert list(page(again, "o", b"")) == list(page(report, "o", b""))
    json.dumps(document(report), allow_nan=False)


def test_memory_does_not_grow_with_the_runs() -> None:
    world = World()
    subject = world.subject(1)
    report = Report(world.contents)
    for place in range(500):
        output = f"output {place}" if place % 2 else None
        fingerprint = {"model": "m", "system_fingerprint": f"fp_{place}"}
        report.add(world.run(subject, output, fingerprint=fingerprint, place=place))
    one = only(report)
    assert len(one.cells) == CELLS_MAX
    assert len(one.outputs) == OUTPUTS_MAX
    assert len(one.environments) < 20
    assert one.runs == 500
    assert report.more_environments + sum(r.tally.runs for r in report.environments()) == 500


# The page


class Page(HTMLParser):
    """Elements and their attributes, and the texts in them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inner: dict[str, str] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "rect", "path"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"rect", "path"}:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        self.inner[inside] = self.inner.get(inside, "") + data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def hostile() -> tuple[World, Report]:
    world = World()
    runs = []
    for index in (1, 2, 3):
        environment = {"model": HOSTILE, "system_fingerprint": HOSTILE, HOSTILE: index}
        subject = world.subject(index, HOSTILE * 4, environment, model=HOSTILE, session=HOSTILE)
        runs += [
            world.run(subject, HOSTILE * 2 + "?", fingerprint=FP_1, engine="openai"),
            world.run(subject, number=2, of=2, reason="engine_failed"),
        ]
    return world, gather(runs, world.contents)


def text_of(report: Report) -> str:
    return "".join(page(report, HOSTILE, bytes(32)))


def test_the_page_is_sealed() -> None:
    """Nothing is loaded, nothing runs, and nothing from a ledger is markup."""
    text = text_of(hostile()[1])
    found = Page(text)
    assert found.open == []
    assert not re.search(r"https?:|//[a-z]|url\((?!#)|@import", text)
    assert not any(
        name.startswith("on") or name in {"style", "src", "href", "srcset", "action"}
        for _, attributes in found.elements
        for name in attributes
    )
    (policy,) = [meta["content"] for meta in found.all("meta") if "http-equiv" in meta]
    assert policy is not None
    digest = base64.b64encode(hashlib.sha256(found.inner["style"].encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "unsafe" not in policy
    assert len(found.all("style")) == 1
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert shown(HOSTILE)[:20] in found.inner["mark"] + found.inner["code"]
    assert {tag for tag, _ in found.elements} <= {
        "html", "head", "meta", "title", "style", "body", "main", "header", "footer", "h1", "h2",
        "h3", "p", "b", "code", "div", "span", "svg", "defs", "pattern", "path", "rect", "g",
        "text", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "mark", "details",
        "summary", "br",
    }  # fmt: skip


def test_passages_are_cut_around_the_first_difference() -> None:
    world = World()
    subject = world.subject(7, "a" * 100 + "b" * 1000)
    runs = [world.run(subject, "a" * (100 + n), number=n, of=9, place=n) for n in (1, 2)]
    (found,) = passages(gather(runs, world.contents))
    assert (found.character, found.skipped) == (100, True)
    assert found.expected is not None
    assert found.replayed is not None
    assert (found.expected.before, found.expected.after) == ("a" * 40, "b" * 120)
    assert found.expected.cut
    assert found.replayed.after in {"a", "aa"}
    assert not found.replayed.cut
    (unread,) = passages(gather(runs))
    assert unread.expected is unread.replayed is None


@pytest.mark.parametrize(("witnesses", "runs"), [(1, 1), (3, 3), (12, 9), (60, 5), (2000, 3)])
def test_every_run_has_a_cell_inside_of_the_drawing(witnesses: int, runs: int) -> None:
    world = World()
    made = []
    for index in range(witnesses):
        subject = world.subject(index)
        made += [world.run(subject, number=n + 1, of=runs) for n in range(runs)]
    drawing = strip(gather(made, world.contents).witnesses)
    assert drawing.cells == witnesses * runs
    assert not drawing.cut
    assert len(drawing.boxes) == witnesses
    for kind, parts in drawing.paths.items():
        assert len(set(parts)) == len(parts), kind
        for part in parts:
            x, y, width, height = map(int, re.findall(r"\d+", part)[:4])
            assert x + width <= report_plot.WIDTH
            assert y + height <= drawing.height


def test_what_is_not_drawn_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    runs = []
    for index in range(20):
        subject = world.subject(index)
        runs += [world.run(subject, f"{n}", number=1, of=1, place=n) for n in range(CELLS_MAX + 1)]
    report = gather(runs, world.contents)
    assert f"at most {CELLS_MAX} runs of each" in text_of(report)
    monkeypatch.setattr(report_plot, "_WITNESSES_MAX", 15)
    monkeypatch.setattr("ledger.replay.report.page._DIFFERING_OPEN", 5)
    monkeypatch.setattr("ledger.replay.report.page._DIFFERING_SHOWN", 10)
    monkeypatch.setattr("ledger.replay.report.page._WITNESSES_SHOWN", 3)
    text = text_of(report)
    for words in ("first 15 of 20 operations", "5 more", "first 10 of 20", "first 3 of 20"):
        assert words in text


def test_pages_of_little() -> None:
    assert "nothing to report on" in text_of(gather([]))
    world = World()
    elsewhere = Subject(b"\1" * 32, "01a1f82f-1e80-7000-9870-bd8659273f50", ledger=b"\2" * 32)
    text = text_of(gather([world.run(elsewhere, "x")], world.contents))
    assert elsewhere.id in text
    assert "no run answered" in text_of(gather([world.run(elsewhere, reason="not_recorded")]))


@pytest.mark.skipif(BROWSER is None, reason="no chromium to look at the page with")
def test_a_browser_shows_it_without_complaint(tmp_path: Path) -> None:
    """The style is allowed by the policy, patterns are found, and no error is logged."""
    (tmp_path / "x.html").write_text(text_of(hostile()[1]), encoding="utf-8")
    ran = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=3000", "--dump-dom", f"file://{tmp_path}/x.html",
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in ran.stderr
    assert "Content Security Policy" not in ran.stderr
    assert "<script" not in ran.stdout
    assert len(Page(ran.stdout).all("rect")) > 20


# Of a ledger


def test_running_and_reading_back_say_the_same(log: Ledger) -> None:
    """An engine that is not deterministic, over a ledger: the report of the runs, and recorded."""
    answers = iter(["It is a raven.", "It is a ship.", "It is a raven."] * 2)
    engine = Scripted(lambda task: says(next(answers), environment={"threads": 1}))
    names = [local(log, environment={"threads": 1}) for _ in range(2)]
    report = determinism(log, engine=engine)
    assert report.runs == 6
    assert report.agreement("text") == (4, 6)
    assert report.nondeterministic == [log.by_id(name).index for name in names]
    again = recorded_determinism(log)
    kept = {"keys"}
    first, second = document(report), document(again)
    assert {k: v for k, v in first.items() if k not in kept} == {
        k: v for k, v in second.items() if k not in kept
    }
    assert sum(second["keys"].values()) == 6
    (one,) = recorded_determinism(log, [names[1]]).witnesses
    assert one.subject.id == names[1]
    assert one.runs == 3
    assert recorded_determinism(log, session="other").runs == 0
    assert recorded_determinism(log, [log.by_id(names[0]).index]).runs == 3


def test_without_recording_outputs_are_known_all_the_same(log: Ledger) -> None:
    local(log)
    engine = Scripted(lambda task: says("It is a ship."))
    before = len(log)
    report = determinism(log, engine=engine, record=False, runs=2)
    assert len(log) == before
    (found,) = passages(report)
    assert found.replayed is not None
    assert found.replayed.after == "ship."
    assert only(report).distinct == 2


def test_a_witness_of_another_ledger(log: Ledger) -> None:
    """Who replays from a package has no witness: it is named by its id, and listed last."""
    local(log)
    determinism(log, engine=Scripted(lambda task: says("It is a raven.")), runs=1)
    body = next(log.find(type="replay")).payload.body
    away = Parent("01a1f82f-1e80-7000-9870-bd8659273f50", b"\7" * 32, b"\x09" * 32)
    log.append("replay", body, parents=[away])
    report = recorded_determinism(log)
    assert [one.subject.index is None for one in report.witnesses] == [False, True]
    assert report.witnesses[1].as_recorded == 1
    assert recorded_determinism(log, [away.id]).runs == 1
    assert document(report)["results"][1]["ledger"] == "09" * 32


def test_drafts_of_the_schema(log: Ledger) -> None:
    """The bodies made by hand in these tests are bodies that a ledger takes."""
    witness = log.by_id(local(log))
    world = World()
    run = world.run(world.subject(1, None), "x")
    parent = Parent(witness.id, witness.leaf_hash)
    contents = [log.archive(content, "text/plain") for content in world.stored.values()]
    log.append_many([Draft("replay", dict(run.body), (parent,), tuple(contents))])
    assert recorded_determinism(log).runs == 1
