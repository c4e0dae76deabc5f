"""What the determinism report says in words, the same on the terminal and on the page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from ledger.replay.levels import Level
from ledger.replay.report.witness import Relation, Verdict

if TYPE_CHECKING:
    from ledger.replay.report.whole import Report

__all__ = [
    "LEVEL_WORDS", "REASON_WORDS", "RELATION_WORDS", "VERDICT_WORDS", "Tone", "headline", "member",
    "span",
]  # fmt: skip

Tone = Literal["good", "odd", "bad", ""]

LEVEL_WORDS: Final[dict[Level, str]] = {
    "archive": "Everything that was recorded is there and matches its hashes; nothing was run.",
    "text": "The decoded output is the same, byte for byte or, of JSON, as a value.",
    "tokens": "The same tokens were chosen, one by one.",
    "logprobs": "Each token came with the same log-probability, within ε.",
    "bits": "The raw output and the environment are identical.",
}
"""Each in one sentence (specs/13 section 6)."""

VERDICT_WORDS: Final[dict[Verdict, str]] = {
    "reproduced": "nothing that was observed differs in any run",
    "differs": "a run differs, and no other environment explains it: not deterministic",
    "environment": "runs differ, but only where the environment was another one",
    "archive": "what was recorded is damaged or not there; nothing else is judged",
    "incomplete": "nothing that was observed differs, but not every run answered",
    "not_run": "no run answered",
    "not_observable": "it was run, but neither output nor anything else could be compared",
}

RELATION_WORDS: Final[dict[Relation, str]] = {
    "same": "in the recorded environment",
    "changed": "in another environment",
    "unknown": "environment not known",
}

REASON_WORDS: Final[dict[str, str]] = {
    "prompt_mismatch": "the prompt is not what its template or the request says",
    "parameters_mismatch": "seed or parameters of the witness are not those of the request",
    "tool_results_mismatch": "results of tools in the witness are not those of the request",
    "content_missing": "a content that is needed is erased, withheld, missing or altered",
    "weights_mismatch": "the weights at hand are other ones",
    "model_unavailable": "no such model, endpoint or function was at hand",
    "engine_unknown": "no engine of that name is installed",
    "not_recorded": "the witness does not say what was asked",
    "engine_failed": "it was run and did not answer",
    "output_differs": "a level up to the wanted one differs",
    "environment_differs": "a level up to the wanted one differs, in another environment",
    "not_observable": "the wanted level could not be observed",
}
"""Why a run did not reach what was wanted (specs/13 section 7)."""


def headline(report: Report) -> tuple[str, Tone, str]:
    """What came out in a sentence: what matters, how good it is, and what is to be added."""
    verdicts, total = report.verdicts, sum(report.verdicts.values())
    differ, elsewhere = verdicts["differs"], verdicts["environment"]
    if not report.runs:
        return "there is nothing to report on", "", "."
    if not report.answered:
        return "no run answered", "bad", ", so nothing can be said about determinism."
    if differ:
        more = f", {elsewhere:,} more only in another environment" if elsewhere else ""
        return f"{_operations(differ)} did not come out the same", "bad", f"{more}."
    if elsewhere:
        where = ", only in an environment that is not the recorded one."
        return f"{_operations(elsewhere)} came out differently", "odd", where
    if verdicts["reproduced"] == total:
        return "nothing that was observed differs", "good", "."
    return "nothing that was observed differs", "", ", but not everything could be compared."


def _operations(number: int) -> str:
    return f"{number:,} operation{'' if number == 1 else 's'}"


def member(value: Any) -> str:
    """A member of an environment on one line, or that there is none."""
    if value is None:
        return "(none)"
    if isinstance(value, dict | bool):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


def span(value: float | None) -> str:
    """A difference for people."""
    return "–" if value is None else f"{value:.3g}"
