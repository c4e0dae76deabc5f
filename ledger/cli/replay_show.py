"""How replays look in the terminal and as JSON."""

from __future__ import annotations

from typing import Any

from ledger.cli import output
from ledger.cli.text import clip, counted, pad, visible
from ledger.model.replay import LEVELS, ReplayRun
from ledger.replay import OperationReplay, Replay

__all__ = ["replay_json", "show_operation_replay", "show_run"]

_MODEL_COLUMNS = 24
_ENGINE_COLUMNS = 12
_FAILURE_MAX = 300
_MARKS = {"match": "=", "differs": "≠", "not_observable": "·", "not_run": " "}
_STYLES = {"match": "green", "differs": "red", "not_observable": "dim", "not_run": "dim"}


def show_run(ran: Replay, *, first: bool) -> None:
    """Print one run on a line: which, by what, each level, and what there is to say."""
    if first:
        head = "     #  " + pad("MODEL", _MODEL_COLUMNS + 2) + pad("ENGINE", _ENGINE_COLUMNS + 2)
        output.say((head + pad("LEVELS", 12) + "REACHED   ", "bold"))
    body, what = ran.body, _what(ran.witness.payload.body)
    output.say(
        f"{ran.witness.index:>6}  ",
        pad(clip(visible(what), _MODEL_COLUMNS), _MODEL_COLUMNS + 2),
        pad(clip(visible(body.engine), _ENGINE_COLUMNS), _ENGINE_COLUMNS + 2),
        *_levels(body),
        "       ",
        (pad(body.level, 10), "green" if body.success else "yellow"),
        (visible(_said(body)), "" if body.success else "yellow"),
    )
    if ran.failure is not None:
        output.say(f"{'':>8}", (visible(f"{ran.failure}"[:_FAILURE_MAX]), "red"))


def _what(witness: dict[str, Any]) -> str:
    """The model, or the function of a step that has none."""
    model = str(witness["model"]["model_id"])
    tools = witness.get("tools", {}).get("tool_ids", ())
    return str(tools[0]) if model == "unknown" and tools else model


def _levels(body: ReplayRun) -> list[tuple[str, str]]:
    states = body.levels.by_name()
    return [(_MARKS[states[level]], _STYLES[states[level]]) for level in LEVELS]


def _said(body: ReplayRun) -> str:
    return body.message if body.reason is None else f"{body.reason}: {body.message}"


def replay_json(ran: Replay) -> dict[str, Any]:
    """One run as a JSON value."""
    body = ran.body
    first = body.first_difference
    replayed = body.replayed.output if body.replayed else None
    return {
        "index": ran.witness.index,
        "id": ran.witness.id,
        "engine": body.engine,
        "wanted": body.wanted,
        "success": body.success,
        "level": body.level,
        "levels": body.levels.by_name(),
        "run": {"number": body.run.number, "of": body.run.of},
        "reason": body.reason,
        "message": body.message,
        "first_difference": None
        if first is None
        else {"token": first.token, "character": first.character},
        "logprob_difference": body.logprob_difference,
        "confidence_difference": body.confidence_difference,
        "environment_identical": body.environment_identical,
        "expected": body.expected.output.hex() if body.expected.output else None,
        "replayed": replayed.sha256.hex() if replayed else None,
        "recorded": ran.receipt.index if ran.receipt else None,
    }


def show_operation_replay(whole: OperationReplay, *, as_json: bool) -> None:
    """Print a replayed operation: its stages with their runs, and the whole."""
    body = whole.body
    if as_json:
        output.emit(
            {
                "operation": str(whole.report.name),
                "wanted": body.wanted,
                "success": body.success,
                "stages": [
                    {
                        "stage": stage.part.kind,
                        "label": stage.part.label,
                        "runs": [replay_json(run) for run in stage.runs],
                    }
                    for stage in whole.stages
                ],
                "checks": {check.name: check.passed for check in body.checks},
                "message": body.message,
                "recorded": whole.receipt.index if whole.receipt else None,
            }
        )
        return
    output.say((str(whole.report.name), "bold"), "  ", ("replayed stage by stage", "dim"))
    first = True
    for stage in whole.stages:
        title = f"{stage.part.kind} {visible(stage.part.label)}"
        output.say()
        output.say((title, "bold"), "  ", (counted(len(stage.runs), "call"), "dim"))
        for run in stage.runs:
            show_run(run, first=first)
            first = False
    output.say()
    for check in body.checks:
        output.say(
            ("✓ " if check.passed else "✗ ", "green" if check.passed else "red"),
            check.name.replace("_", " "),
        )
    style = "bold green" if body.success else "bold yellow"
    output.say((body.message, style))
