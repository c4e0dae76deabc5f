"""What the common values of specs/12 may not be: places in a body, and what is put there."""

from __future__ import annotations

from typing import Any

from tools.vectors.body import DROP, Body
from tools.vectors.cross_lab import ENDED

Changes = list[tuple[str, Any]]

_LONG = "a" * 129


def of_operation() -> Changes:
    """What an operation may not be."""
    return [
        ("operation", "review/1"),
        ("operation.name", DROP),
        ("operation.name", ""),
        ("operation.name", "a b"),
        ("operation.name", _LONG),
        ("operation.number", DROP),
        ("operation.number", 0),
        ("operation.number", 1_000_001),
        ("operation.number", 1.0),
        ("operation.number", True),
        ("operation.note", 1),
    ]


def of_map(path: str) -> Changes:
    """What metadata may not be."""
    values: list[Any] = [
        [], {}, {f"k{n}": n for n in range(33)}, {"a b": 1}, {"": 1}, {_LONG: 1}, {"a": ""},
        {"a": "x" * 257}, {"a": "x\n"}, {"a": None}, {"a": 2**63}, {"a": -(2**63) - 1}, {"a": b"x"},
        {"a": [1]}, {"a": {"b": 1}}, {"blake3": 1},
    ]  # fmt: skip
    return [(path, value) for value in values]


def of_checks(path: str) -> Changes:
    """What checks may not be."""
    one: Body = {"name": "a", "passed": True}
    values: list[Any] = [
        [], {}, [one, {"name": "a", "passed": False}], [{"name": f"{n}", "passed": True}
         for n in range(33)], [{"name": "a"}], [{"passed": True}],
    ]  # fmt: skip
    fields: Changes = [
        ("name", ""), ("name", "a b"), ("passed", 1), ("passed", None), ("score", 1),
        ("score", 1.5), ("score", -0.5), ("method", ""), ("detail", "x" * 257), ("note", 1),
    ]  # fmt: skip
    values += [[one | {key: value}] for key, value in fields]
    return [(path, value) for value in values]


def of_rating(path: str = "") -> Changes:
    """What a rating may not be."""
    return [
        (f"{path}confidence", DROP),
        (f"{path}confidence", 1),
        (f"{path}confidence", 1.25),
        (f"{path}confidence", -0.25),
        (f"{path}confidence_method", DROP),
        (f"{path}confidence_method", "guess"),
        (f"{path}quality", DROP),
        (f"{path}quality", True),
        (f"{path}quality", 1.25),
        (f"{path}quality_method", DROP),
        (f"{path}quality_method", ""),
    ]


def of_span() -> Changes:
    """What a span may not be."""
    return [
        ("started_at", "2026-11-20T09:00:00Z"),
        ("started_at", ENDED[:-2] + "6Z"),
        ("ended_at", "2026-02-30T09:00:01.000000Z"),
        ("ended_at", "2026-11-20T08:59:59.999999Z"),
        ("ended_at", 1),
    ]


def of_trace() -> Changes:
    """What a trace may not be."""
    return [
        ("trace", {}),
        ("trace.trace_id", DROP),
        ("trace.trace_id", "0" * 32),
        ("trace.trace_id", "A" * 32),
        ("trace.trace_id", "1" * 31),
        ("trace.trace_id", "1" * 33),
        ("trace.trace_id", "1" * 32 + "\n"),
        ("trace.span_id", DROP),
        ("trace.span_id", "0" * 16),
        ("trace.span_id", "F" * 16),
        ("trace.span_id", "1" * 15),
        ("trace.note", 1),
    ]
