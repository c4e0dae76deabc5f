"""Bodies of cross-model operations: reading, writing, parents, and what a writer refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from ledger import Ledger, model
from ledger.errors import RecordError
from ledger.formats import cbor
from ledger.formats.content import refer
from ledger.formats.payload import CROSS_MODEL_TYPES, PRODUCER_TYPES, STAGE_TYPES, Parent
from ledger.model import BODIES, combine, from_body, to_body
from ledger.writer.bodies import encode_model
from tests.cross_strategies import cross_bodies, parts
from tests.helpers.places import Place
from tools.vectors import cross_lab

REF, _ = refer(b"six sevens", "text/plain; charset=utf-8")


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(cross_bodies)
def test_what_is_constructed_is_read_again(drawn: tuple[str, model.Body]) -> None:
    """A body goes to bytes and back, and the fast way to bytes writes the same."""
    kind, body = drawn
    data = encode_model(body)
    assert data == cbor.encode(to_body(body))
    assert from_body(kind, cbor.decode(data)) == body


def test_the_registry_and_the_models_name_the_same_five() -> None:
    """The five types are producer types with a model."""
    assert CROSS_MODEL_TYPES < PRODUCER_TYPES
    assert CROSS_MODEL_TYPES.issubset(BODIES)
    assert len(CROSS_MODEL_TYPES) == 5
    assert len(STAGE_TYPES) == 3


def test_shape_comes_before_numbers() -> None:
    """A body with a wrong shape and a wrong number is refused for its shape."""
    body = cross_lab.full_combination()
    body["duration_ms"] = 7.0
    with pytest.raises(RecordError, match="derivation_mismatch"):
        from_body("cross_model", body)
    with pytest.raises(RecordError, match="body_invalid"):
        from_body("cross_model", body | {"note": 1})
    with pytest.raises(RecordError, match="body_invalid"):
        from_body("cross_model", body | {"trace": {"trace_id": "0" * 32, "span_id": "1" * 16}})


def test_models_keep_no_map_of_the_caller() -> None:
    """A later change of what was handed over changes no record."""
    given_metadata, given_metrics = {"a": 1}, {"m": 1.0}
    fields = cross_lab.insight() | {"metadata": given_metadata}
    insight = model.Insight(**fields)
    whole = model.CrossModel(**cross_lab.combination(), metrics=given_metrics)
    given_metadata["a"], given_metrics["m"] = 2, 2.0
    assert insight.metadata == {"a": 1}
    assert whole.metrics == {"m": 1.0}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(parts())
def test_a_combination_says_what_its_parts_say(drawn: list[tuple[str, model.Body]]) -> None:
    """Parts are repeated by type, in the order given, from models and from plain bodies alike."""
    name = model.OperationId(name="x", number=1)
    whole = combine.combine(name, drawn)
    plain: list[tuple[str, Any]] = [(kind, to_body(body)) for kind, body in drawn]
    assert combine.combine(name, plain) == whole
    order = combine.order([kind for kind, _ in drawn])
    said = (*whole.insights, *whole.transfers, *whole.executions)
    assert [part.quality for part in said] == [drawn[at][1].quality for at in order]  # type: ignore[attr-defined]
    model.check_parents(whole, len(drawn) + 1)
    with pytest.raises(RecordError, match="body_invalid"):
        model.check_parents(whole, len(drawn))


def test_an_operation_has_stages_of_all_types() -> None:
    """Without one of the three there is nothing to combine; other bodies are no stages."""
    name = model.OperationId(name="x", number=1)
    stages = [(kind, cross_lab.SMALLEST[kind]()) for kind in ("insight", "transfer", "execution")]
    combine.combine(name, stages)
    for at in range(3):
        with pytest.raises(RecordError, match="needs"):
            combine.combine(name, stages[:at] + stages[at + 1 :])
    with pytest.raises(RecordError, match="no stage"):
        combine.combine(name, [*stages, ("provenance", cross_lab.provenance())])
    insight = model.Insight(**cross_lab.insight())
    with pytest.raises(RecordError, match="no body of"):
        combine.combine(name, [("execution", insight)])


def test_steps_are_named_by_label_or_by_the_operation() -> None:
    """A stage that was run elsewhere gets this operation's name for it."""
    stages = [(kind, cross_lab.SMALLEST[kind]()) for kind in ("insight", "transfer", "execution")]
    steps = combine.steps(stages, {0: "theirs"})
    assert [(step.stage, step.label) for step in steps] == [
        ("insight", "theirs"),
        ("transfer", "1"),
        ("execution", "1"),
    ]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("VIF_KEYS", str(tmp_path / "default-keys"))
    place = Place(tmp_path / "runs.vif", tmp_path / "keys")
    place.init()
    with place.open(session="s", stream="s") as opened:
        yield opened


ALLOWED: list[tuple[str, dict[str, Any], set[int]]] = [
    ("insight", cross_lab.insight(), {0, 1, 2, 3, 4}),
    ("insight", cross_lab.insight() | {"made_with": 3}, {3, 4}),
    ("transfer", cross_lab.transfer(), {1, 2, 3, 4}),
    ("transfer", cross_lab.transfer() | {"made_with": 2}, {3, 4}),
    ("execution", cross_lab.execution(), {1, 2, 3, 4}),
    ("execution", cross_lab.execution() | {"made_with": 3}, {3, 4}),
    ("execution", cross_lab.execution() | {"made_with": 2**63 - 1}, set()),
    ("provenance", cross_lab.full_provenance(), {3}),
    ("cross_model", cross_lab.combination(), {4}),
]


@pytest.mark.parametrize(("kind", "body", "allowed"), ALLOWED)
def test_the_number_of_parents(
    log: Ledger, kind: str, body: dict[str, Any], allowed: set[int]
) -> None:
    """Provenance and combination have as many as they say.

    Transfer and execution have at least one, and each stage as many as it was made with.
    """
    parents = [log.append("annotation", {"kind": "note"}, parents=[log[0]]) for _ in range(4)]
    for number in range(5):
        if number in allowed:
            log.append(kind, body, parents=parents[:number])
            continue
        size = len(log)
        with pytest.raises(RecordError) as caught:
            log.append(kind, body, parents=parents[:number])
        assert (caught.value.code, len(log)) == ("body_invalid", size)


def test_a_parent_may_be_in_another_ledger(log: Ledger) -> None:
    """The five types may name statements of other ledgers; a savepoint may not."""
    far = Parent(log[0].payload.id, bytes(31) + b"\x01", bytes(32))
    receipt = log.append("insight", cross_lab.insight(), parents=[far])
    assert log[receipt.index].payload.parents == (far,)
    body = {"stage": "s", "complete": False, "state": REF.to_cbor()}
    with pytest.raises(RecordError, match="body_invalid"):
        log.append("savepoint", body, parents=[far])
