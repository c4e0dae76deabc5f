"""`vif session show`: what became of a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ledger import Ledger
from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder
from ledger.cli.describe import plain
from ledger.cli.ledgers import reading
from ledger.cli.session_options import SessionName
from ledger.cli.session_words import STATUS_STYLES, usd
from ledger.cli.text import counted, human_bytes, moment
from ledger.session.costs import CostLine
from ledger.session.history import CallListing, RunListing, Summary, summary

__all__ = ["show"]

_SHOWN = 20
_LABEL_COLUMNS = 26


def show(ledger: LedgerFolder, name: SessionName, as_json: AsJson = False) -> None:
    """Show a session: runs, calls, costs, what is unknown, what changed.

    Example:
      vif session show runs.vif pilot

    With --json: name, status, answered, reused, runs (run, index, status, reason,
    opened_at, last_at, on_unknown, answered, failed, unknown, reused, cost_usd,
    changed), failed, unknown and open (lists of calls: index, digest, replicate,
    attempt, status, reason, run, method, url, model, stage, sent_at,
    reserved_usd), stages, costs (total, models, stages, saved_usd), changes (of
    model and fingerprint), frozen (role, name, content).
    """
    with reading(ledger) as log:
        found = summary(log, name)
        frozen = log.get(found.runs[-1].index).payload.body.get("frozen", [])
        changed = {run.run: _changed(log, run) for run in found.runs if run.changed}
    if as_json:
        output.emit(_json(found, frozen, changed))
        return
    newest = found.runs[-1]
    status = newest.status
    output.say((found.name, "bold"), "  ", (status, STATUS_STYLES.get(status, "")))
    _show_runs(found.runs)
    _show_calls(found)
    _show_costs(found)
    _show_models(found)
    _show_files(frozen, changed)
    if found.stages:
        _title("stages")
        done = [("complete", "green") if stage.complete else "so far" for stage in found.stages]
        output.facts(
            zip([stage.name for stage in found.stages], done, strict=True),
            indent=2,
            label_columns=_LABEL_COLUMNS - 2,
        )


def _changed(log: Ledger, run: RunListing) -> list[dict[str, Any]]:
    changes = log.get(run.index).payload.body.get("changed", [])
    return [dict(change) for change in changes]


def _json(
    found: Summary, frozen: list[Any], changed: Mapping[int, list[dict[str, Any]]]
) -> dict[str, Any]:
    runs = [{**asdict(run), "changed": changed.get(run.run, [])} for run in found.runs]
    costs = asdict(found.costs)
    listed = {
        "failed": [asdict(call) for call in found.failed],
        "unknown": [asdict(call) for call in found.unknown],
        "open": [asdict(call) for call in found.open],
    }
    answer = {
        "name": found.name,
        "status": found.runs[-1].status,
        "answered": found.answered,
        "reused": found.reused,
        "runs": runs,
        **listed,
        "stages": [asdict(stage) for stage in found.stages],
        "costs": costs,
        "changes": [asdict(change) for change in found.changes],
        "frozen": frozen,
    }
    shown: dict[str, Any] = plain(answer)
    return shown


def _title(text: str) -> None:
    output.say()
    output.say((text, "bold"))


def _show_runs(runs: list[RunListing]) -> None:
    _title("runs (UTC)")
    left = len(runs) - _SHOWN
    if left > 0:
        output.say((f"  {left} earlier ones", "dim"))
    for run in runs[-_SHOWN:]:
        names = ("answered", "failed", "unknown", "reused")
        counts = [f"{getattr(run, name)} {name}" for name in names if getattr(run, name)]
        counts += [usd(run.cost_usd)] if run.cost_usd is not None else []
        counts += [f"{counted(run.changed, 'file')} changed"] if run.changed else []
        reason = f" ({run.reason})" if run.reason else ""
        output.say(
            f"{run.run:>4}  ",
            (f"{moment(run.opened_at)}  {moment(run.last_at)[11:]}  ", "dim"),
            (f"{run.status:<11}", STATUS_STYLES.get(run.status, "")),
            f"  {', '.join(counts) or 'no calls'}{reason}",
        )


def _show_calls(found: Summary) -> None:
    _title("calls")
    rows: list[tuple[str, output.Part]] = [
        ("answered", f"{found.answered:,}"),
        ("given again", f"{found.reused:,}" if found.reused else ""),
        ("failed", (f"{len(found.failed):,}", "yellow") if found.failed else ""),
        ("open", (f"{len(found.open):,}", "yellow") if found.open else ""),
        ("unknown", (f"{len(found.unknown):,}", "red") if found.unknown else ""),
    ]
    output.facts([row for row in rows if row[1]], indent=2, label_columns=_LABEL_COLUMNS - 2)
    if found.unknown or found.open:
        _title("may have been paid, without an answer")
        _show_unanswered([*found.unknown, *found.open])


def _show_unanswered(calls: list[CallListing]) -> None:
    for call in calls[:_SHOWN]:
        most = "?" if call.reserved_usd is None else f"up to {usd(call.reserved_usd)}"
        number = f"  replicate {call.replicate}" if call.replicate > 1 else ""
        output.say(
            f"{'#' + str(call.index):>7}  ",
            (f"{moment(call.sent_at)}  ", "dim"),
            call.model or "-",
            f"  {most}  ",
            (call.reason or call.status, "red"),
            f"{number}  ",
            (f"{call.method} {call.url}", "dim"),
        )
    if len(calls) > _SHOWN:
        output.say((f"  and {len(calls) - _SHOWN} more: vif session calls", "dim"))


def _show_costs(found: Summary) -> None:
    costs = found.costs
    if not costs.total.calls:
        return
    _title("cost")
    rows = [("total", _cost(costs.total))]
    rows += [(name, _cost(line)) for name, line in costs.models.items()]
    if set(costs.stages) != {""}:
        rows += [
            (f"stage {name}" if name else "no stage", _cost(line))
            for name, line in costs.stages.items()
        ]
    if costs.saved_usd:
        rows.append(("saved by reuse", usd(costs.saved_usd)))
    output.facts(rows, indent=2, label_columns=_LABEL_COLUMNS - 2)


def _cost(line: CostLine) -> str:
    priced = line.calls > line.unpriced
    parts = [usd(line.cost_usd) if priced else "price not known", counted(line.calls, "call")]
    if line.unpriced and priced:
        parts.append(f"{line.unpriced:,} without a price")
    parts += [f"{count:,} {unit.replace('_', ' ')}" for unit, count in line.usage.items() if count]
    return "  ".join(parts)


def _show_models(found: Summary) -> None:
    if not found.changes:
        return
    _title("changes of the model")
    for change in found.changes[:_SHOWN]:
        output.say(
            f"  {change.requested_model}  ",
            (change.field.replace("_", " "), "dim"),
            f"  {change.before} became {change.after}  ",
            (moment(change.at), "dim"),
        )
    if len(found.changes) > _SHOWN:
        output.say((f"  and {len(found.changes) - _SHOWN} more", "dim"))


def _show_files(
    frozen: Iterable[Mapping[str, Any]], changed: Mapping[int, list[dict[str, Any]]]
) -> None:
    rows: list[tuple[str, output.Part]] = []
    for one in frozen:
        rows.append(
            (str(one["role"]), f"{one['name']}  {human_bytes(one['content']['size_bytes'])}")
        )
    for run, changes in changed.items():
        for change in changes[:_SHOWN]:
            text = f"{change['name']} {change['change']}"
            rows.append((f"changed in run {run}", (text, "yellow")))
    if rows:
        _title("files it depends on")
        output.facts(rows, indent=2, label_columns=_LABEL_COLUMNS - 2)
