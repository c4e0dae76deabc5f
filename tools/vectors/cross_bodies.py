"""Cases of the bodies of specs/12, each by itself: what is good, and shapes that are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tools.vectors import cross_numbers, lab
from tools.vectors.body import DROP, Body, altered, body_case
from tools.vectors.case import Case
from tools.vectors.cross_lab import BEGAN, FULL, SMALLEST
from tools.vectors.cross_stages import chained, handed, of_stage, thought
from tools.vectors.cross_values import Changes, of_operation
from tools.vectors.cross_wholes import combined

_STAGES = ("insight", "transfer", "execution")


def cases() -> Iterator[Case]:
    """Yield the cases of kind body for the types of specs/12."""
    yield from _accepted()
    numbers: Counter[str] = Counter()
    for kind, base, changes in _tables():
        for path, value in changes:
            told = f"{path} is missing" if value is DROP else f"{path} breaks its rule"
            name = f"{kind}_{path.replace('.', '_')}"
            numbers[name] += 1
            body = altered(base, path, value)
            yield body_case(f"{name}_{numbers[name]}", told, kind, body, "body_invalid")
    yield from cross_numbers.cases()


def _accepted() -> Iterator[Case]:
    for kind in FULL:
        yield body_case(kind, "every field", kind, FULL[kind]())
        smallest = SMALLEST[kind]()
        yield body_case(f"{kind}_smallest", "only what must be there", kind, smallest)
    edges: dict[str, list[tuple[str, str, Body]]] = {
        kind: [
            ("moment", "it took no time", {"ended_at": BEGAN}),
            ("label_128", "a label of 128 characters", {"label": "a" * 128}),
            ("checked", "32 keys of metadata", {"metadata": {f"k{n}": n for n in range(32)}}),
            ("metadata_edges", "the ends of what metadata may hold",
             {"metadata": {"a": -(2**63), "b": 2**63 - 1, "c": "x" * 256, "d": -1.5, "e": False}}),
            ("unpriced", "operations without prices",
             {"made_with": 2, "usage": {"operations": 2, "priced": 0}}),
            ("free", "an operation that costs nothing",
             {"made_with": 1,
              "usage": {"operations": 1, "priced": 1, "cost_usd": 0.0, "tokens": 0}}),
            ("priced_lost", "prices whose sum no double holds",
             {"made_with": 2, "usage": {"operations": 2, "priced": 2}}),
            ("made_with_0", "stages inside, which count nothing",
             {"made_with": 256, "usage": {"operations": 0, "priced": 0}}),
            ("made_with_many", "without its parents their number is not judged",
             {"made_with": 2**63 - 1}),
            ("confident", "a confidence without quality",
             {"confidence": 0.0, "confidence_method": "verbal"}),
            ("rated", "a quality without confidence", {"quality": 1.0, "quality_method": "x"}),
        ]
        for kind in _STAGES
    }  # fmt: skip
    many = [f"atom {n}" for n in range(256)]
    edges["insight"].append(("atoms_256", "256 atoms", {"atoms": many}))
    edges["transfer"] += [
        ("delivered", "a summary of which no atoms are known",
         {"delivered": lab.ref("six"), "compression_ratio": 10.0 / 3.0, "completeness": DROP}),
        ("no_atoms", "atoms of the source were not recorded",
         {"delivered": lab.ref("six"), "compression_ratio": 10.0 / 3.0, "completeness": DROP,
          "atoms": ["six"]}),
        ("atoms_none", "a summary in which none of the atoms is left",
         {"delivered": lab.ref("six"), "compression_ratio": 10.0 / 3.0, "atoms": [],
          "completeness": 0.0}),
        ("checks_32", "32 checks",
         {"checks": [{"name": f"{n}", "passed": n > 3} for n in range(32)]}),
    ]  # fmt: skip
    claims: list[Body] = [
        {"chain_verified": False}, {"lineage_verified": True}, {"trust_chain": [bytes(32)] * 64},
        {"status": "verified"}, {"status": "outside"},
    ]  # fmt: skip
    edges["provenance"] = [
        (f"claims_{number}", "one claim", {"claims": one}) for number, one in enumerate(claims)
    ]
    steps = [{"stage": "insight", "label": f"{n}"} for n in range(255)]
    edges["provenance"].append(("steps_255", "255 steps", {"steps": steps}))
    edges["provenance"].append(
        ("steps_labels", "one label in stages of several types",
         {"steps": [{"stage": kind, "label": "1"} for kind in (*_STAGES[1:], "insight")]})
    )  # fmt: skip
    few = [{"passed": 0, "failed": 0}] * 127
    edges["cross_model"] = [
        ("wide", "many transfers", {"transfers": few}),
        ("metrics_64", "64 metrics", {"metrics": {f"m{n}": float(n) for n in range(64)}}),
        ("trends_only", "quality with trends only", {"quality": {"trends": [
            {"metric": "q", "direction": "rising", "method": "m"}] * 16}}),
        ("replay_one", "a replay with one key", {"replay": {"consistency": 1.0}}),
        ("validation_smallest", "a validation with what must be there",
         {"validation": {"scope": "s", "level": "l"}}),
        ("strategy", "a strategy without a baseline",
         {"cost": {"operations": 1, "priced": 0, "strategy": "s"}}),
    ]  # fmt: skip
    for kind, rows in edges.items():
        for name, told, change in rows:
            body = {key: v for key, v in (SMALLEST[kind]() | change).items() if v is not DROP}
            yield body_case(f"{kind}_{name}", told, kind, body)


def _tables() -> Iterator[tuple[str, Body, Changes]]:
    for kind in FULL:
        needed = [key for key in SMALLEST[kind]() if (kind, key) != ("transfer", "completeness")]
        yield kind, SMALLEST[kind](), [(key, DROP) for key in needed]
        yield kind, FULL[kind](), [("note", 1), *of_operation(), *_OWN[kind]]
    for kind in _STAGES:
        yield kind, FULL[kind](), of_stage()


_OWN: dict[str, Changes] = {
    "insight": thought(),
    "transfer": handed(),
    "execution": thought(),
    "provenance": chained(),
    "cross_model": combined(),
}
