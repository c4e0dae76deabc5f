"""Every rule of specs/03 §1 and §2 refuses what breaks it, with its code and the field's path."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ledger.errors import RecordError
from ledger.formats.content import refer
from ledger.model import SECRET_HEADERS, Model, Uncertainty, Witness, from_body, to_body

REF = refer(b"hello", "text/plain")[0].to_cbor()
ABSENT = object()


def full() -> dict[str, Any]:
    """A witness body with every field of specs/03."""
    source = {"format": "inspect-eval", "event_id": "e", "sample_id": "1", "epoch": 1}
    return {
        "version": 1,
        "operation": "chat",
        "model": {
            "model_id": "m-2",
            "model_provider": "openai",
            "provider_source": "endpoint",
            "weights_hash": bytes(32),
            "requested_model": "m",
            "actual_model": "m-2",
            "vendor": "v",
            "api_version": "1",
            "model_build_date": "2024-02-29",
            "deployment_region": "eu",
            "system_fingerprint": "fp",
        },
        "data": {
            "prompt_hash": REF,
            "prompt_tokens": 10,
            "prompt_template": REF,
            "context_snapshot_id": "s",
            "context_atom_ids": ["a"],
            "retrieved_atom_ids": ["b"],
        },
        "tools": {"tool_ids": ["t"], "tool_parameters": REF, "tool_results_hash": REF},
        "uncertainty": {
            "confidence_score": 0.9,
            "confidence_band": "B",
            "confidence_method": "logprobs",
            "ece_score": 0.1,
            "entropy": 0.5,
            "top_k_probs": [
                {"token": "x", "probability": 0.75},
                {"token": "", "probability": 0.25},
            ],
            "top_k_position": 0,
        },
        "replay": {
            "replay_seed": -1,
            "temperature": 0.0,
            "top_p": 1.0,
            "top_k": 1,
            "max_tokens": 5,
            "other_params": {"stop": ["a"], "bias": None},
        },
        "output": {
            "output_hash": REF,
            "output_tokens": 5,
            "total_tokens": 15,
            "token_source": "provider",
            "finish_reason": "stop",
        },
        "meta": {
            "writer": "w",
            "task_criticality": "routine",
            "domain": "d",
            "kappa_threshold": 0.7,
            "kappa_gate_passed": True,
        },
        "temporal": {"occurred_at": "2025-01-02T03:04:05.000006Z", "execution_time_ms": 1.5},
        "cost": {
            "response_time_ms": 2.5,
            "tokens_used": 15,
            "cost_usd": 0.01,
            "price_table": "p/1",
        },
        "capture": {"vantage": "imported", "attempts": 1, "request_id": "r", "source": source},
        "raw": {
            "request": REF,
            "response": REF,
            "request_headers": {"content-type": "application/json"},
            "response_headers": {"x-request-id": "r"},
        },
    }


def minimal() -> dict[str, Any]:
    """A witness body with nothing that is optional."""
    return {
        "version": 1,
        "operation": "chat",
        "model": {"model_id": "m"},
        "data": {"prompt_hash": REF},
        "output": {},
        "meta": {"writer": "w", "task_criticality": "low_stakes", "kappa_threshold": 0.6},
        "capture": {"vantage": "manual"},
    }


def changed(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with fields set or, when `ABSENT`, removed; `a__b` names field b of group a."""
    result = copy.deepcopy(body)
    for path, value in changes.items():
        *groups, field = path.split("__")
        target = result
        for group in groups:
            target = target[group]
        if value is ABSENT:
            del target[field]
        else:
            target[field] = value
    return result


def refused(body: dict[str, Any]) -> RecordError:
    with pytest.raises(RecordError) as caught:
        from_body("witness", body)
    return caught.value


@pytest.mark.parametrize("body", [full(), minimal()], ids=["full", "minimal"])
def test_a_witness_by_the_page_is_accepted_unchanged(body: dict[str, Any]) -> None:
    """The largest and the smallest witness come back as they are."""
    assert to_body(from_body("witness", body)) == body


ALWAYS = [
    "version",
    "operation",
    "model",
    "data",
    "output",
    "meta",
    "capture",
    "model__model_id",
    "data__prompt_hash",
    "tools__tool_ids",
    "meta__writer",
    "meta__task_criticality",
    "meta__kappa_threshold",
    "capture__vantage",
    "capture__source__format",
]


@pytest.mark.parametrize("path", ALWAYS)
def test_what_is_always_there_cannot_be_missing(path: str) -> None:
    """A field whose presence is "always" is required."""
    error = refused(changed(full(), **{path: ABSENT}))
    assert error.code == "body_invalid"
    assert path.replace("__", ".") in error.message


@pytest.mark.parametrize(
    "group",
    [
        "model",
        "data",
        "tools",
        "uncertainty",
        "replay",
        "output",
        "meta",
        "temporal",
        "cost",
        "capture",
        "raw",
        "capture__source",
        "data__prompt_hash",
    ],
)
def test_a_group_is_closed(group: str) -> None:
    """A key that the page does not name is refused in every group."""
    error = refused(changed(full(), **{f"{group}__unspecified": 1}))
    assert error.code == "body_invalid"


@pytest.mark.parametrize(
    "group", ["tools", "uncertainty", "replay", "temporal", "cost", "raw", "capture__source"]
)
def test_an_optional_group_that_is_there_is_not_empty(group: str) -> None:
    """An optional group has at least one key."""
    assert refused(changed(full(), capture__vantage="manual", **{group: {}})).code == "body_invalid"


PRESENCE = [
    {"model__provider_source": ABSENT},
    {"model__model_provider": ABSENT},
    {"uncertainty__confidence_band": ABSENT},
    {"uncertainty__confidence_method": ABSENT},
    {"uncertainty__confidence_score": ABSENT},
    {"uncertainty__top_k_position": ABSENT},
    {"uncertainty__top_k_probs": ABSENT},
    {"output__total_tokens": ABSENT},
    {"output__output_tokens": ABSENT},
    {"data__prompt_tokens": ABSENT},
    {"output__token_source": ABSENT},
    {
        "data__prompt_tokens": ABSENT,
        "output__output_tokens": ABSENT,
        "output__total_tokens": ABSENT,
    },
    {"meta__kappa_gate_passed": ABSENT},
    {"uncertainty": ABSENT},
    {"temporal__occurred_at": ABSENT},
    {"temporal": ABSENT},
    {"cost__price_table": ABSENT},
    {"cost__cost_usd": ABSENT},
]


@pytest.mark.parametrize("changes", PRESENCE, ids=lambda changes: " ".join(changes))
def test_fields_that_need_each_other_come_together(changes: dict[str, Any]) -> None:
    """Each "iff" of the page refuses both of its halves alone."""
    assert refused(changed(full(), **changes)).code == "body_invalid"


LONG_NAME = "n" * 257
TOP = [{"token": "a", "probability": 0.5}, {"token": "b", "probability": 0.5}]
VALUES = [
    ("version", 2),
    ("operation", "Chat"),
    ("operation", ""),
    ("operation", "1chat"),
    ("operation", "c" * 65),
    ("model__model_id", ""),
    ("model__model_id", LONG_NAME),
    ("model__model_id", "ü" * 129),
    ("model__model_id", "a\nb"),
    ("model__model_id", "a\x7f"),
    ("model__model_id", b"m"),
    ("model__provider_source", "unknown"),
    ("model__weights_hash", bytes(31)),
    ("model__weights_hash", "00" * 32),
    ("model__model_build_date", "2023-02-29"),
    ("model__model_build_date", "20240229"),
    ("model__model_build_date", "0000-01-01"),
    ("model__model_build_date", "2024-02-29T00:00:00Z"),
    ("model__model_build_date", "٢٠٢٤-02-29"),
    ("data__prompt_hash", {**REF, "sha256": bytes(31)}),
    ("data__prompt_hash", {**REF, "blake3": "00" * 32}),
    ("data__prompt_hash", {**REF, "size_bytes": -1}),
    ("data__prompt_hash", {**REF, "size_bytes": 2**63}),
    ("data__prompt_hash", {**REF, "size_bytes": True}),
    ("data__prompt_hash", {**REF, "media_type": ""}),
    ("data__prompt_hash", {**REF, "salted": False}),
    ("data__prompt_hash", {**REF, "salted": 1}),
    ("data__prompt_hash", b"hash"),
    ("data__prompt_tokens", -1),
    ("data__prompt_tokens", 2**63),
    ("data__prompt_tokens", 10.0),
    ("data__prompt_tokens", True),
    ("data__context_atom_ids", []),
    ("data__context_atom_ids", ["a"] * 1025),
    ("data__context_atom_ids", [""]),
    ("data__context_atom_ids", "a"),
    ("data__retrieved_atom_ids", []),
    ("tools__tool_ids", []),
    ("tools__tool_ids", ["t"] * 257),
    ("uncertainty__confidence_score", 1),
    ("uncertainty__confidence_score", 1.0000000000000002),
    ("uncertainty__confidence_score", -0.1),
    ("uncertainty__confidence_band", "D"),
    ("uncertainty__confidence_method", "guess"),
    ("uncertainty__ece_score", 1.5),
    ("uncertainty__entropy", -0.1),
    ("uncertainty__entropy", 1),
    ("uncertainty__top_k_probs", []),
    ("uncertainty__top_k_probs", [{"token": "a", "probability": 0.01}] * 21),
    ("uncertainty__top_k_probs", [{"token": "a" * 257, "probability": 0.5}]),
    ("uncertainty__top_k_probs", [{"token": "ü" * 129, "probability": 0.5}]),
    ("uncertainty__top_k_probs", [{"token": "a", "probability": 1}]),
    ("uncertainty__top_k_probs", [{"token": "a"}]),
    ("uncertainty__top_k_probs", [{"token": "a", "probability": 0.1, "rank": 1}]),
    ("uncertainty__top_k_probs", [TOP[0], {"token": "b", "probability": 0.6}]),
    ("uncertainty__top_k_probs", [*TOP, {"token": "c", "probability": 0.0000011}]),
    ("uncertainty__top_k_position", -1),
    ("replay__replay_seed", 2**63),
    ("replay__replay_seed", -(2**63) - 1),
    ("replay__temperature", 1),
    ("replay__temperature", -0.5),
    ("replay__top_p", 1.5),
    ("replay__top_k", -1),
    ("replay__top_k", 1.0),
    ("replay__max_tokens", -1),
    ("replay__other_params", {}),
    ("replay__other_params", {str(number): 1 for number in range(65)}),
    ("replay__other_params", {"": 1}),
    ("replay__other_params", {LONG_NAME: 1}),
    ("replay__other_params", {"a": 2**64}),
    ("replay__other_params", {"a": float("nan")}),
    ("replay__other_params", {"blake3": "not a reference"}),
    ("replay__other_params", {"a": [{"blake3": 1}]}),
    ("output__output_hash", "4"),
    ("output__token_source", "guess"),
    ("output__finish_reason", ""),
    ("meta__writer", ""),
    ("meta__task_criticality", "high"),
    ("meta__kappa_threshold", 1),
    ("meta__kappa_gate_passed", 1),
    ("temporal__occurred_at", "2025-01-02T03:04:05Z"),
    ("temporal__occurred_at", "2025-02-29T03:04:05.000006Z"),
    ("temporal__occurred_at", "2025-01-02T03:04:60.000006Z"),
    ("temporal__occurred_at", "2025-01-02T03:04:05.000006+00:00"),
    ("temporal__execution_time_ms", -1.0),
    ("temporal__execution_time_ms", 1),
    ("cost__response_time_ms", 1),
    ("cost__tokens_used", -1),
    ("cost__cost_usd", -0.01),
    ("cost__price_table", ""),
    ("capture__vantage", "wire"),
    ("capture__attempts", 0),
    ("capture__attempts", 10_001),
    ("capture__attempts", True),
    ("capture__request_id", ""),
    ("capture__source", {"format": "x", "epoch": -1}),
    ("raw__request_headers", {}),
    ("raw__request_headers", {f"h{number}": "" for number in range(65)}),
    ("raw__request_headers", {"Content-Type": "x"}),
    ("raw__request_headers", {"content_type": "x"}),
    ("raw__request_headers", {"h" * 65: "x"}),
    ("raw__request_headers", {"x": "v" * 4097}),
    ("raw__request_headers", {"x": "a\0b"}),
    ("raw__request_headers", {"x": 1}),
    ("raw__request_headers", {"blake3": "x"}),
]


@pytest.mark.parametrize(("path", "value"), VALUES, ids=lambda value: ascii(value)[:40])
def test_a_value_that_its_field_does_not_allow_is_refused(path: str, value: Any) -> None:
    """Types, ranges, lengths in bytes and closed choices, one by one."""
    error = refused(changed(full(), **{path: value}))
    assert error.code == "body_invalid"
    assert path.split("__")[-1].split(".")[0] in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize(
    "path",
    [
        f"{group}__{field}"
        for group, fields in full().items()
        if isinstance(fields, dict)
        for field in fields
    ],
)
def test_null_never_stands_for_absent(path: str) -> None:
    """A decoded null is refused in every field of every group."""
    error = refused(changed(full(), **{path: None}))
    assert error.code == "body_invalid"


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
@pytest.mark.parametrize("group", ["request_headers", "response_headers"])
def test_secret_headers_are_never_recorded(group: str, name: str) -> None:
    """A header that carries credentials is refused, and its value is not in the message."""
    error = refused(changed(full(), **{f"raw__{group}": {name: "sk-very-secret"}}))
    assert error.code == "body_invalid"
    assert name in error.message
    assert "sk-very-secret" not in error.message


@pytest.mark.parametrize(
    ("score", "band"),
    [
        (1.0, "A"),
        (0.95, "A"),
        (0.9499999999999998, "B"),
        (0.8, "B"),
        (0.7999999999999999, "C"),
        (0.0, "C"),
    ],
)
def test_the_band_is_that_of_the_score(score: float, band: str) -> None:
    """The right band is accepted; the two others are `band_mismatch`."""
    for said in "ABC":
        body = changed(
            full(),
            uncertainty__confidence_score=score,
            uncertainty__confidence_band=said,
            meta__kappa_gate_passed=score >= 0.7,
        )
        if said == band:
            from_body("witness", body)
        else:
            assert refused(body).code == "band_mismatch"


@pytest.mark.parametrize(
    ("criticality", "threshold"),
    [("critical", 0.95), ("important", 0.85), ("routine", 0.7), ("low_stakes", 0.6)],
)
def test_threshold_and_gate_follow_from_criticality_and_score(
    criticality: str, threshold: float
) -> None:
    """Another threshold is `threshold_mismatch`, another gate `gate_mismatch`."""
    for score in (threshold, threshold - 0.01):
        body = changed(
            full(),
            uncertainty__confidence_score=score,
            uncertainty__confidence_band="A" if score >= 0.95 else "B" if score >= 0.8 else "C",
            meta__task_criticality=criticality,
            meta__kappa_threshold=threshold,
            meta__kappa_gate_passed=score >= threshold,
        )
        from_body("witness", body)
        wrong = changed(body, meta__kappa_threshold=threshold + 0.001)
        assert refused(wrong).code == "threshold_mismatch"
        wrong = changed(body, meta__kappa_gate_passed=score < threshold)
        assert refused(wrong).code == "gate_mismatch"


def test_the_total_is_the_sum() -> None:
    """Another total is `total_mismatch`."""
    assert refused(changed(full(), output__total_tokens=16)).code == "total_mismatch"


def test_body_invalid_goes_before_derived_values() -> None:
    """A body that has no right shape is not judged by its derived values."""
    body = changed(full(), output__total_tokens=16, cost__tokens_used=-1)
    assert refused(body).code == "body_invalid"


def test_a_message_names_the_path_and_not_the_value() -> None:
    """Neither a secret nor a megabyte ends up in an error message."""
    secret = "sk-secret" + "x" * 100_000
    error = refused(changed(full(), model__model_id=secret, raw__request=secret))
    assert "model.model_id" in error.message
    assert "raw.request" in error.message
    assert "sk-secret" not in error.message
    error = refused({**full(), "k\x1b[31m" + "x" * 1000: 1})
    assert len(error.message) < 200
    assert "\x1b" not in error.message


@pytest.mark.parametrize("body", [None, [], "x", 1, {1: 2}, {"version": 1, b"x": 1}])
def test_what_is_no_body_at_all_is_refused(body: Any) -> None:
    """Any value at all is answered with `body_invalid`."""
    assert refused(body).code == "body_invalid"


def test_construction_is_friendly_where_reading_is_strict() -> None:
    """Integers for floats, tuples and lists for arrays, None for absent; −0.0 becomes 0.0."""
    group = Uncertainty(entropy=1, ece_score=-0.0, confidence_score=None)
    assert to_body(group) == {"ece_score": 0.0, "entropy": 1.0}
    assert str(group.ece_score) == "0.0"
    assert type(group.entropy) is float


def test_construction_refuses_with_a_record_error() -> None:
    """A caller sees `RecordError`, whichever way a model is made."""
    with pytest.raises(RecordError, match="body_invalid"):
        Model(model_id="")
    with pytest.raises(RecordError, match="body_invalid"):
        Model(model_id="m").model_copy(update={"vendor": ""})
    with pytest.raises(RecordError, match="total_mismatch"):
        Witness(**changed(full(), output__total_tokens=16))


def test_a_model_cannot_be_changed() -> None:
    """Models are frozen, and hold no map of the caller's."""
    parameters = {"stop": ["a"]}
    record = Witness(**changed(full(), replay__other_params=parameters))
    with pytest.raises(ValueError, match="frozen"):
        record.operation = "x"  # type: ignore[misc]
    parameters["stop"].append("b")
    assert to_body(record)["replay"]["other_params"] == {"stop": ["a"]}


def test_other_params_may_hold_a_reference_and_every_value_of_the_profile() -> None:
    """Free values are kept as they are, null and bytes among them."""
    values = {"ref": REF, "null": None, "bytes": b"x", "deep": [[{"a": [1, 2.5, -(2**64)]}]]}
    body = changed(full(), replay__other_params=values)
    assert to_body(from_body("witness", body)) == body


def test_other_params_nested_too_deeply_are_refused() -> None:
    """What the CBOR profile could not hold at that place is refused here already."""
    value: Any = 1
    for _ in range(29):
        value = [value]
    assert refused(changed(full(), replay__other_params={"a": value})).code == "body_invalid"
    from_body("witness", changed(full(), replay__other_params={"a": value[0]}))
