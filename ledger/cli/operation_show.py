"""One cross-model operation for people: its chain, what it came to, what was computed about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ledger.cli import output
from ledger.cli.operation_words import (
    STATUS_STYLES,
    checked,
    confidence,
    milliseconds,
    model,
    rating,
    reduction,
)
from ledger.cli.session_words import usd
from ledger.cli.text import counted, human_bytes, moment, pad, visible
from ledger.model.crossnumbers import duration_ms
from ledger.operations import Computed, Finding, OperationReport, StagePart
from ledger.operations.figures import Figures, figures

__all__ = ["show_operation"]

_LABEL_COLUMNS = 18
_STAGE_COLUMNS = 22
_SHOWN = 40

Row = tuple[str, output.Part | list[output.Part]]


def show_operation(report: OperationReport) -> None:
    """Print an operation in full."""
    state = (report.state, STATUS_STYLES[report.state])
    session = f"  session {report.name.session}" if report.name.session else ""
    output.say((str(report.name), "bold"), "  ", state, session)
    _title("stages")
    for part in report.parts[:_SHOWN]:
        output.say(*_stage(part))
    _more(len(report.parts))
    chain = {} if report.provenance is None else report.provenance.payload.body
    _interactions(chain.get("interactions", []))
    _data(chain.get("data", []))
    whole = {} if report.combined is None else report.combined.payload.body
    found = figures(report)
    if found is not None:
        _facts("whole", [*_figures(found, whole), *_said(whole)])
    if report.computed is not None:
        _facts("computed", _computed(report, report.computed, chain.get("claims", {})))
    _findings(report)


def _stage(part: StagePart) -> list[output.Part]:
    place = f"#{part.index}" if part.index is not None else "-"
    head: list[output.Part] = [
        f"{place:>7}  ",
        (pad(visible(f"{part.kind} {part.label}"), _STAGE_COLUMNS) + "  ", "cyan"),
    ]
    body = part.body
    if body is None:
        return [*head, (f"{part.state}  {part.parent.id}", "yellow")]
    if part.kind == "transfer":
        return [*head, *_handed(body)]
    usage = body["usage"]
    spent = duration_ms(body["started_at"], body["ended_at"])
    cost = f"  {usd(usage['cost_usd'])}" if "cost_usd" in usage else ""
    joined = "  run elsewhere" if part.joined else ""
    return [*head, model(body), *rating(body), cost, f"  {milliseconds(spent)}", (joined, "dim")]


def _handed(body: Mapping[str, Any]) -> list[output.Part]:
    given = body.get("delivered", body["content"])
    parts: list[output.Part] = [
        f"{body['source']['model_id']} → {body['target']['model_id']}",
        *rating(body),
        (f"  {human_bytes(given['size_bytes'])}", ""),
    ]
    if "compression_ratio" in body:
        parts.append(f", {body['compression_ratio']:.1f} times smaller")
    if body.get("completeness", 1.0) < 1.0:
        parts.append(f", {body['completeness']:.0%} of the atoms")
    if "checks" in body:
        parts.append(f"  {checked(body['checks'])}")
    if "latency_ms" in body:
        parts.append(f"  {milliseconds(body['latency_ms'])}")
    return parts


def _interactions(listed: list[Mapping[str, Any]]) -> None:
    if listed:
        _title("interactions")
    for one in listed[:_SHOWN]:
        step = f"  at step {one['step'] + 1}" if "step" in one else ""
        size = human_bytes(one["content"]["size_bytes"])
        output.say(
            f"  {one['source']} → {one['target']}  ",
            (str(one["type"]), "cyan"),
            *rating(one),
            f"  {checked(one['checks'])}" if "checks" in one else "",
            (f"  {size}{step}", "dim"),
        )
    _more(len(listed))


def _data(listed: list[Mapping[str, Any]]) -> None:
    if listed:
        _facts("data", [(one["role"], _named(one)) for one in listed[:_SHOWN]])
        _more(len(listed))


def _named(item: Mapping[str, Any]) -> str:
    return f"{item['name']}  {human_bytes(item['content']['size_bytes'])}"


def _figures(found: Figures, whole: Mapping[str, Any]) -> Iterator[Row]:
    """What follows from the stages, computed here."""
    paid = usd(found.cost_usd) or "price not known"
    made = counted(found.operations, "operation")
    unpriced = found.operations - found.priced
    tokens = f", {found.tokens:,} tokens" if found.tokens is not None else ""
    missing = f", {unpriced:,} without a price" if unpriced and found.priced else ""
    yield "cost", f"{paid}  {made}{tokens}{missing}"
    yield "", ", ".join(f"{kind} {usd(cost)}" for kind, cost in found.breakdown.items())
    yield from _saved(whole.get("cost", {}))
    if found.quality is not None:
        kinds = ", ".join(f"{kind} {value:.2f}" for kind, value in found.components.items())
        yield "quality", f"{found.quality:.2f}  {kinds}"
    if found.preservation is not None and found.degradation is not None:
        yield "preserved", f"{found.preservation:.0%}  degradation {found.degradation:.3g}"
    yield "confidence", confidence(found.confidence)
    yield "time", [milliseconds(found.duration_ms), (f"  from {moment(found.started_at)}", "dim")]
    if not found.complete:
        yield "", ("without the stages that are not at hand", "yellow")


def _saved(cost: Mapping[str, Any]) -> Iterator[Row]:
    if "baseline_usd" in cost:
        less = f", {reduction(cost['reduction_percent'])}" if "reduction_percent" in cost else ""
        yield "otherwise", f"{usd(cost['baseline_usd'])} ({cost['baseline_method']}){less}"
    if "efficiency" in cost:
        yield "efficiency", f"{cost['efficiency']:.3g} of what was saved, by what was preserved"
    yield "strategy", str(cost.get("strategy", ""))


def _said(whole: Mapping[str, Any]) -> Iterator[Row]:
    """What only the producer knows."""
    quality, replay = whole.get("quality", {}), whole.get("replay", {})
    if "validation" in whole:
        said = whole["validation"]
        results = f"  {checked(said['results'])}" if "results" in said else ""
        yield "validation", f"{said['scope']}, {said['level']}{results}"
    if "runs" in replay:
        yield "run again", f"{replay['succeeded']:,} of {replay['runs']:,} succeeded"
    for one in quality.get("trends", []):
        yield "trend", f"{one['metric']} {one['direction']} ({one['method']})"
    for one in quality.get("predictions", []):
        yield "prediction", f"{one['metric']} {one['value']:.4g} ({one['method']})"
    for name, value in whole.get("metrics", {}).items():
        yield name, f"{value:.6g}"


def _computed(
    report: OperationReport, computed: Computed, claims: Mapping[str, Any]
) -> Iterator[Row]:
    yield "status", (computed.status, STATUS_STYLES[computed.status])
    yield "chain", _yes(computed.chain_verified)
    yield "lineage", _yes(computed.lineage_verified)
    for number, (kid, name) in enumerate(computed.trust_chain):
        yield "" if number else "trust chain", f"{name or 'unknown'}  key {kid.hex()[:16]}"
    if claims:
        differ = any(one.code == "claim_mismatch" for one in report.findings)
        yield "claims", ("differ", "bold red") if differ else ("agree", "green")


def _yes(verified: bool) -> output.Part:
    return ("verified", "green") if verified else ("not verified", "bold red")


def _findings(report: OperationReport) -> None:
    if report.findings:
        _title("findings")
    for one in report.findings[:_SHOWN]:
        output.say(*_finding(one))
        if one.expected or one.actual:
            output.say((f"           expected {one.expected or 'nothing'}", "dim"))
            output.say((f"           found    {one.actual or 'nothing'}", "dim"))
    _more(len(report.findings))
    if report.not_judged:
        rules = sorted({one.code for one in report.not_judged})
        output.say()
        output.say(("not judged", "yellow"), f"  {', '.join(rules)}: something is not at hand")


def _finding(one: Finding) -> list[output.Part]:
    style = "bold red" if one.severity == "fail" else "yellow"
    return [f"{'#' + str(one.index):>7}  ", (one.code, style), f"  {one.message}"]


def _facts(title: str, rows: Iterator[Row] | list[Row]) -> None:
    shown = [row for row in rows if row[1]]
    if shown:
        _title(title)
        output.facts(shown, indent=2, label_columns=_LABEL_COLUMNS - 2)


def _title(text: str) -> None:
    output.say()
    output.say((text, "bold"))


def _more(number: int) -> None:
    if number > _SHOWN:
        output.say((f"  and {number - _SHOWN} more: --json has all", "dim"))
