"""A witness from plain values: what is archived, what is computed, what is defaulted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerError, RecordError
from ledger.formats import content
from ledger.formats.content import refer
from ledger.model import Witness, from_body, to_body
from ledger.model.archive import Media, canonical_json
from ledger.model.build import KEYWORDS, witness


def test_the_least_witness_has_sensible_defaults() -> None:
    """Model and prompt are enough."""
    record, contents = witness(model="m", prompt="hi")
    assert record.operation == "chat"
    assert record.capture.vantage == "manual"
    assert record.meta.task_criticality == "routine"
    assert record.meta.kappa_threshold == 0.7
    assert record.meta.writer.startswith("vif-ledger")
    assert record.output.is_empty()
    assert [item.data for item in contents] == [b"hi"]


PRICED: dict[str, Any] = {"usage": {"u": 1}, "prices": {"u": 1.0}, "price_table": "p"}


def test_a_cost_follows_from_units_and_prices() -> None:
    """Units and prices make the cost; units alone are recorded without one."""
    units = {"output_tokens": 8, "input_tokens": 16}
    prices = {"input_tokens": 0.25, "output_tokens": 0.5}
    record, _ = witness(model="m", prompt="p", usage=units, prices=prices, price_table="lab 1")
    assert record.cost is not None
    assert record.cost.cost_usd == 8e-06
    assert from_body("witness", to_body(record)) == record
    alone, _ = witness(model="m", prompt="p", usage=units)
    assert to_body(alone)["cost"] == {"usage": units}
    free, _ = witness(model="m", prompt="p", usage={"u": 0}, prices={"u": 0}, price_table="lab 1")
    assert free.cost is not None
    assert free.cost.cost_usd == 0.0
    none, _ = witness(model="m", prompt="p", usage={}, prices={})
    assert none.cost is None


def test_what_is_built_can_be_read_back() -> None:
    """Every keyword at once makes a body that the strict reader accepts."""
    given: dict[str, Any] = {
        "model": "m",
        "model_provider": "openai",
        "provider_source": "endpoint",
        "weights_hash": "ab" * 32,
        "requested_model": "m",
        "actual_model": "m",
        "vendor": "v",
        "api_version": "1",
        "model_build_date": "2025-01-01",
        "deployment_region": "eu",
        "system_fingerprint": "f",
        "prompt": [{"role": "user", "content": "hi"}],
        "prompt_tokens": 2,
        "prompt_template": "{}",
        "context_snapshot_id": "c",
        "context_atom_ids": ["a"],
        "retrieved_atom_ids": ("b",),
        "prompt_variables": {"name": "Ada"},
        "context_snapshot": {"atoms": {"a": "six"}},
        "tool_ids": ["t"],
        "tool_parameters": {"x": 1},
        "tool_results": [1],
        "output": "4",
        "output_tokens": 3,
        "total_tokens": 5,
        "token_source": "provider",
        "finish_reason": "stop",
        "confidence": 1,
        "confidence_band": "A",
        "confidence_method": "verbal",
        "logprobs": [-0.5],
        "ece_score": 0,
        "entropy": 1,
        "top_k_probs": [{"token": "4", "probability": 1}],
        "top_k_position": 0,
        "replay_seed": 1,
        "temperature": 0,
        "top_p": 1,
        "top_k": 1,
        "max_tokens": 1,
        "parameters": {"stop": ("a",)},
        "engine": "step",
        "environment": {"threads": 1},
        "observation": {"logprobs": [0.0]},
        "occurred_at": datetime(2025, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        "execution_time_ms": 1,
        "response_time_ms": 1,
        "tokens_used": 5,
        "cost_usd": 3,
        "price_table": "p",
        "usage": {"input_tokens": 1_000_000},
        "prices": {"input_tokens": 3},
        "operation": "chat",
        "writer": "w",
        "task_criticality": "critical",
        "domain": "d",
        "kappa_threshold": 0.95,
        "kappa_gate_passed": True,
        "vantage": "imported",
        "attempts": 1,
        "request_id": "r",
        "source": {"format": "x"},
        "request": b"{}",
        "response": Media(b"{}", "application/json"),
        "request_headers": {"date": "x"},
        "response_headers": {"date": "x"},
        "guess_provider": False,
        "salt": None,
    }
    assert given.keys() == KEYWORDS
    record, contents = witness(**given)
    body = to_body(record)
    assert from_body("witness", body) == record
    assert body["temporal"]["occurred_at"] == "2025-01-01T00:00:00.000000Z"
    assert body["model"]["weights_hash"] == bytes.fromhex("ab" * 32)
    assert body["uncertainty"]["top_k_probs"] == [{"token": "4", "probability": 1.0}]
    for item in contents:
        assert isinstance(item.data, bytes)
        content.check(item.ref, item.data)


@pytest.mark.parametrize(
    ("given", "data", "media_type"),
    [
        ("hé", "hé".encode(), "text/plain; charset=utf-8"),
        (b"\xff", b"\xff", "application/octet-stream"),
        (Media(b"P", "image/png"), b"P", "image/png"),
        ({"b": 1, "a": "é"}, '{"a":"é","b":1}'.encode(), "application/json"),
        ([1, None], b"[1,null]", "application/json"),
    ],
)
def test_contents_are_archived_as_what_they_are(given: Any, data: bytes, media_type: str) -> None:
    """Text as UTF-8, bytes as they are, maps and arrays as canonical JSON."""
    record, contents = witness(model="m", prompt=given)
    assert (contents[0].data, contents[0].ref.media_type) == (data, media_type)
    assert record.data.prompt_hash == contents[0].ref


def test_a_reference_is_taken_as_it_is() -> None:
    """Content that is archived already is not archived again."""
    ref, _ = refer(b"hello", "text/plain")
    record, contents = witness(model="m", prompt=ref)
    assert record.data.prompt_hash == ref
    assert contents == ()


def test_equal_contents_are_archived_once() -> None:
    """The same bytes of the same type under two fields are one content."""
    _, contents = witness(model="m", prompt="x", output="x")
    assert len(contents) == 1


def test_in_a_salted_ledger_every_reference_has_its_own_salt() -> None:
    """Equal contents have different digests, and the archived bytes begin with the salt."""
    salts = iter([b"1" * 16, b"2" * 16])
    record, contents = witness(model="m", prompt="x", output="x", salt=lambda: next(salts))
    assert [item.data for item in contents] == [b"1" * 16 + b"x", b"2" * 16 + b"x"]
    assert record.data.prompt_hash.salted


def test_confidence_without_a_method_is_a_heuristic() -> None:
    """Band, gate and method are filled in; nothing claims to be measured."""
    record, _ = witness(model="m", prompt="p", confidence=0.8)
    assert record.uncertainty is not None
    assert record.uncertainty.confidence_band == "B"
    assert record.uncertainty.confidence_method == "heuristic"
    assert record.meta.kappa_gate_passed is True


def test_logprobs_give_confidence_unless_it_is_stated() -> None:
    """An explicit confidence goes first, and is then not called `logprobs`."""
    record, _ = witness(model="m", prompt="p", logprobs=[0.0, 0.0])
    assert record.uncertainty is not None
    assert record.uncertainty.confidence_score == 1.0
    assert record.uncertainty.confidence_method == "logprobs"
    record, _ = witness(model="m", prompt="p", logprobs=[0.0, 0.0], confidence=0.5)
    assert record.uncertainty is not None
    assert record.uncertainty.confidence_method == "heuristic"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"confidence": 0.9, "confidence_band": "A"}, "band_mismatch"),
        ({"kappa_threshold": 0.8}, "threshold_mismatch"),
        ({"confidence": 0.9, "kappa_gate_passed": False}, "gate_mismatch"),
        ({"prompt_tokens": 1, "output_tokens": 1, "total_tokens": 3}, "total_mismatch"),
        ({"confidence": float("nan")}, "body_invalid"),
        ({"confidence": "high"}, "body_invalid"),
        ({"confidence": True}, "body_invalid"),
        ({"task_criticality": ["critical"]}, "body_invalid"),
        ({"operation": ""}, "body_invalid"),
        ({"vantage": "imported"}, "body_invalid"),
        ({"cost_usd": 1.0}, "body_invalid"),
        ({"usage": {"u": 1}, "prices": {"u": 1.0}}, "body_invalid"),
        ({**PRICED, "cost_usd": 2e-06}, "cost_mismatch"),
        ({**PRICED, "usage": {"v": 1}}, "body_invalid"),
        ({**PRICED, "usage": {"u": 10**400}}, "body_invalid"),
        ({**PRICED, "usage": {"u": 1.5}}, "body_invalid"),
        ({**PRICED, "usage": {"u": "1"}}, "body_invalid"),
        ({**PRICED, "usage": [("u", 1)]}, "body_invalid"),
        ({**PRICED, "usage": {1: 1}, "prices": {1: 1.0}}, "body_invalid"),
        ({**PRICED, "prices": {"u": 1e308}, "usage": {"u": 100}}, "body_invalid"),
        ({**PRICED, "prices": {"u": float("nan")}}, "body_invalid"),
        ({**PRICED, "prices": {"u": -1.0}}, "body_invalid"),
        ({"top_k_probs": 5}, "body_invalid"),
        ({"logprobs": 5}, "record_invalid"),
        ({"logprobs": [0.5]}, "record_invalid"),
        ({"logprobs": [{"token": "a"}]}, "record_invalid"),
        ({"output": 5}, "record_invalid"),
        ({"output": {"x": float("nan")}}, "record_invalid"),
        ({"output": Media(b"", "")}, "record_invalid"),
        ({"output": "\ud800"}, "record_invalid"),
        ({"occurred_at": datetime(2025, 1, 1)}, "record_invalid"),
        ({"request_headers": {"authorization": "x"}}, "body_invalid"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_is_stated_is_checked(given: Any, code: str) -> None:
    """A derived value that is handed over must be the right one; so must every other."""
    with pytest.raises(RecordError) as caught:
        witness(**{"model": "m", "prompt": "p", **given})
    assert caught.value.code == code


def test_a_token_count_that_nobody_vouches_for_is_an_estimate() -> None:
    """A guess is marked as one (design §7); the total is computed."""
    record, _ = witness(model="m", prompt="p", prompt_tokens=1, output_tokens=2)
    assert (record.output.total_tokens, record.output.token_source) == (3, "estimate")


def test_the_provider_is_never_guessed_unless_asked_for() -> None:
    """A model's name alone says nothing about who served it."""
    record, _ = witness(model="gpt-4o", prompt="p")
    assert record.model.model_provider is None
    record, _ = witness(model="gpt-4o", prompt="p", guess_provider=True)
    assert (record.model.model_provider, record.model.provider_source) == ("openai", "guessed")
    record, _ = witness(model="gpt-4o", prompt="p", model_provider="azure", guess_provider=True)
    assert (record.model.model_provider, record.model.provider_source) == ("azure", "stated")
    record, _ = witness(model="own-model", prompt="p", guess_provider=True)
    assert record.model.model_provider is None


def test_a_callers_mistake_is_a_type_error() -> None:
    """Unknown and missing keywords are bugs, not data."""
    with pytest.raises(TypeError, match="temprature"):
        witness(model="m", prompt="p", temprature=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="prompt"):
        witness(model="m")  # type: ignore[call-arg]


def test_times_are_written_in_utc() -> None:
    """An aware time is converted; its microseconds are kept."""
    moment = datetime(2025, 6, 1, 12, 0, 0, 7, tzinfo=UTC)
    record, _ = witness(model="m", prompt="p", occurred_at=moment)
    assert record.temporal is not None
    assert record.temporal.occurred_at == "2025-06-01T12:00:00.000007Z"


def test_canonical_json_is_the_same_for_equal_values() -> None:
    """Order of keys does not matter, and a lone surrogate is escaped instead of lost."""
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1})
    assert canonical_json(["\ud83d", "😀"]) == b'["\\ud83d","\xf0\x9f\x98\x80"]'


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(
        st.sampled_from(sorted(KEYWORDS - {"salt", "model", "prompt"})), _json, max_size=6
    )
)
def test_odd_values_are_refused_with_the_ledgers_own_error(given: dict[str, Any]) -> None:
    """Whatever stands in a field, the answer is a witness or a `LedgerError`."""
    try:
        record, _ = witness(model="m", prompt="p", **given)
    except LedgerError:
        return
    assert isinstance(record, Witness)
    assert from_body("witness", to_body(record)) == record
