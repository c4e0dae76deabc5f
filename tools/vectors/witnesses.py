"""Cases of the witness body that are refused (specs/03 sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.vectors import lab
from tools.vectors.body import DROP, Body, altered, body_case, scored, smallest
from tools.vectors.case import Case

_PRICED = ("cost.usage", "cost.prices")


def cases() -> Iterator[Case]:
    """Yield the cases of kind body for witnesses that are refused."""
    yield from _shape()
    yield from _values()
    yield from _tables()
    yield from _presence()
    yield from _derived()


def _full(path: str, value: Any) -> Body:
    return altered(lab.full_witness_body(), path, value)


def _priced(path: str, value: Any) -> Body:
    """Return a witness with costs that follow from units and prices, altered."""
    return altered(lab.priced_witness_body(), path, value)


def _witness(name: str, told: str, body: Body, expect: str = "body_invalid") -> Case:
    return body_case(f"witness_{name}", told, "witness", body, expect)


def _shape() -> Iterator[Case]:
    """Closed maps: every group lacks each key it must have, and takes no other."""
    required = [
        "version",
        "operation",
        "model",
        "data",
        "output",
        "meta",
        "capture",
        "model.model_id",
        "data.prompt_hash",
        "tools.tool_ids",
        "meta.writer",
        "meta.task_criticality",
        "meta.kappa_threshold",
        "capture.vantage",
        "capture.source.format",
        "uncertainty.top_k_probs.0.token",
        "uncertainty.top_k_probs.0.probability",
    ]
    for path in required:
        yield _witness(f"no_{path.replace('.', '_')}", f"{path} is missing", _full(path, DROP))
    groups = [
        "",
        "model.",
        "data.",
        "tools.",
        "uncertainty.",
        "replay.",
        "output.",
        "meta.",
        "temporal.",
        "cost.",
        "capture.",
        "capture.source.",
        "raw.",
        "data.prompt_hash.",
        "uncertainty.top_k_probs.0.",
    ]
    for group in groups:
        name = group.replace(".", "_")
        yield _witness(
            f"unknown_{name}key",
            f"a key that the page does not name: {group}note",
            _full(f"{group}note", "x"),
        )
    for group in ("tools", "uncertainty", "replay", "temporal", "cost", "raw"):
        yield _witness(f"empty_{group}", f"{group} is there without a key", smallest((group, {})))
    yield _witness("null_field", "null never stands for unknown", _full("model.vendor", None))
    yield _witness("null_group", "null never stands for unknown", _full("replay", None))
    yield _witness("group_array", "a group that is not a map", _full("model", []))


def _values() -> Iterator[Case]:
    """Types and ranges of the common values, each at a field or more."""
    long_name = "n" * 257
    table: list[tuple[str, list[Any]]] = [
        ("version", [2, 1.0, True, "1"]),
        ("operation", ["", "Chat", "1chat", "c" * 65, "chat\n", 1]),
        ("model.model_id", ["", long_name, "a\nb", "a\x7fb", 1, b"a", "ü" * 129]),
        ("model.provider_source", ["told", "", 1]),
        ("model.weights_hash", [bytes(31), bytes(33), "00" * 32]),
        (
            "model.model_build_date",
            ["2024-02-30", "2024-7-18", "2024-07-18T00:00:00Z", "20240718", 2024],
        ),
        ("data.prompt_hash", [{}, bytes(32), "x"]),
        ("data.prompt_tokens", [-1, 14.0, True, 2**63, "14"]),
        ("data.context_atom_ids", [[], ["a"] * 1025, "a", [""], [1]]),
        ("tools.tool_ids", [[], ["a"] * 257, [long_name]]),
        ("tools.tool_parameters", ['{"a":6}', {"a": 6}]),
        ("uncertainty.confidence_score", [1, 0, True, "0.9", -0.1, 1.0000000000000002]),
        ("uncertainty.confidence_band", ["D", "b", ""]),
        ("uncertainty.confidence_method", ["guess", ""]),
        ("uncertainty.ece_score", [1.5, 0]),
        ("uncertainty.entropy", [-0.5, 1]),
        ("uncertainty.top_k_position", [-1, 0.0]),
        ("replay.replay_seed", [2**63, -(2**63) - 1, 7.0, True]),
        ("replay.temperature", [0, -1.0]),
        ("replay.top_p", [1, 1.5]),
        ("replay.top_k", [-1, 40.0]),
        ("replay.max_tokens", [16.0]),
        ("replay.other_params", [{}, {str(n): n for n in range(65)}, {"": 1}, {"a\tb": 1}, []]),
        ("data.prompt_variables", [{}, bytes(32), {"a": "6"}]),
        ("data.context_snapshot", [{}, bytes(32), {"atoms": {}}]),
        ("replay.engine", ["", "a b", "e" * 129, 1, None]),
        ("replay.environment", [{}, bytes(32), {"threads": 1}]),
        ("replay.observation", [{}, bytes(32), [7]]),
        ("output.output_tokens", [-1, 2.0]),
        ("output.token_source", ["guess", ""]),
        ("meta.task_criticality", ["high", ""]),
        ("meta.kappa_threshold", [1, 1.5, -0.5]),
        ("meta.kappa_gate_passed", [1, "true"]),
        ("temporal.occurred_at", ["2026-11-20T08:59:59Z", "2026-11-31T08:59:59.000000Z", 0]),
        ("temporal.execution_time_ms", [412, -0.5]),
        ("cost.response_time_ms", [431]),
        ("cost.tokens_used", [16.0]),
        ("cost.cost_usd", [1, -0.01]),
        (
            "cost.usage",
            [
                {},
                [],
                {"A": 1},
                {"": 1},
                {"u" * 65: 1},
                {f"u{n}": 1 for n in range(17)},
                {"u": -1},
                {"u": 1.0},
                {"u": True},
                {"u": 2**63},
                {"blake3": 1},
            ],
        ),
        (
            "cost.prices",
            [{}, {"u": 1}, {"input_tokens": 0.25}, {"input_tokens": 0.25, "output_tokens": -0.5}],
        ),
        ("capture.vantage", ["proxy", ""]),
        ("capture.attempts", [0, 10001, 2.0]),
        ("capture.source", [{}, "inspect"]),
        ("capture.source.epoch", [-1, 1.0]),
        (
            "raw.request_headers",
            [
                {},
                {"Content-Type": "a"},
                {"a b": "x"},
                {"": "x"},
                {"h" * 65: "x"},
                {"x": "a\0b"},
                {"x": "a" * 4097},
                {"x": 1},
                {f"x-{n}": "" for n in range(65)},
            ],
        ),
    ]
    for path, values in table:
        for number, value in enumerate(values):
            yield _witness(
                f"{path.replace('.', '_')}_{number}",
                f"{path} is out of its type or range",
                _full(path, value) if path not in _PRICED else _priced(path, value),
            )


def _tables() -> Iterator[Case]:
    """Rules that are about a whole array or map."""
    top = [{"token": "a", "probability": 0.5}, {"token": "b", "probability": 0.25}]
    for name, told, value in [
        ("empty", "no alternative", []),
        ("21", "21 alternatives", [{"token": "a", "probability": 0.0}] * 21),
        ("order", "not in descending order", top[::-1]),
        ("sum", "the sum is above 1", [{"token": "a", "probability": 0.75}] * 2),
        ("token_257", "a token of 257 bytes", [{"token": "a" * 257, "probability": 0.5}]),
        ("token_bytes", "a token as bytes", [{"token": b"a", "probability": 0.5}]),
        ("integer", "a probability that is an integer", [{"token": "a", "probability": 1}]),
        ("range", "a probability above 1", [{"token": "a", "probability": 1.0000001}]),
    ]:
        yield _witness(f"top_k_{name}", told, _full("uncertainty.top_k_probs", value))
    secrets = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-security-token",
    ]
    for secret in secrets:
        yield _witness(
            f"header_{secret.replace('-', '_')}",
            f"{secret} is never recorded",
            _full("raw.request_headers", {secret: "x"}),
        )
    yield _witness(
        "header_response_set_cookie",
        "nor in a response",
        _full("raw.response_headers", {"set-cookie": "x"}),
    )
    yield _witness(
        "hidden_reference",
        "a map with the key blake3 is a reference, wherever it is",
        _full("replay.other_params", {"x": [{"blake3": bytes(32)}]}),
    )


def _presence() -> Iterator[Case]:
    """Fields that are there if and only if another one is."""
    for path in (
        "model.provider_source",
        "uncertainty.confidence_band",
        "uncertainty.confidence_method",
        "uncertainty.top_k_position",
        "output.total_tokens",
        "output.token_source",
        "meta.kappa_gate_passed",
        "temporal.occurred_at",
        "cost.price_table",
    ):
        yield _witness(
            f"without_{path.replace('.', '_')}",
            f"{path} is missing though it has to be there",
            _full(path, DROP),
        )
    for path, value in [
        ("model.provider_source", "stated"),
        ("uncertainty.confidence_band", "A"),
        ("uncertainty.confidence_method", "verbal"),
        ("uncertainty.top_k_position", 0),
        ("output.total_tokens", 16),
        ("output.token_source", "provider"),
        ("meta.kappa_gate_passed", True),
        ("cost.price_table", "prices"),
    ]:
        yield _witness(
            f"alone_{path.replace('.', '_')}",
            f"{path} is there though it must not be",
            smallest((path, value)),
        )
    for path in ("cost.prices", "cost.usage", "cost.cost_usd"):
        body = _priced(path, DROP)
        if path == "cost.cost_usd":
            body = altered(body, "cost.price_table", DROP)
        yield _witness(
            f"prices_without_{path.removeprefix('cost.')}",
            f"{path} is missing beside the other two",
            body,
        )
    counted = [("output.output_tokens", 2), ("output.token_source", "provider")]
    yield _witness(
        "total_without_prompt",
        "a total of one count",
        smallest(*counted, ("output.total_tokens", 2)),
    )


def _derived() -> Iterator[Case]:
    for name, told, body in [
        ("a_for_b", "A for a score of 0.875", _full("uncertainty.confidence_band", "A")),
        ("b_for_a", "B for a score of 0.95", scored(0.95, "B")),
        ("a_below", "A for a score just below 0.95", scored(0.9499999999999999, "A")),
        ("c_for_b", "C for a score of 0.80", scored(0.80, "C")),
    ]:
        yield _witness(f"band_{name}", told, body, "band_mismatch")
    for name, told, body in [
        (
            "failed",
            "not passed although the score suffices",
            _full("meta.kappa_gate_passed", False),
        ),
        ("passed", "passed although the score is too low", scored(0.65, "C", True)),
        ("edge", "not passed although the score is the threshold", scored(0.70, "C", False)),
    ]:
        yield _witness(f"gate_{name}", told, body, "gate_mismatch")
    for name, value in [("routine", 0.70), ("near", 0.8499999999999999), ("zero", 0.0)]:
        body = _full("meta.kappa_threshold", value)
        yield _witness(
            f"threshold_{name}", "not the threshold of its criticality", body, "threshold_mismatch"
        )
    for value in (15, 17, 0):
        yield _witness(
            f"total_{value}",
            "not the sum of 14 and 2",
            _full("output.total_tokens", value),
            "total_mismatch",
        )
    for name, told, change in [
        ("cost", "another cost", {"cost_usd": 8.000000000000001e-06}),
        ("zero", "no cost", {"cost_usd": 0.0}),
        ("usage", "a unit more", {"usage": {"input_tokens": 17, "output_tokens": 8}}),
        ("price", "another price", {"prices": {"input_tokens": 0.25, "output_tokens": 0.25}}),
        (
            "order",
            "added in another order than that of the encoding",
            {
                "usage": {"b": 1, "c": 1, "aa": 1},
                "prices": {"b": 0.2, "c": 0.3, "aa": 0.1},
                "cost_usd": (0.0 + 0.1 + 0.2 + 0.3) / 1_000_000.0,
            },
        ),
        (
            "overflow",
            "a sum beyond all doubles",
            {"prices": {"input_tokens": 1.7e308, "output_tokens": 1.7e308}},
        ),
    ]:
        body = lab.priced_witness_body()
        body["cost"] |= change
        yield _witness(f"cost_{name}", told, body, "cost_mismatch")
