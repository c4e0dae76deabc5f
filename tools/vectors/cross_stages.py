"""What stages and provenances may not say: places in a body, and what is put there (specs/12)."""

from __future__ import annotations

from tools.vectors import lab
from tools.vectors.body import DROP
from tools.vectors.cross_values import (
    Changes,
    of_checks,
    of_map,
    of_rating,
    of_span,
    of_trace,
)

_LONG = "a" * 129


def of_stage() -> Changes:
    """What no stage may say."""
    usage = {"operations": 2, "priced": 1, "cost_usd": 0.5}
    return [
        ("label", ""),
        ("label", "a b"),
        ("label", _LONG),
        ("made_with", -1),
        ("made_with", 1.0),
        ("made_with", True),
        ("made_with", "1"),
        ("made_with", None),
        ("made_with", 2**63),
        ("usage", {}),
        ("usage.operations", DROP),
        ("usage.operations", 1.0),
        ("usage.operations", -1),
        ("usage.operations", 2**63),
        ("usage.priced", DROP),
        ("usage", usage | {"priced": 3}),
        ("usage", usage | {"priced": 0}),
        ("usage.cost_usd", 1),
        ("usage.cost_usd", -0.5),
        ("usage.tokens", 1.0),
        ("usage.tokens", -1),
        ("usage.note", 1),
        *of_rating(),
        *of_span(),
        *of_trace(),
        *of_map("metadata"),
    ]


def thought() -> Changes:
    """What an insight or execution may not say."""
    return [
        ("model_id", ""),
        ("model_id", "x" * 257),
        ("model_version", ""),
        ("model_version", None),
        ("output", DROP),
        ("output", "42"),
        ("output.size_bytes", DROP),
        ("context", b"x"),
        ("context.note", 1),
        *of_atoms(),
    ]


def of_atoms() -> Changes:
    """What atoms may not be."""
    return [
        ("atoms", []),
        ("atoms", ["six", "six"]),
        ("atoms", [f"{n}" for n in range(257)]),
        ("atoms", [""]),
        ("atoms", ["x" * 257]),
        ("atoms", [1]),
        ("atoms", "six"),
    ]


def handed() -> Changes:
    """What a transfer may not say."""
    changes: Changes = []
    for party in ("source", "target"):
        changes += [
            (party, "large-model"),
            (f"{party}.model_id", DROP),
            (f"{party}.model_id", ""),
            (f"{party}.model_version", ""),
            (f"{party}.context", "x"),
            (f"{party}.note", 1),
        ]
    return [
        *changes,
        ("content", DROP),
        ("content", b"x"),
        ("content.note", 1),
        ("delivered", "six"),
        ("delivered", DROP),
        *((path, {} if wrong == [] else wrong) for path, wrong in of_atoms()),  # none may be left
        ("compression_ratio", 3),
        ("compression_ratio", -1.0),
        ("completeness", 1),
        ("completeness", 1.5),
        ("accuracy", 1),
        ("accuracy", 1.5),
        *of_checks("checks"),
        ("latency_ms", 12),
        ("latency_ms", -1.0),
    ]


def chained() -> Changes:
    """What a provenance may not say."""
    step = {"stage": "insight", "label": "1"}
    item = {"role": "corpus", "name": "x", "content": lab.ref("x")}
    passed = {"source": "a", "target": "b", "type": "note", "content": lab.ref("x")}
    return [
        ("steps", []),
        ("steps", {}),
        ("steps", [step, step]),
        ("steps", [{"stage": "insight", "label": f"{n}"} for n in range(256)]),
        ("steps.0.stage", DROP),
        ("steps.0.stage", "provenance"),
        ("steps.0.label", DROP),
        ("steps.0.label", "a b"),
        ("steps.0.note", 1),
        ("interactions", []),
        ("interactions", [passed] * 65),
        *((f"interactions.0.{key}", DROP) for key in passed),
        ("interactions.0.source", ""),
        ("interactions.0.target", ""),
        ("interactions.0.type", "a b"),
        ("interactions.0.content", "x"),
        ("interactions.0.step", -1),
        ("interactions.0.step", 3),
        ("interactions.0.step", 1.0),
        ("interactions.0.note", 1),
        *of_rating("interactions.0."),
        *of_map("interactions.0.metadata"),
        *of_checks("interactions.0.checks"),
        ("data", []),
        ("data", [item] * 65),
        *((f"data.0.{key}", DROP) for key in item),
        ("data.0.role", "a b"),
        ("data.0.name", ""),
        ("data.0.content", b"x"),
        ("data.0.note", 1),
        ("claims", {}),
        ("claims.chain_verified", 1),
        ("claims.lineage_verified", "yes"),
        ("claims.trust_chain", []),
        ("claims.trust_chain", [bytes(32)] * 65),
        ("claims.trust_chain", [bytes(31)]),
        ("claims.trust_chain", ["00" * 32]),
        ("claims.status", "trusted"),
        ("claims.note", True),
    ]
