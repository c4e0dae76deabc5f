"""Operations over two ledgers, packages beside each other, and the lineage of one statement."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier import build
from tests.verifier.combined import INSIGHT, Combined, Payload
from tests.verifier.conftest import REPO
from tests.verifier.replayed import story as replays
from tests.verifier.test_operations import put
from tests.verifier.test_sessions import found, prune
from verifier import BESIDE_MAX, Report, Trust, verify_package
from verifier.cli import main
from verifier.html import to_html

THERE = "example.org/insights"


class Pair:
    """One ledger with an insight and a transfer, and one with what was made of them."""

    def __init__(
        self,
        folder: Path,
        bend: dict[str, Callable[[Payload], Any]] | None = None,
        claims: Payload | None = None,
        there: dict[str, Any] | None = None,
        bad: bool = False,
        session: str = "far/one",
        after: Callable[[Pair], None] | None = None,
    ) -> None:
        self.folder = folder
        self.far = Combined(ledger=build.Ledger(origin=THERE, seed=8), session=session, bend=bend)
        far = self.far
        far.call("w_think", "strong", b"the question", 0.5)
        question = dict(far.body["w_think"]["data"]["prompt_hash"])
        far.work("i", "insight", "strong", INSIGHT, ["w_think"], atoms=["a", "b"])
        far.transfer("t", "cheap", ["i"])
        far.work("i2", "insight", "strong", "more", ["t"])
        if bad:
            far.add("bad", "annotation", {"kind": "x", "extra": 1}, ["i"])
        near = self.near = Combined(bend=bend)
        near.operation = {"name": "answers", "number": 3}
        near.join("far_i", far, "i")
        near.join("far_t", far, "t")
        for text in (INSIGHT.encode(), b"the question", b"more"):
            near.ledger.content(text)  # what is named here is archived here
        said = {"model_id": "strong", "context": question}
        near.transfer("t_own", "cheap", ["far_i"], source=said)
        near.call("w", "cheap", f"use {INSIGHT}".encode())
        near.work("e", "execution", "cheap", "done", ["t_own", "far_t", "w"])
        more = {} if claims is None else {"claims": claims}
        near.provenance("p", ["far_i", "far_t", "t_own", "e"], **more)
        near.combine("c", "p")
        if after is not None:
            after(self)
        self.there = build.package(self._pruned(far), **(there or {}))
        self.here = build.package(self._pruned(near))
        build.write(self.there, folder / "there")
        build.write(self.here, folder / "here")

    def _pruned(self, scene: Combined) -> build.Ledger:
        prune(scene.ledger)
        return scene.ledger

    def verify(self, pinned: bool = True, together: bool = True, **given: Any) -> Report:
        near, far = self.near.ledger, self.far.ledger
        trust = [near.genesis.hex()]
        heads = [f"{len(near.entries)}:{near.root().hex()}"]
        if pinned:
            trust.append(far.genesis.hex())
            head = self.folder / "far.txt"
            head.write_bytes(far.checkpoint())
            heads.insert(0, str(head))
        others = {"beside": [self.folder / "there"]} if together else {}
        if not together:
            heads, trust = heads[-1:], trust[:1]
        asked = {"trust": trust, "known_head": heads, **others, **given}
        return verify_package(self.folder / "here", **asked)


def test_two_ledgers_verify_together(tmp_path: Path) -> None:
    """With the other ledger's package beside, pinned, nothing is left open on either side."""
    report = Pair(tmp_path).verify()
    assert found(report, "fail", "limit", "note") == []
    assert (report.exit_code, report.counts["parents_outside"]) == (0, 0)
    (other,) = report.beside or []
    assert (other.exit_code, other.origin, other.pinned) == (0, THERE, True)
    assert found(other, "note") == [("operation_open", 2)]
    assert report.not_checked == []
    members = json.loads(report.to_json())
    assert [*members][-4:] == ["lineage", "replays", "replay_run", "beside"]
    assert members["lineage"] is None
    assert "beside" not in members["beside"][0]
    assert members["beside"][0]["package"] == str(tmp_path / "there")
    for text in (report.to_text(), to_html(report)):
        assert THERE in text
        assert text.count("completeness") == 2


def test_without_the_other_package(tmp_path: Path) -> None:
    """Parents in a ledger of which nothing is at hand are outside; their rules are not judged."""
    pair = Pair(tmp_path)
    report = pair.verify(together=False)
    assert set(found(report, "fail", "limit", "note")) == {
        ("parent_outside", pair.near.at[step]) for step in ("t_own", "e", "p", "c")
    }
    assert report.exit_code == 0
    assert report.counts["parents_outside"] == 6
    assert report.summaries["lineage"] == "13 links, 1 operation of 2 stages, 6 outside"
    assert "rules of operations over statements that are not at hand (1)" in report.not_checked
    assert report.beside == []


def test_unpinned_ledger_limits_once(tmp_path: Path) -> None:
    """A genesis that nobody pinned is named once, and the answer is limited."""
    pair = Pair(tmp_path)
    report = pair.verify(pinned=False)
    assert found(report, "fail", "limit", "note") == [("outside_unpinned", pair.near.at["t_own"])]
    assert (report.exit_code, report.status("lineage")) == (3, "limited")
    (other,) = report.beside or []
    assert {code for code, _ in found(other, "limit")} == {"unpinned", "unanchored"}
    assert report.pinned
    assert not other.pinned


def test_failed_ledger_fails_its_children(tmp_path: Path) -> None:
    """Each parent in a package that failed is named; other findings there do not count here."""
    pair = Pair(tmp_path, bad=True)
    report = pair.verify()
    assert report.exit_code == 1
    assert {code for code, _ in found(report, "fail", "limit", "note")} == {"outside_failed"}
    assert report.finding_counts["outside_failed"] == 6
    (other,) = report.beside or []
    assert [code for code, _ in found(other, "fail")] == ["body_invalid"]


def test_failed_ledger_that_nobody_names_is_of_no_weight(tmp_path: Path) -> None:
    """The verdict is that of the first package."""
    pair = Pair(tmp_path, bad=True)
    plain = build.sample()
    build.write(build.package(plain), tmp_path / "plain")
    head = f"{len(plain.entries)}:{plain.root().hex()}"
    report = verify_package(
        tmp_path / "plain",
        trust=[plain.genesis.hex(), pair.far.ledger.genesis.hex()],
        known_head=head,
        beside=[tmp_path / "there"],
    )
    assert report.exit_code == 0
    assert (report.beside or [])[0].exit_code == 1


def built_on(p: Payload) -> None:
    """Let an insight only build on its call."""
    p["body"] |= {"made_with": 0, "usage": {"operations": 0, "priced": 0}}


BENDS: list[tuple[str, Callable[[Payload], Any], list[tuple[str, str]]]] = [
    ("t_own", put("source", model_id="weak"), [("stage_mismatch", "t_own")]),
    ("t_own", put("source", context=build.ref(b"more")), [("stage_mismatch", "t_own")]),
    ("t_own", put("content", media_type="text/x"), [("stage_mismatch", "t_own")]),
    ("i", built_on, [("stage_mismatch", "t_own"), ("derivation_mismatch", "c")]),
    ("e", put(model_id="dear"), [("stage_mismatch", "e"), ("part_mismatch", "c")]),
    ("w", put("data", prompt_hash=build.ref(b"use nothing")), []),
    ("p", put("steps", 0, label="their-own-name"), []),
    ("p", put("steps", 0, stage="execution"), [("part_mismatch", "p")]),
    ("c", put("insights", 0, model_id="weak"), [("part_mismatch", "c")]),
    ("c", put("cost", "breakdown", insight=1.0), [("derivation_mismatch", "c")] * 2),
    ("c", put("cost", operations=9), [("derivation_mismatch", "c")]),
]


@pytest.mark.parametrize(("step", "bend", "wanted"), BENDS)
def test_rules_use_stages_of_other_ledgers(
    tmp_path: Path, step: str, bend: Callable[[Payload], Any], wanted: list[tuple[str, str]]
) -> None:
    """What another ledger's stage says is held against what is said of it here."""
    pair = Pair(tmp_path, bend={step: bend})
    report = pair.verify()
    fails = [one for one in found(report, "fail") if one[0] != "content_missing"]
    assert sorted(fails) == sorted((code, pair.near.at[where]) for code, where in wanted)


def test_call_that_a_stage_elsewhere_builds_on(tmp_path: Path) -> None:
    """It is no context of that stage, also where it is at hand because it is named here."""

    def name_it(pair: Pair) -> None:
        pair.near.join("far_w", pair.far, "w_think")
        pair.near.operation = {"name": "answers", "number": 4}
        pair.near.work("late", "insight", "any", "thing", ["far_w"])

    pair = Pair(tmp_path / "a", after=name_it)
    assert found(pair.verify(), "fail") == []
    pair = Pair(tmp_path / "b", bend={"i": built_on}, after=name_it)
    assert found(pair.verify(), "fail") == [
        ("stage_mismatch", pair.near.at["t_own"]),
        ("derivation_mismatch", pair.near.at["c"]),
    ]


def named(number: int, **members: Any) -> Callable[[Payload], None]:
    return lambda p: p["parents"][number].update(members)


def test_parents_that_the_other_ledger_has_not(tmp_path: Path) -> None:
    """An invented parent is missing in a whole ledger, outside a part; an id must be right."""
    pair = Pair(tmp_path / "a", bend={"t_own": named(0, leaf_hash=bytes(32))})
    assert found(pair.verify(), "fail") == [("parent_missing", pair.near.at["t_own"])]
    part = {"kind": "session", "session": "far/one"}
    pair = Pair(tmp_path / "b", bend={"t_own": named(0, leaf_hash=bytes(32))}, there=part)
    report = pair.verify()
    assert found(report, "fail", "note") == [("parent_outside", pair.near.at["t_own"])]
    assert "rules of operations over statements that are not at hand (1)" in report.not_checked
    pair = Pair(tmp_path / "c", bend={"p": named(0, leaf_hash=bytes(32))})
    assert {c for c, i in found(pair.verify(), "fail") if i == pair.near.at["p"]} == {
        "parent_missing", "part_missing",
    }  # fmt: skip
    other = "019a0000-0000-7000-8000-000000000000"
    pair = Pair(tmp_path / "d", bend={"t_own": named(0, id=other)})
    assert found(pair.verify(), "fail") == [("parent_mismatch", pair.near.at["t_own"])]


def test_part_of_the_other_ledger_is_enough(tmp_path: Path) -> None:
    """A package of a session has the parents just as well."""
    report = Pair(tmp_path, there={"kind": "session", "session": "far/one"}).verify()
    assert found(report, "fail", "limit", "note") == []
    assert report.exit_code == 0


def test_own_ledger_named_as_another(tmp_path: Path) -> None:
    """`ledger` is never this ledger's own, and such a parent is not looked up."""
    ledger = build.sample()
    there = ledger.named(1) | {"ledger": ledger.genesis}
    at = ledger.add("annotation", {"kind": "note"}, session="run-1", parents=[there],
                    stream="run-1/notes")  # fmt: skip
    build.write(build.package(ledger), tmp_path / "p")
    report = verify_package(tmp_path / "p", trust=ledger.genesis.hex())
    assert found(report, "fail", "note") == [("parent_mismatch", at)]


@pytest.mark.parametrize("kind", ["witness", "annotation", "replay", "anything_else"])
def test_types_that_may_have_parents_elsewhere(tmp_path: Path, kind: str) -> None:
    """Witnesses, annotations, replays and unknown types may; leaf hashes here do not matter."""
    ledger = build.sample()
    there = ledger.named(1) | {"ledger": bytes(32)}
    bodies = {"witness": build.witness(), "replay": replays().body["away"]}
    body = bodies.get(kind, {"kind": "note"})
    at = ledger.add(kind, body, session="run-3", parents=[there], stream="run-3/a")
    build.write(build.package(ledger), tmp_path / "p")
    report = verify_package(tmp_path / "p", trust=ledger.genesis.hex())
    assert found(report, "fail") == []
    assert ("parent_outside", at) in found(report, "note")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("stream_close", {"statements": 1}),
        ("replay_operation", {}),
        ("savepoint", {"stage": "a", "complete": False, "state": build.ref(b"hello")}),
        ("import", {"format": "x", "source": build.ref(b"hello"), "witnesses": 0,
                    "annotations": 0}),
    ],
)  # fmt: skip
def test_types_that_may_not(tmp_path: Path, kind: str, body: Payload) -> None:
    """Other known types have parents in their own ledger only."""
    ledger = build.sample()
    there = ledger.named(1) | {"ledger": bytes(32)}
    at = ledger.add(kind, body, session="run-3", parents=[there], stream="run-3/a")
    build.write(build.package(ledger), tmp_path / "p")
    report = verify_package(tmp_path / "p", trust=ledger.genesis.hex())
    assert found(report, "fail") == [("payload_invalid", at)]


def test_witness_whose_first_parent_is_elsewhere(tmp_path: Path) -> None:
    """A parent in another ledger is no outcome here, whatever its leaf hash."""
    from tests.verifier.scene import story

    scene = story()
    at = scene.at["outcome_a"]
    there = scene.ledger.named(at) | {"ledger": bytes(32)}
    scene.ledger.add("witness", build.witness(scene.ledger.content(b"hi")), parents=[there],
                     session=scene.session, stream="run-3/a")  # fmt: skip
    build.write(build.package(scene.ledger), tmp_path / "p")
    report = verify_package(tmp_path / "p", trust=scene.ledger.genesis.hex())
    assert found(report, "fail") == []


@pytest.mark.parametrize(
    ("beside", "pinned", "bend", "status"),
    [
        (True, True, {}, "verified"),
        (True, False, {}, "verified"),
        (False, True, {}, "outside"),
        (True, True, {"i": put("usage", operations=7)}, "failed"),
        (True, True, {"i2": put("usage", operations=7)}, "failed"),
    ],
)
def test_claims_over_two_ledgers(
    tmp_path: Path, beside: bool, pinned: bool, bend: dict[str, Any], status: str
) -> None:
    """Status is outside without the package, and failed with a part that is."""
    for claimed in ("verified", "outside", "failed"):
        pair = Pair(tmp_path / claimed, bend=bend, claims={"status": claimed})
        codes = [code for code, _ in found(pair.verify(pinned=pinned, together=beside), "fail")]
        assert ("claim_mismatch" in codes) is (claimed != status)


def test_trust_chain_needs_all_parts(tmp_path: Path) -> None:
    """Keys are compared where all parents are at hand, and only there."""
    wrong = {"trust_chain": [bytes(32)]}
    pair = Pair(tmp_path, claims=wrong)
    assert found(pair.verify(), "fail") == [("claim_mismatch", pair.near.at["p"])]
    assert found(pair.verify(together=False), "fail") == []


def test_packages_that_cannot_stand_beside(tmp_path: Path) -> None:
    """Two packages of one ledger, or one that cannot be read, are exit 2."""
    pair = Pair(tmp_path)
    there, here = tmp_path / "there", tmp_path / "here"
    for others, code in (
        ([there, there], "usage"),
        ([here], "usage"),
        ([there, here], "usage"),
        ([tmp_path / "nothing"], "input_unreadable"),
        ([tmp_path], "not_a_package"),
    ):
        report = pair.verify(pinned=False, beside=others)
        assert report.exit_code == 2
        assert [f["code"] for f in report.findings if f["severity"] == "fatal"] == [code]
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\3\4 no zip")
    report = pair.verify(pinned=False, beside=[broken])
    assert report.findings[0]["code"] == "zip_invalid"
    assert (report.beside or [])[0].exit_code == 2
    with pytest.raises(ValueError, match="beside"):
        verify_package(here, beside=[there] * (BESIDE_MAX + 1))


def test_pins_are_for_the_package_that_they_name(tmp_path: Path) -> None:
    """A pin of no package at all is held against the first one."""
    pair = Pair(tmp_path)
    near, far = pair.near.ledger, pair.far.ledger
    far_only = pair.verify(trust=[far.genesis.hex()])
    assert found(far_only, "limit") == [("unpinned", None)]
    assert not far_only.pinned
    stranger = pair.verify(trust=[far.genesis.hex(), bytes(32).hex()])
    assert found(stranger, "fail") == [("genesis_mismatch", 0)]
    origins = [Trust(near.genesis, near.origin), Trust(far.genesis, "example.org/else")]
    report = pair.verify(trust=origins)
    assert {code for code, _ in found(report, "fail")} == {"outside_failed"}
    assert [code for code, _ in found((report.beside or [])[0], "fail")] == ["genesis_mismatch"]
    one = pair.verify(trust=origins[0])
    assert found(one, "limit") == [("outside_unpinned", pair.near.at["t_own"])]


def test_known_heads_are_for_the_package_of_their_origin(tmp_path: Path) -> None:
    """A checkpoint goes by its origin; SIZE:ROOT is for the first, and each has at most one."""
    pair = Pair(tmp_path)
    near, far = tmp_path / "near.txt", tmp_path / "far.txt"
    near.write_bytes(pair.near.ledger.checkpoint())
    far.write_bytes(pair.far.ledger.checkpoint())
    report = pair.verify(known_head=[str(far), str(near)])
    assert report.exit_code == 0
    assert (report.beside or [])[0].exit_code == 0
    only = pair.verify(known_head=str(far))
    assert found(only, "limit") == [("unanchored", 0)]
    assert (report.beside or [])[0].known_head == (
        len(pair.far.ledger.entries), pair.far.ledger.root(),
    )  # fmt: skip
    twice = pair.verify(known_head=[str(near), f"1:{'0' * 64}"])
    assert [f["code"] for f in twice.findings if f["severity"] == "fatal"] == ["usage"]


def entry(pair: Pair, step: str, near: bool = True) -> dict[str, Any]:
    scene = pair.near if near else pair.far
    ledger, index = scene.ledger, scene.at[step]
    return {
        "genesis": ledger.genesis.hex(), "index": index, "id": ledger.ids[index],
        "type": scene.kind[step], "leaf_hash": build.leaf_hash(ledger.entries[index]).hex(),
    }  # fmt: skip


def test_lineage_of_a_combination(tmp_path: Path) -> None:
    """Everything that a statement rests on, through both ledgers, from the largest index down."""
    pair = Pair(tmp_path)
    at = pair.near.at["c"]
    leaf = build.leaf_hash(pair.near.ledger.entries[at]).hex()
    for asked in (pair.near.ledger.ids[at], at, str(at), leaf):
        report = pair.verify(lineage=asked)
        assert report.lineage == {
            "of": entry(pair, "c"),
            "ancestors": [
                *(entry(pair, step) for step in ("p", "e", "w", "t_own")),
                *(entry(pair, step, False) for step in ("t", "i", "w_think")),
            ],
            "outside": [],
            "cut": False,
        }
    assert report.exit_code == 0
    text, page = report.to_text(), to_html(report)
    assert f"lineage of {at}  cross_model" in text
    for one in report.lineage["ancestors"]:
        assert re.search(rf"{one['index']}  {one['type']} +{one['id']}", text)
        assert one["leaf_hash"] in page


def test_lineage_without_the_other_package(tmp_path: Path) -> None:
    """What no package has is listed by its ledger and leaf hash, in their order."""
    pair = Pair(tmp_path)
    report = pair.verify(together=False, lineage=pair.near.at["e"])
    assert report.lineage is not None
    assert [one["index"] for one in report.lineage["ancestors"]] == [
        pair.near.at["w"], pair.near.at["t_own"],
    ]  # fmt: skip
    wanted = [entry(pair, step, False) for step in ("i", "t")]
    assert report.lineage["outside"] == [
        {k: one[k] for k in ("genesis", "id", "leaf_hash")}
        for one in sorted(wanted, key=lambda one: one["leaf_hash"])
    ]
    assert "not at hand" in report.to_text()
    assert "Not at hand" in to_html(report)


def test_lineage_in_a_part(tmp_path: Path) -> None:
    """A parent that a part does not hold is of no named ledger."""
    ledger = build.Ledger()
    first = ledger.add("witness", build.witness(ledger.content(b"hello")), session="a", stream="a")
    last = ledger.add("annotation", {"kind": "x"}, session="b", stream="b", parents=[first])
    ledger.contents.clear()
    build.write(build.package(ledger, kind="session", session="b"), tmp_path / "p")
    report = verify_package(tmp_path / "p", lineage=last)
    assert report.lineage is not None
    assert report.lineage["ancestors"] == []
    assert report.lineage["outside"] == [
        {"genesis": None, "id": ledger.ids[first],
         "leaf_hash": build.leaf_hash(ledger.entries[first]).hex()}
    ]  # fmt: skip


def test_ledgers_that_name_each_other(tmp_path: Path) -> None:
    """A walk goes back and forth between ledgers, and each record is listed once."""
    far, near = build.Ledger(origin=THERE, seed=8), build.Ledger()
    names: list[tuple[build.Ledger, int]] = []
    for n in range(40):
        mine, other = (far, near) if n % 2 else (near, far)
        named = [mine.named(names[-1][1], other)] if names else None
        if len(names) > 3:
            named = [*(named or []), names[-2][1]]
        at = mine.add("witness", build.witness(mine.content(b"hello")), session="a", stream="a",
                      parents=named)  # fmt: skip
        names.append((mine, at))
    build.write(build.package(far), tmp_path / "far")
    build.write(build.package(near), tmp_path / "near")
    report = verify_package(tmp_path / "far", beside=[tmp_path / "near"], lineage=names[-1][1])
    assert report.lineage is not None
    got = [(one["genesis"], one["index"]) for one in report.lineage["ancestors"]]
    wanted = [(ledger.genesis.hex(), index) for ledger, index in names[:-1]]
    order = {far.genesis.hex(): 0, near.genesis.hex(): 1}
    assert got == sorted(wanted, key=lambda one: (order[one[0]], -one[1]))


@pytest.mark.parametrize(
    "asked",
    ["999999", "x", "019a0000-0000-7000-8000-000000000000", "0" * 64, "0" * 63, "-1", "01", ""],
)
def test_lineage_of_nothing_is_a_wrong_call(tmp_path: Path, asked: str) -> None:
    """A statement that is not there is `usage`, exit 2."""
    build.write(build.package(build.sample()), tmp_path / "p")
    report = verify_package(tmp_path / "p", lineage=asked)
    assert report.exit_code == 2
    assert [f["code"] for f in report.findings if f["severity"] == "fatal"] == ["usage"]


def test_long_lineage_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many ancestors are listed, and the report says that there are more."""
    import verifier.ancestors

    ledger = build.Ledger()
    prompt = ledger.content(b"hello")
    at = ledger.add("witness", build.witness(prompt))
    for _ in range(600):
        at = ledger.add("witness", build.witness(prompt), parents=[at])
    build.write(build.package(ledger), tmp_path / "p")
    report = verify_package(tmp_path / "p", lineage=at)
    assert report.lineage is not None
    assert [one["index"] for one in report.lineage["ancestors"]] == [*range(600, 0, -1)]
    assert not report.lineage["cut"]
    monkeypatch.setattr(verifier.ancestors, "LINEAGE_MAX", 7)
    report = verify_package(tmp_path / "p", lineage=at)
    assert report.lineage is not None
    assert [one["index"] for one in report.lineage["ancestors"]] == [*range(600, 593, -1)]
    assert report.lineage["cut"]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The options may be given several times, and a wrong call is exit 2."""
    pair = Pair(tmp_path)
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    near, far = pair.near.ledger, pair.far.ledger
    given = [here, "--beside", there, "--trust", near.genesis.hex(), "--trust", far.genesis.hex()]
    given += ["--known-head", f"{len(near.entries)}:{near.root().hex()}"]
    assert main([*given, "--lineage", str(pair.near.at["c"])]) == 0
    out = capsys.readouterr().out
    assert f"beside  {there}" in out
    page = tmp_path / "page.html"
    assert main([*given, "--html", str(page), "--quiet"]) == 0
    assert "Beside" in page.read_text()
    assert main([here, "--lineage", "nothing"]) == 2
    assert "usage" in capsys.readouterr().err
    assert main([here, "--beside", str(tmp_path)]) == 2
    with pytest.raises(SystemExit):
        main([here, *["--beside", there] * 17])
    command = [sys.executable, "-m", "verifier", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPO, check=True)
    assert "--beside PACKAGE" in done.stdout
    assert "--lineage ID" in done.stdout
