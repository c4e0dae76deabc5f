"""Graphs for other programs: JSON, DOT, Mermaid and PROV, also of hostile names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger import Draft, Ledger
from ledger.export.text import shown
from ledger.graph.dot import dot, lines_of
from ledger.graph.listing import listing
from ledger.graph.mermaid import mermaid
from ledger.graph.prov import prov
from ledger.graph.selection import Selection, between, downstream, upstream
from tests.cli.world import draft
from tests.helpers.places import note, witness
from tests.lineage.graphs import HOSTILE, OUTSIDE, priced, write

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


@pytest.fixture
def rich(log: Ledger) -> Ledger:
    """1, 2 -> 3 -> 4, where 3 has a parent in another ledger and names are hostile."""
    first = draft(
        model="m", prompt="ask", output="answer", confidence=0.97, response_time_ms=5.0,
        request=b"{}", response=b"{}",
    )  # fmt: skip
    second = Draft("witness", priced(0.25, HOSTILE))
    third = Draft("annotation", {"kind": "note", "name": HOSTILE}, [first, second, OUTSIDE])
    log.append_many([first, second, third])
    body = witness(model="late")
    body["capture"] = {"vantage": "imported"}
    body["temporal"] = {"occurred_at": "2026-01-01T00:00:00.000000Z", "execution_time_ms": 1500.0}
    log.append("witness", body, parents=[log[3]])
    return log


def whole(log: Ledger) -> Selection:
    return upstream(log.store, log.genesis, [len(log) - 1])


def text(pieces: Iterator[str]) -> str:
    return "".join(pieces)


def test_json_has_every_node_and_link(rich: Ledger) -> None:
    found = json.loads(text(listing(whole(rich))))
    assert (found["direction"], found["depth"], found["starts"]) == ("up", None, [4])
    leaf = {entry.index: entry.leaf_hash.hex() for entry in rich}
    assert [node["index"] for node in found["nodes"]] == [1, 2, 3, 4, None]
    assert found["nodes"][4] == {
        "index": None,
        "id": OUTSIDE.id,
        "leaf_hash": OUTSIDE.leaf_hash.hex(),
        "ledger": (OUTSIDE.ledger or b"").hex(),
    }
    assert found["nodes"][1]["model"] == HOSTILE
    assert {(edge["child"], edge["parent"]) for edge in found["edges"]} == {
        (leaf[3], leaf[1]), (leaf[3], leaf[2]), (leaf[3], OUTSIDE.leaf_hash.hex()),
        (leaf[4], leaf[3]),
    }  # fmt: skip
    assert found["summary"]["outside"] == 1
    assert (found["summary"]["witnesses"], found["summary"]["unpriced"]) == (3, 2)
    assert found["summary"]["models"][HOSTILE]["cost_usd"] == 0.25


def test_depth_and_direction_bound_what_is_shown(log: Ledger) -> None:
    write(log, [[], [0], [1], [2], [0]])
    store, genesis = log.store, log.genesis

    def of(chosen: Selection) -> tuple[list[int], int]:
        found = json.loads(text(listing(chosen)))
        return [node["index"] for node in found["nodes"]], len(found["edges"])

    assert of(upstream(store, genesis, [4], 1)) == ([3, 4], 1)
    assert of(downstream(store, genesis, [1], 1)) == ([1, 2, 5], 2)
    assert of(downstream(store, genesis, [1, 4])) == ([1, 2, 3, 4, 5], 4)
    assert of(between(store, genesis, 2, 4)) == ([2, 3, 4], 2)
    assert of(between(store, genesis, 5, 4)) == ([], 0)
    assert of(upstream(store, genesis, [4], 0)) == ([4], 0)


def test_absurd_costs_are_no_number_in_json(log: Ledger) -> None:
    one, two = (Draft("witness", priced(1.7e308)) for _ in range(2))
    log.append_many([one, two, Draft("annotation", note(), [one, two])])
    assert json.loads(text(listing(whole(log))))["summary"]["cost_usd"] is None


@needs_dot
def test_graphviz_reads_what_was_meant(rich: Ledger) -> None:
    """Labels come out of Graphviz as they went in, with hidden characters made visible."""
    source = text(dot(whole(rich)))
    assert "\u202e" not in source
    ran = subprocess.run(
        ["dot", "-Tsvg"], input=source, capture_output=True, text=True, check=True, timeout=30
    )
    assert ran.stderr == ""
    drawn = [
        one.replace("&quot;", '"').replace("&#39;", "'").replace("&#45;", "-")
        .replace("&lt;", "<").replace("&gt;", ">").replace("&#160;", " ").replace("&amp;", "&")
        for one in re.findall(r"<text [^>]*>(.*?)</text>", ran.stdout)
    ]  # fmt: skip
    assert shown(HOSTILE) in [one.replace("\xa0", " ") for one in drawn]
    assert ran.stdout.count('class="node"') == 5
    assert ran.stdout.count('class="edge"') == 4
    assert "<script" not in ran.stdout


@pytest.mark.parametrize("write_graph", [dot, mermaid])
def test_no_name_leaves_its_quotes(
    rich: Ledger, write_graph: Callable[[Selection], Iterator[str]]
) -> None:
    """Every line is one of the few forms that the writer has, whatever the names say."""
    quoted = r'"(?:[^"\\\n]|\\.)*"'
    forms = {
        dot: r"digraph lineage {|  node \[.*\];"
        rf"|  [so]\w+ \[label={quoted}(, \w+={quoted})?(, penwidth=3)?\];"
        r"|  [so]\w+ -> s\d+( \[style=dashed\])?;|}",
        mermaid: r'flowchart TD|  classDef \w+ [\w:#,-]+|  [so]\w+\["[^"\]\[`\\{}()|<>;&]*"\]'
        r"|  class [so]\w+ \w+|  [so]\w+ (-->|-\.->) s\d+",
    }
    for line in text(write_graph(whole(rich))).splitlines():
        bare = line.replace("<br/>", "") if write_graph is mermaid else line
        bare = re.sub(r"#\d+;", "", bare) if write_graph is mermaid else bare
        assert re.fullmatch(forms[write_graph], bare), line


def test_mermaid_names_come_back(rich: Ledger) -> None:
    """Entity codes undone, a label is the text again."""
    label = next(
        line for line in text(mermaid(whole(rich))).splitlines() if line.startswith("  s2[")
    )
    inner = label.removeprefix('  s2["').removesuffix('"]').split("<br/>")
    undone = [re.sub(r"#(\d+);", lambda m: chr(int(m[1])), one) for one in inner]
    node = next(one for one in whole(rich).nodes() if one.index == 2)
    assert undone == [shown(one) for one in lines_of(node)]


def provenance(log: Ledger) -> Any:
    model = pytest.importorskip("prov.model", reason="the library prov is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return model.ProvDocument.deserialize(content=text(prov(whole(log))), format="json")


def test_prov_is_read_by_its_library(rich: Ledger) -> None:
    """Every statement, content, key and model is there, and it round-trips."""
    document = provenance(rich)
    counts = Counter(type(record).__name__ for record in document.get_records())
    assert counts == {
        "ProvActivity": 5,  # four statements and one of another ledger
        "ProvEntity": 4,  # prompt and output; both bodies are {}; what no test stores
        "ProvAgent": 4,  # one key, three models
        "ProvAssociation": 7,  # four signatures, three models
        "ProvCommunication": 4,
        "ProvUsage": 4,  # three prompts, one request
        "ProvGeneration": 2,
        "ProvDerivation": 1,
    }
    again = type(document).deserialize(content=document.serialize(format="json"), format="json")
    assert again == document
    assert document.unified() == document


def test_prov_says_when_and_by_whom(rich: Ledger) -> None:
    found = json.loads(text(prov(whole(rich))))
    leaf = {entry.index: f"vif:{entry.leaf_hash.hex()}" for entry in rich}
    late = found["activity"][leaf[4]]
    assert late["prov:startTime"] == "2026-01-01T00:00:00.000000Z"
    assert late["prov:endTime"] == "2026-01-01T00:00:01.500000Z"
    first = found["activity"][leaf[1]]
    assert "prov:startTime" not in first
    assert first["prov:endTime"] == rich.get(1).payload.created_at
    labels = {agent["prov:label"] for agent in found["agent"].values()}
    assert labels == {"producer", "m", "late", shown(HOSTILE)}
    answer = rich.get(1).payload.body["output"]["output_hash"]["sha256"].hex()
    assert f"sha256:{answer}" in found["entity"]
    (link,) = found["wasDerivedFrom"].values()
    assert link["prov:generatedEntity"] == f"sha256:{answer}"


def test_stages_have_their_own_times_and_contents(log: Ledger) -> None:
    """An insight and a transfer as specs/12 has them, and bodies that are strange."""
    ref = dict(witness()["data"]["prompt_hash"])
    other = {**ref, "sha256": b"\3" * 32, "blake3": b"\4" * 32}
    span = {"started_at": "2026-01-01T00:00:00.000000Z", "ended_at": "2026-01-01T00:00:01.000000Z"}
    bodies = [
        ("insight", {"model_id": HOSTILE, "output": ref, "operation": {"name": "r", "number": 1},
                     "label": "a", "confidence": 0.5, **span}),
        ("transfer", {"source": {"model_id": "a"}, "target": {"model_id": "b"}, "content": ref,
                      "delivered": other}),
        ("execution", {"model_id": 7, "usage": [], "operation": None, "output": {"blake3": 1}}),
        ("cross_model", {"insights": [{"model_id": "a"}, 3], "executions": "x",
                         "cost": {"total_usd": 2.0}}),
    ]  # fmt: skip
    nodes = list(strange_nodes(log, bodies))
    assert [node.title for node in nodes] == ["r/1 a", "", "", ""]
    assert [node.model for node in nodes] == [HOSTILE, "a → b", "", "a"]
    assert [node.band for node in nodes] == ["C", "", "", ""]
    assert [node.sum_usd for node in nodes] == [None, None, None, 2.0]


def strange_nodes(log: Ledger, bodies: list[tuple[str, dict[str, Any]]]) -> Iterator[Any]:
    from ledger.formats.payload import Payload
    from ledger.graph.node import Node

    like = log.get(0).payload
    for index, (kind, body) in enumerate(bodies):
        payload = Payload(kind, like.id, like.created_at, "s", 0, None, None, None, (), body)
        yield Node(index, bytes(32), bytes(32), "key", payload, (), ())
