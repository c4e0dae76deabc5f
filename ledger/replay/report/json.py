"""The determinism report as one JSON value."""

from __future__ import annotations

from typing import Any

from ledger.replay.levels import LEVELS
from ledger.replay.report.counts import Tally
from ledger.replay.report.whole import Report
from ledger.replay.report.witness import WitnessReport

__all__ = ["document"]


def document(report: Report) -> dict[str, Any]:
    """Return everything the report says; counts of runs unless something else is said."""
    rows = report.environments()
    names = {row.digest: row.name for row in rows}
    return {
        "witnesses": len(report.witnesses),
        "runs": report.runs,
        "answered": report.answered,
        "succeeded": report.succeeded,
        "reproduced": report.reproduced,
        "wanted": dict(sorted(report.wanted.items())),
        "engines": dict(report.engines.items()),
        "verdicts": report.verdicts,
        "nondeterministic": report.nondeterministic,
        "levels": {
            level: {
                "n": report.tally.matched(level),
                "m": report.tally.observed(level),
                **report.tally.document()[level],
                "differs_by_environment": report.differing(level),
            }
            for level in LEVELS
        },
        "environments": [
            {
                "name": row.name,
                "sha256": row.digest.hex() or None,
                "environment": row.document,
                "recorded": row.recorded,
                "runs": row.tally.runs,
                "to_the_recorded_one": row.relations,
                "levels": _agreement(row.tally),
            }
            for row in rows
        ],
        "runs_in_more_environments": report.more_environments,
        "environment_changes": [
            {"member": one.member, "old": one.old, "new": one.new, "runs": one.runs}
            for one in report.changes()
        ],
        "turned_with_environment": [
            {
                "level": turn.level,
                "matched_in": [names.get(digest) for digest in turn.matched_in],
                "differed_in": [names.get(digest) for digest in turn.differed_in],
                "witnesses": [one.subject.id for one in turn.witnesses],
            }
            for turn in report.turns()
        ],
        "reasons": dict(sorted(report.reasons.items())),
        "confidence_difference": report.confidence.document(),
        "logprob_difference": report.logprobs.document(),
        "epsilon": report.epsilon.document(),
        "keys": {kid.hex(): runs for kid, runs in report.keys.items()},
        "results": [_one(one, names) for one in report.witnesses],
    }


def _agreement(tally: Tally) -> dict[str, dict[str, int]]:
    return {level: {"n": tally.matched(level), "m": tally.observed(level)} for level in LEVELS}


def _one(one: WitnessReport, names: dict[bytes, str]) -> dict[str, Any]:
    subject, part, (same, pairs) = one.subject, one.runs_part(), one.pairs
    recorded = [{"recorded": True, "runs": one.as_recorded}] if one.has_recorded else []
    others = [
        {"recorded": False, "sha256": digest.hex(), "runs": runs}
        for digest, runs in one.outputs.items()
    ]
    return {
        "index": subject.index,
        "id": subject.id,
        "ledger": None if subject.ledger is None else subject.ledger.hex(),
        "session": subject.session,
        "model": subject.model,
        "operation": subject.operation,
        "engines": [name for name, _ in one.engines.items()],
        "verdict": one.verdict,
        "first_level": one.first_level,
        "runs": one.runs,
        "succeeded": one.succeeded,
        "levels": one.tally.document(),
        "differs": [
            {"level": level, "environment": relation, "runs": runs}
            for (level, relation), runs in sorted(one.parted.items())
        ],
        "outputs": {
            "distinct": one.distinct,
            "at_least": one.outputs.more,
            "not_certain": one.unidentified,
            "counts": recorded + others,
            "others": one.outputs.rest,
        },
        "pairs": {"same_output": same, "all": pairs},
        "first_difference": {"character": one.characters.first, "token": one.tokens.first},
        "runs_part": None if part is None else {"character": part[0], "exact": part[1]},
        "environments": [
            {
                "name": names.get(digest),
                "to_the_recorded_one": relation,
                "runs": tally.runs,
                "levels": _agreement(tally),
            }
            for (digest, relation), tally in one.environments.items()
        ],
        "reasons": dict(sorted(one.reasons.items())),
        "confidence_difference": one.confidence.document(),
        "logprob_difference": one.logprobs.document(),
    }
