"""`vif lineage`: what a statement builds on, what builds on it, in every form."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger import Draft
from ledger.cli.lineage_tree import LEVELS_SHOWN
from ledger.views.index import INDEX
from tests.cli.world import FORBIDDEN, Vif
from tests.lineage.graphs import HOSTILE, OUTSIDE, priced

FORMATS = ["tree", "json", "dot", "mermaid", "prov", "html"]
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


def note(name: str, parents: list[Any]) -> Draft:
    return Draft("annotation", {"kind": "note", "name": name}, parents)


def numbers(out: str) -> list[int]:
    """Return the indices of a tree's lines, in their order."""
    tree = out.split("\n\n")[0]
    return [int(found) for found in re.findall(r"^[│├└─ \d:]*#(\d+)", tree, re.MULTILINE)]


def test_up_is_a_tree_with_sums(vif: Vif, lab: Path) -> None:
    """By default what it builds on, each statement once in full, and what it all comes to."""
    ran = vif("lineage", lab, 4)
    assert (ran.code, ran.err) == (0, "")
    assert numbers(ran.out) == [4, 3, 1, 2]
    assert "#4  annotation  judge = 0.25" in ran.out
    assert "│" not in ran.out.split("\n\n")[0]
    assert "   ├─ #1  witness  demo-model  A 0.97" in ran.out
    assert re.search(r"statements +4\n", ran.out)
    assert re.search(r"models +demo-model 2, other-model 1\n", ran.out)
    assert re.search(r"cost +not known\n", ran.out)
    assert re.search(r"confidence +lowest 0\.50, at #2\n", ran.out)
    assert ran.out == vif("lineage", lab, "#4", "--up", "--format", "tree").out


def test_down_between_and_depth(vif: Vif, lab: Path) -> None:
    assert numbers(vif("lineage", lab, 1, "--down").out) == [1, 3, 4]
    assert numbers(vif("lineage", lab, 1, "--down", "--depth", 1).out) == [1, 3]
    assert numbers(vif("lineage", lab, 4, "-n", 0).out) == [4]
    assert numbers(vif("lineage", lab, 1, "--between", 4).out) == [4, 3, 1]
    assert numbers(vif("lineage", lab, 4, "--between", 1).out) == [4, 3, 1]
    ran = vif("lineage", lab, 4, "--between", 5, "--json")
    assert (ran.code, ran.error["code"]) == (2, "not_found")
    assert "#5 does not build on #4" in ran.error["message"]


def test_beginning_with_a_content_or_a_context(vif: Vif, lab: Path) -> None:
    """A file, either hash, a snapshot, an atom: everything that used it is a beginning."""
    with ledger.open(lab, keys="keys", session="pilot") as log:
        body = priced(0.01)
        body["data"] |= {"context_snapshot_id": "snap 1", "retrieved_atom_ids": ["atom/1"]}
        log.append("witness", body)
        log.append("annotation", {"kind": "note"}, parents=[log[-1]])
        digest = log.get(1).payload.body["output"]["output_hash"]
    Path("four.txt").write_text("four")
    for name in ("four.txt", hashlib.sha256(b"four").hexdigest(), digest["blake3"].hex()):
        assert numbers(vif("lineage", lab, "--content", name, "--down").out) == [1, 3, 4]
    for options in (["--snapshot", "snap 1"], ["--atom", "atom/1"]):
        found = vif("lineage", lab, *options, "--down", "--json").json
        assert [node["index"] for node in found["nodes"]] == [6, 7]
        assert found["starts"] == [6]
    for options in (["--snapshot", "x"], ["--atom", "x"], ["--content", "0" * 64]):
        assert vif("lineage", lab, *options, "--json").error["code"] == "not_found"
    assert vif("lineage", lab, "--content", "none", "--json").error["code"] == "file_unreadable"


def test_a_file_finds_nothing_in_a_salted_ledger_and_that_is_said(vif: Vif) -> None:
    assert vif("init", "salted.vif", "--salted").code == 0
    Path("yes.txt").write_text("yes")
    ran = vif("lineage", "salted.vif", "--content", "yes.txt")
    assert ran.code == 2
    assert "vif show" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [1, "--snapshot", "x"],
        [1, "--up", "--down"],
        [1, "--down", "--between", 2],
        ["--atom", "x", "--between", 2],
        [1, "--between", 2, "--depth", 3],
        [1, "--format", "pdf"],
        [1, "--depth", "-1"],
        [1, "--format", "dot", "--json"],
        ["nobody"],
    ],
)
def test_what_makes_no_sense_is_explained(vif: Vif, lab: Path, arguments: list[object]) -> None:
    ran = vif("lineage", lab, *arguments)
    assert ran.code == 2
    assert "error" in ran.err
    assert "Traceback" not in ran.err


def test_a_statement_is_expanded_once(vif: Vif, lab: Path) -> None:
    """Forty diamonds have 2^40 paths; the tree has one line a link, and indents no further."""
    with ledger.open(lab, keys="keys") as log:
        made = [Draft("witness", priced(0.5))]
        for _ in range(40):
            left, right = note("l", [made[-1]]), note("r", [made[-1]])
            made += [left, right, note("d", [left, right])]
        log.append_many(made)
    ran = vif("lineage", lab, "last")
    found = numbers(ran.out)
    assert len(found) == 1 + 4 * 40
    assert len(set(found)) == len(made)
    assert ran.out.count("shown above") == 40
    assert max(map(len, ran.out.splitlines())) < 80
    assert f"\n{'   ' * (LEVELS_SHOWN - 1)}" in ran.out.replace("│", " ")
    assert re.search(r"cost +\$0\.5000\n", ran.out)
    down = vif("lineage", lab, 6, "--down")
    assert sorted(set(numbers(down.out))) == sorted(set(found))


def test_prices_that_are_missing_are_counted(vif: Vif, lab: Path) -> None:
    with ledger.open(lab, keys="keys") as log:
        calls = [Draft("witness", priced(0.0041 if n else None)) for n in range(4)]
        log.append_many([*calls, note("all", [*calls, OUTSIDE])])
    ran = vif("lineage", lab, "last")
    assert re.search(r"cost +\$0\.0123 \(1 of 4 calls without a price\)\n", ran.out)
    assert re.search(r"outside +1 parent in other ledgers\n", ran.out)
    assert f"outside  ledger {'09' * 8}…  {OUTSIDE.id}" in ran.out


def test_a_terminal_of_eighty_columns(vif: Vif, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger.open(lab, keys="keys") as log:
        long = Draft("witness", priced(0.5, "m" * 200))
        log.append_many([long, note("x", [long, OUTSIDE])])
    monkeypatch.setattr("ledger.cli.output.columns", lambda: 80)
    tree = vif("lineage", lab, "last").out.split("\n\n")[0]
    assert "…" in tree
    assert max(map(len, tree.splitlines())) <= 80


@needs_dot
@pytest.mark.parametrize("format_", FORMATS)
def test_no_name_harms_in_any_format(vif: Vif, lab: Path, format_: str) -> None:
    """To standard output or a new file, the same; and a terminal is never written to."""
    with ledger.open(lab, keys="keys") as log:
        call = Draft("witness", priced(0.5, HOSTILE))
        log.append_many([call, note(HOSTILE, [call, log.get(5)])])
    ran = vif("lineage", lab, "last", "--format", format_)
    assert (ran.code, ran.err) == (0, "")
    assert not set(FORBIDDEN) & set(ran.out)
    again = vif("lineage", lab, "last", "-f", format_, "-o", "out")
    assert (again.code, again.out, again.err) == (0, "", "")
    text = Path("out").read_text()
    if format_ == "tree":
        assert text.split("\n\n")[0] == ran.out.split("\n\n")[0]
    else:
        assert text == ran.out
    if format_ in ("json", "prov"):
        assert isinstance(json.loads(text), dict)
    taken = vif("lineage", lab, "last", "-f", format_, "-o", "out")
    assert "error[file_exists]" in taken.err


def test_a_file_that_could_not_be_finished_is_removed(
    vif: Vif, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.graph.page.NODES_MAX", 2)
    ran = vif("lineage", lab, 4, "-f", "html", "-o", "x.html")
    assert ran.code == 2
    assert "error[graph_too_large]" in ran.err
    assert "--depth" in ran.err
    assert not Path("x.html").exists()


@needs_dot
def test_without_graphviz_the_page_is_refused_with_a_hint(
    vif: Vif, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    ran = vif("lineage", lab, 4, "-f", "html")
    assert ran.code == 2
    assert "error[layout_missing]" in ran.err
    assert "apt-get install graphviz" in ran.err


def test_a_ledger_that_may_not_be_written_to(
    vif: Vif, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a view that has read nothing, the answers are the same."""
    expected = [vif("lineage", lab, n, way).out for n, way in ((4, "--up"), (1, "--down"))]
    with ledger.open(lab) as log:
        INDEX.drop(log.store.environment)
    opened = ledger.open
    monkeypatch.setattr(ledger, "open", lambda path: opened(path, read_only=True))
    assert [vif("lineage", lab, n, way).out for n, way in ((4, "--up"), (1, "--down"))] == expected


def test_show_has_lost_its_lineage(vif: Vif, lab: Path) -> None:
    """One way to ask; the old option is an error that says so."""
    assert vif("show", lab, 4, "--lineage", "up").code == 2
