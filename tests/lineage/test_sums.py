"""What a result rests on in all: each witness once, others never, and nothing trusted blindly."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Draft
from ledger.formats.cose import CoseSign1
from ledger.formats.payload import Payload
from ledger.views.basis import NAMES_MAX, REST, Basis
from ledger.views.facts import Facts, facts_of
from tests.helpers.places import Place, note
from tests.helpers.quick import runs
from tests.lineage.graphs import OUTSIDE, priced


@pytest.mark.parametrize("read_only", [False, True])
def test_costs_models_and_the_rest(place: Place, *, read_only: bool) -> None:
    place.init()
    with place.open(session="one") as log:
        a, b = Draft("witness", priced(0.25, "m1", 100)), Draft("witness", priced(None, "m2"))
        both = [Draft("annotation", note(n), [a, b]) for n in range(3)]
        log.append_many([a, b, *both])
    with place.open(session="two") as log:
        c = priced(0.5, "m1")
        c["uncertainty"] = {
            "confidence_score": 0.75, "confidence_band": "C", "confidence_method": "verbal",
        }  # fmt: skip
        c["meta"]["kappa_gate_passed"] = True
        log.append("witness", c, parents=[log[3], log[4], OUTSIDE])
        log.append("witness", priced(99.0))
    with place.open(read_only=read_only) as log:
        found = log.resting_on(log.get(6).id)
        kid = log.get(1).cose.kid
    assert (found.total.statements, found.total.witnesses, found.total.unpriced) == (5, 3, 1)
    assert (found.total.cost_usd, found.total.tokens, found.total.uncounted) == (0.75, 100, 2)
    assert {name: usage.witnesses for name, usage in found.models.items()} == {"m1": 2, "m2": 1}
    assert found.models["m1"].cost_usd == 0.75
    assert (found.sessions, found.keys) == ({"one": 4, "two": 1}, {kid: 5})
    assert (found.lowest_confidence, found.lowest_confidence_index, found.outside) == (0.75, 6, 1)


def payload(kind: str, body: dict[str, Any]) -> Payload:
    return Payload(
        kind, "01a1f82f-1e80-7000-9870-bd8659273f50", "", "s", 0, None, None, None, (), body
    )


def facts(kind: str, body: dict[str, Any]) -> Facts:
    sign1 = CoseSign1(-19, bytes(32), "key", "s", b"", b"", bytes(64))
    return facts_of(sign1, payload(kind, body), 0)


def test_sums_over_parents_are_not_added_again() -> None:
    """An insight says what its witnesses cost; it has a model and a confidence of its own."""
    usage = {"operations": 2, "priced": 2, "cost_usd": 1.0, "tokens": 10}
    body = {"model_id": "m", "confidence": 0.5, "quality": 0.5, "usage": usage}
    for kind in ("insight", "execution"):
        found = facts(kind, body)
        assert (found.model, found.confidence) == ("m", 0.5)
        assert (found.witness, found.cost_usd, found.tokens) == (False, None, None)
    total = Basis()
    total.add(1, facts("insight", body))
    total.add(2, facts("cross_model", {"cost": {"total_usd": 1.0}, "confidence": 0.25}))
    assert (total.total.cost_usd, total.total.witnesses, total.lowest_confidence) == (0.0, 0, 0.25)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["model", "model_id", "cost", "cost_usd", "tokens_used", "output", "total_tokens", "confidence",
     "uncertainty", "confidence_score", "data"]
)  # fmt: skip


@runs(200)
@given(
    kind=st.sampled_from(["witness", "insight", "transfer", "cross_model", "strange"]),
    body=st.dictionaries(KEYS, JUNK | st.dictionaries(KEYS, JUNK, max_size=3), max_size=5),
)
def test_strange_bodies_have_the_facts_that_can_be_read(kind: str, body: dict[str, Any]) -> None:
    """And what the view keeps of them reads back the same."""
    found = facts(kind, body)
    row = found.to_row(7)
    assert len(row) < 500
    assert Facts.from_row(7, row[9:]) == found
    total = Basis()
    total.add(7, found)
    assert math.isfinite(total.total.cost_usd)


def test_a_flood_of_names_is_counted_together() -> None:
    found = Basis()
    for number in range(NAMES_MAX + 50):
        found.add(
            number, Facts(True, 0, number.to_bytes(32), 1.0, 1, None, f"s{number}", f"m{number}")
        )
    assert len(found.models) == len(found.sessions) == NAMES_MAX + 1
    assert found.models[REST].witnesses == found.sessions[REST] == 50
    assert found.total.cost_usd == NAMES_MAX + 50
