"""Cross-model operations in a graph: nobody's cost twice, every stage with its model."""

from __future__ import annotations

import json

from ledger import Draft, Ledger
from ledger.graph.listing import listing
from ledger.graph.prov import prov
from ledger.graph.selection import upstream
from tests.crossmodel.lab import CHEAP, STRONG, review, session
from tests.helpers.places import note


def test_an_operation_is_walked_to_its_calls(log: Ledger) -> None:
    """The total is that of the calls, which the operation says too; no sum is added to it."""
    with session(log) as run:
        review(run)
    last = list(log.find(type="cross_model"))[-1]
    found = log.resting_on(last.id)
    calls = [one for one in log.ancestors(last.id) if one.payload.type == "witness"]
    costs = [one.payload.body["cost"]["cost_usd"] for one in calls]
    assert found.total.witnesses == len(calls) == 2
    assert abs(found.total.cost_usd - sum(costs)) < 1e-15
    assert abs(last.payload.body["cost"]["total_usd"] - found.total.cost_usd) < 1e-15
    assert {STRONG, CHEAP} <= set(found.models)
    assert found.lowest_confidence == 0.75
    chosen = upstream(log.store, log.genesis, [last.index])
    nodes = {node["type"]: node for node in json.loads("".join(listing(chosen)))["nodes"]}
    assert nodes["insight"]["model"] == STRONG
    assert nodes["transfer"]["model"] == f"{STRONG} → {CHEAP}"
    assert (nodes["execution"]["model"], nodes["execution"]["band"]) == (CHEAP, "C")
    assert (nodes["execution"]["quality"], nodes["execution"]["cost_usd"]) == (0.45, None)
    assert nodes["cross_model"]["model"] == f"{STRONG}, {CHEAP}"
    assert nodes["cross_model"]["sum_usd"] == last.payload.body["cost"]["total_usd"]
    assert all(nodes[kind]["title"].startswith("review/1") for kind in ("insight", "cross_model"))


def test_its_stages_have_times_and_outputs_in_prov(log: Ledger) -> None:
    with session(log) as run:
        review(run)
    log.append_many([Draft("annotation", note(), [log[-1]])])
    insight = next(iter(log.find(type="insight")))
    last = list(log.find(type="cross_model"))[-1]
    found = json.loads("".join(prov(upstream(log.store, log.genesis, [last.index]))))
    here = f"vif:{insight.leaf_hash.hex()}"
    body = insight.payload.body
    assert found["activity"][here]["prov:startTime"] == body["started_at"]
    assert found["activity"][here]["prov:endTime"] == body["ended_at"]
    made = {(g["prov:activity"], g["prov:entity"]) for g in found["wasGeneratedBy"].values()}
    output = f"sha256:{body['output']['sha256'].hex()}"
    assert (here, output) in made
    transfer = next(iter(log.find(type="transfer")))
    used = {(u["prov:activity"], u["prov:entity"]) for u in found["used"].values()}
    assert (f"vif:{transfer.leaf_hash.hex()}", output) in used
