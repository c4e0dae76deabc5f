"""`vif determinism`: what is recorded, what is run now, as text, JSON and a page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger import Ledger
from ledger.replay import determinism
from tests.cli.world import FORBIDDEN, HOSTILE_NAME, HOSTILE_TEXT, Vif
from tests.replay.lab import Scripted, local, says
from tests.replay.test_report import Page

RUNS = Path("runs.vif")
TEXT = "It is a raven."
ONE, TWO = {"threads": 1}, {"threads": 2}


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Ledger]:
    """Three witnesses: one reproduced, one not deterministic, one in another environment."""
    ledger.init(RUNS, origin="example.org/lab", keys=tmp_path / "keys")
    told = iter([
        (TEXT, ONE), (TEXT, ONE), (TEXT, ONE), ("It is a ship.", ONE),
        (TEXT, ONE), ("It is a heap.", TWO),
    ])  # fmt: skip

    def answer(task: Any) -> Any:
        text, environment = next(told)
        return says(text, environment=environment)

    with ledger.open(RUNS, keys=tmp_path / "keys", session="pilot") as log:
        for _ in range(3):
            local(log, TEXT, environment=ONE)
        determinism(log, engine=Scripted(answer), runs=2)
        yield log


def test_what_is_recorded(vif: Vif, runs: Ledger) -> None:
    """The three kinds are told apart, and the exit code says that not all came out the same."""
    ran = vif("determinism", RUNS, "--recorded")
    assert (ran.code, ran.err) == (1, "")
    first, *_ = ran.out.splitlines()
    assert first == (
        "6 runs of 3 operations: 1 operation did not come out the same, "
        "1 more only in another environment."
    )
    lines = {line.split()[0]: line.split() for line in ran.out.splitlines() if line}
    assert lines["text"] == ["text", "4", "of", "6", "1", "1", "0", "0"]
    assert "threads: 1 → 2  in 1 run" in ran.out
    assert "text: the same in E1, differs in E2" in ran.out
    assert "ship." in ran.out
    assert "output_differs" in ran.out


def test_as_json(vif: Vif, runs: Ledger) -> None:
    ran = vif("determinism", RUNS, "--recorded", "--json")
    assert ran.code == 1
    found = ran.json
    assert found["nondeterministic"] == [2]
    assert found["levels"]["text"]["n"] == 4
    assert found["levels"]["text"]["m"] == 6
    assert [one["verdict"] for one in found["results"]] == ["reproduced", "differs", "environment"]
    assert found["environments"][0]["environment"] == ONE
    assert found["environment_changes"] == [{"member": "threads", "old": 1, "new": 2, "runs": 1}]


def test_some_of_them(vif: Vif, runs: Ledger) -> None:
    """By index, by id, by session; a witness without runs has nothing to report."""
    ran = vif("determinism", RUNS, 1, "--recorded", "--json")
    assert (ran.code, ran.json["runs"]) == (0, 2)
    identifier = runs.get(2).id
    assert vif("determinism", RUNS, identifier, "#3", "--recorded", "--json").json["runs"] == 4
    assert vif("determinism", RUNS, "-s", "pilot", "--recorded", "--json").json["runs"] == 6
    ran = vif("determinism", RUNS, "-s", "other", "--recorded")
    assert (ran.code, ran.out, ran.err) == (0, "", "no replays\n")


def test_the_page(vif: Vif, runs: Ledger) -> None:
    """It is written beside the text, never over another file, and is whole."""
    ran = vif("determinism", RUNS, "--recorded", "--html", "x.html")
    assert ran.code == 1
    text = Path("x.html").read_text(encoding="utf-8")
    found = Page(text)
    assert found.open == []
    assert "Determinism of operations in example.org/lab" in found.inner["h1"]
    assert runs.genesis.hex() in text
    assert len(found.all("svg")) > 2
    ran = vif("determinism", RUNS, "--recorded", "--html", "x.html", "--json")
    assert (ran.code, ran.error["code"]) == (2, "file_exists")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--recorded"),
        ([1, "--session", "pilot"], "--session"),
        (["--recorded", "--endpoint", "http://127.0.0.1:1/v1"], "runs nothing"),
        (["--session", "pilot", "--level", "most"], "level"),
    ],
)
def test_calls_that_make_no_sense(vif: Vif, runs: Ledger, arguments: list[Any], words: str) -> None:
    ran = vif("determinism", RUNS, *arguments, "--json")
    assert (ran.code, ran.error["code"]) == (2, "usage")
    assert words in ran.error["message"]


def test_only_witnesses(vif: Vif, runs: Ledger) -> None:
    ran = vif("determinism", RUNS, "last", "--recorded", "--json")
    assert (ran.code, ran.error["code"]) == (2, "not_found")
    assert "is no witness: replay" in ran.error["message"]
    for option in ([], ["--recorded"]):
        ran = vif("determinism", RUNS, "01a1f82f-1e80-7000-9870-bd8659273f50", *option, "--json")
        assert (ran.code, ran.error["code"]) == (2, "not_found")


def test_steps_are_run(
    vif: Vif, runs: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times by default, recorded unless that is not wanted, with functions by name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    module = f"tools_{random.randrange(10**9)}"
    Path(f"{module}.py").write_text("def double(x):\n    return 2 * x\n")
    runs.record(
        model="tool", operation="execute_tool", prompt="double", output="42", vantage="hook",
        tool_ids=["double"], tool_parameters={"x": 21},
    )  # fmt: skip
    index, before = len(runs) - 1, len(runs)
    step = ["--step", f"double={module}:double", "--json"]
    ran = vif("determinism", RUNS, index, *step, "--no-record")
    assert ran.json["runs"] == 3
    assert ran.json["answered"] == 3, ran.json["reasons"]
    assert len(runs) == before
    runs.close()
    ran = vif("determinism", RUNS, index, *step, "--runs", 2)
    assert ran.json["runs"] == ran.json["answered"] == 2
    again = vif("determinism", RUNS, index, "--recorded", "--json")
    assert again.json["levels"] == ran.json["levels"]
    assert again.code == ran.code


def test_operations_of_a_package(vif: Vif, runs: Ledger) -> None:
    """A reviewer runs what is in a package and records it in a ledger of their own."""
    assert vif("export", RUNS, "package", "--replay").code == 0
    assert vif("init", "review.vif", "--origin", "example.org/review").code == 0
    ran = vif("determinism", "review.vif", "--package", "package", "--engine", "nowhere", "--json")
    assert (ran.code, ran.json["runs"]) == (1, 9)
    assert {one["ledger"] for one in ran.json["results"]} == {runs.genesis.hex()}
    assert [one["index"] for one in ran.json["results"]] == [1, 2, 3]
    again = vif("determinism", "review.vif", "--recorded", "--json").json
    assert (again["runs"], again["levels"]) == (9, ran.json["levels"])
    assert {one["ledger"] for one in again["results"]} == {runs.genesis.hex()}
    identifier = runs.get(2).id
    one = vif("determinism", "review.vif", identifier, "--recorded", "--json").json
    assert [found["id"] for found in one["results"]] == [identifier]


def test_runs_that_find_no_engine(vif: Vif, runs: Ledger) -> None:
    ran = vif("determinism", RUNS, 1, "--no-record", "--engine", "nowhere")
    assert ran.code == 1
    assert "no run answered" in ran.out
    assert "engine_unknown" in ran.out


def test_hostile_text_stays_text(vif: Vif, runs: Ledger) -> None:
    """Names, outputs and fingerprints cannot write to the terminal or the page as they like."""
    environment = {"model": HOSTILE_NAME, "system_fingerprint": HOSTILE_NAME, HOSTILE_NAME: 1}
    local(runs, HOSTILE_TEXT, model=HOSTILE_NAME, environment=environment)
    engine = Scripted(lambda task: says(HOSTILE_TEXT * 2 + "!", environment={HOSTILE_NAME: 2}))
    determinism(runs, [len(runs) - 1], engine=engine, runs=1)
    ran = vif("determinism", RUNS, "--recorded", "--html", "x.html")
    for character in FORBIDDEN:
        assert character not in ran.out
        assert character not in Path("x.html").read_text(encoding="utf-8")
    assert ran.err == ""
