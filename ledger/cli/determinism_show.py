"""How the determinism report looks in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.cli import output
from ledger.cli.text import clip, counted, pad, visible
from ledger.replay import Report
from ledger.replay.levels import LEVELS, Level
from ledger.replay.report.counts import Spread, Tally
from ledger.replay.report.environments import EnvironmentRow
from ledger.replay.report.passages import Side, passages
from ledger.replay.report.witness import RELATIONS, WitnessReport
from ledger.replay.report.words import REASON_WORDS, headline, member, span

__all__ = ["show_report"]

_SHOWN = 25
_PASSAGES = 3
_MODEL_COLUMNS = 24
_NAME_COLUMNS = 30
_TONES = {"good": "bold green", "odd": "bold yellow", "bad": "bold red", "": "bold"}
_ENVIRONMENTS = {"same": "recorded one", "changed": "another one", "unknown": "not known"}


def show_report(report: Report) -> None:
    """Print a report: what came out, how far, where it parts, in what, and why not."""
    witnesses = report.witnesses
    said, tone, more = headline(report)
    runs = f"{counted(report.runs, 'run')} of {counted(len(witnesses), 'operation')}: "
    output.say(runs, (said, _TONES[tone]), more)
    _levels(report)
    parting = sorted((one for one in witnesses if one.parted), key=lambda x: x.verdict != "differs")
    _parting(parting)
    _passages(report)
    _environments(report)
    _rest(report)


def _title(text: str) -> None:
    output.say()
    output.say((text, "bold"))


def _more(number: int, what: str) -> None:
    if number > _SHOWN:
        output.say((f"  and {number - _SHOWN:,} more {what}: --json has all", "dim"))


def _of(tally: Tally, level: Level) -> str:
    observed = tally.observed(level)
    return f"{tally.matched(level):,} of {observed:,}" if observed else "-"


def _levels(report: Report) -> None:
    output.say()
    output.say(
        (pad("LEVEL", 10) + f"{'SAME':>16}{'DIFFERS':>10}{'ELSEWHERE':>11}", "bold"),
        (f"{'NOT OBSERVABLE':>16}{'NOT RUN':>9}", "bold"),
    )
    for level in LEVELS:
        differs, elsewhere = report.tally.count(level, "differs"), report.differing(level)
        output.say(
            pad(level, 10) + f"{_of(report.tally, level):>16}",
            (f"{differs - elsewhere['changed']:>10,}", "red" if differs else "dim"),
            (f"{elsewhere['changed']:>11,}", "yellow" if elsewhere["changed"] else "dim"),
            (f"{report.tally.count(level, 'not_observable'):>16,}", "dim"),
            (f"{report.tally.count(level, 'not_run'):>9,}", "dim"),
        )
    if any(report.differing(level)["changed"] for level in LEVELS):
        output.say(("elsewhere: differs in an environment that is not the recorded one", "dim"))


def _parting(parting: list[WitnessReport]) -> None:
    if not parting:
        return
    _title("did not come out the same")
    head = "     #  " + pad("MODEL", _MODEL_COLUMNS + 2) + pad("FROM", 10) + pad("ENVIRONMENT", 26)
    output.say((head + f"{'OUTPUTS':>7}{'AS RECORDED':>13}{'CHARACTER':>11}{'TOKEN':>8}", "bold"))
    for one in parting[:_SHOWN]:
        where = ", ".join(_ENVIRONMENTS[relation] for relation in one.relations)
        index = one.subject.index
        output.say(
            f"{one.subject.id[:6] if index is None else index:>6}  ",
            pad(clip(visible(one.subject.model or "-"), _MODEL_COLUMNS), _MODEL_COLUMNS + 2),
            (pad(one.first_level or "", 10), "red" if one.verdict == "differs" else "yellow"),
            (pad(where, 26), "yellow" if "changed" in one.relations else ""),
            f"{str(one.distinct) + ('+' if one.outputs.more else ''):>7}",
            f"{f'{one.as_recorded} of {one.with_output}' if one.has_recorded else '-':>13}",
            f"{_place(one.characters.first):>11}{_place(one.tokens.first):>8}",
            (_among(one), "dim"),
        )
    _more(len(parting), "operations")


def _place(place: int | None) -> str:
    return "-" if place is None else f"{place:,}"


def _among(one: WitnessReport) -> str:
    """What the runs are to each other."""
    part, (same, pairs) = one.runs_part(), one.pairs
    if part is None or same == pairs:
        return ""
    where = "" if part[1] else "or after "
    return f"  runs part at {where}{part[0]:,}; {same:,} of {counted(pairs, 'pair')} alike"


def _passages(report: Report) -> None:
    for one in passages(report, _PASSAGES):
        output.say()
        output.say((one.subject.title, "bold"), f"  from character {one.character:,}")
        for name, side in (("expected", one.expected), ("replayed", one.replayed)):
            output.say((f"  {name}  ", "dim"), *_side(side, skipped=one.skipped))


def _side(side: Side | None, *, skipped: bool) -> Iterator[output.Part]:
    if side is None:
        yield "not at hand", "dim"
        return
    yield ("…" if skipped else "") + side.before
    yield (side.after, "reverse") if side.after else ("(ends here)", "dim")
    yield "…" if side.cut else ""


def _environments(report: Report) -> None:
    rows = report.environments()
    names = {row.digest: row.name for row in rows}
    if not report.answered or not any(row.digest for row in rows):
        return
    _title("environments")
    head = pad("", 11) + pad("FINGERPRINT", _NAME_COLUMNS + 2) + f"{'RUNS':>7}  "
    shown = "".join(f"{level.upper():>16}" for level in LEVELS[1:])
    output.say((head + pad("TO THE RECORDED ONE", 34) + shown, "bold"))
    for row in rows[:_SHOWN]:
        to = ", ".join(
            f"{row.relations[one]:,} {_SHORT[one]}" for one in RELATIONS if row.relations[one]
        )
        output.say(
            pad(row.name, 11),
            pad(clip(visible(_fingerprint(row)), _NAME_COLUMNS), _NAME_COLUMNS + 2),
            f"{row.tally.runs:>7,}  ",
            (pad(to or "-", 34), "yellow" if row.relations["changed"] else ""),
            "".join(f"{_of(row.tally, level):>16}" for level in LEVELS[1:]),
        )
    _more(len(rows), "environments")
    changes = report.changes()
    for change in changes[:_SHOWN]:
        output.say(
            ("  changed  ", "yellow"),
            f"{change.member}: {clip(member(change.old), 40)} → {clip(member(change.new), 40)}",
            (f"  in {counted(change.runs, 'run')}", "dim"),
        )
    _more(len(changes), "changes")
    for turn in report.turns()[:_SHOWN]:
        good = ", ".join(names.get(one, "another") for one in turn.matched_in)
        bad = ", ".join(names.get(one, "another") for one in turn.differed_in)
        output.say(
            ("  turned   ", "yellow"),
            f"{turn.level}: the same in {good}, differs in {bad}",
            (f"  of {counted(len(turn.witnesses), 'operation')}", "dim"),
        )


_SHORT = {"same": "same", "changed": "another", "unknown": "not known"}


def _fingerprint(row: EnvironmentRow) -> str:
    if not row.digest:
        return "-"
    return row.fingerprint or row.digest.hex()[:16]


def _rest(report: Report) -> None:
    if report.reasons:
        _title("why runs did not reach what was wanted")
        for reason, runs in report.failures():
            output.say(f"{runs:>6,}  ", (pad(reason, 22), "yellow"), (REASON_WORDS[reason], "dim"))
    rows = [("confidence", _spread(report.confidence)), ("logprobs", _spread(report.logprobs))]
    if any(value for _, value in rows):
        _title("differences")
        output.facts(rows, indent=2)


def _spread(spread: Spread) -> str:
    if not spread.count:
        return ""
    ends = f"{span(spread.least)} to {span(spread.greatest)}, mean {span(spread.mean)}"
    return f"{ends}, of {counted(spread.count, 'run')}"
