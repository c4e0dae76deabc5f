"""A sample of an Inspect log as drafts: a witness for each call, an annotation for each score.

Every event that is a model call counts, wherever it stands: in the sample's events, inside a tool
or subtask event of older logs, or in the events of an attempt at the sample that failed and was
made again. A call that failed becomes a witness without output and an `annotation` of kind
`error`.

The parents of a score are the call that gave the sample's answer, and the calls that the scorer
made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.capture import fitting
from ledger.capture.importing import Skipped
from ledger.capture.inspect_call import call_fields, source_of, times_of
from ledger.capture.inspect_resolve import Resolver
from ledger.drafts import Draft
from ledger.errors import LedgerError
from ledger.formats.values import is_prose
from ledger.model import Annotation, Source
from ledger.model.archive import Salt, archive, canonical_json
from ledger.model.build import witness

PARENTS_MAX = 256
NESTING_MAX = 32


@dataclass(slots=True)
class SampleDrafts:
    """What a sample gives: drafts in order, the number of calls that can be read, what cannot."""

    key: tuple[str, int] | None = None
    drafts: list[Draft] = field(default_factory=list)
    calls: int = 0
    unreadable: list[Skipped] = field(default_factory=list)
    unattached: list[Skipped] = field(default_factory=list)
    place: str = ""
    made: list[Call] = field(default_factory=list)
    """Its calls, for those who want to know who answered and who graded."""
    answer_id: str | None = None
    """The message that is the sample's answer."""
    scores: list[tuple[str, object]] = field(default_factory=list)
    """Names of scorers and their verdicts."""
    source: list[tuple[str, str | int]] = field(default_factory=list)
    """The sample's place in the log, as in specs/03 section 1.10."""


@dataclass(slots=True, eq=False)
class Call:
    """A model call of a sample."""

    draft: Draft
    message_id: str | None
    scorer: str | None
    """The scorer that made it; None for calls that lead to the answer."""
    is_final: bool
    """Whether it belongs to the attempt at the sample that counts."""
    started_at: str
    ended_at: str


def read_sample(sample: dict[str, Any], place: str, salt: Salt | None = None) -> SampleDrafts:
    """Return the drafts of a sample document; `place` names it in what was left out."""
    resolver, scorers = Resolver(sample), _Scorers()
    sample_id, epoch = sample.get("id"), sample.get("epoch")
    found = SampleDrafts((str(sample_id), fitting.count(epoch) or 0), place=place)
    found.answer_id = _message_id(sample)
    found.source = list(source_of({}, sample_id, epoch).items())
    events = 0
    calls: list[Call] = []
    for event, is_final in _events(sample):
        scorers.see(event)
        if event.get("event") != "model":
            continue
        events += 1
        try:
            whole = resolver.event(event)
            record, contents = witness(**call_fields(whole, sample_id, epoch), salt=salt)
            draft = Draft("witness", record, (), contents)
            drafts = [draft, *_error(whole, draft, sample_id, epoch, salt)]
            started, ended = times_of(whole)
        except (LedgerError, RecursionError) as error:
            where = f"{place} event {fitting.name(event.get('uuid')) or events}"
            found.unreadable.append(Skipped(where, str(error)))
            continue
        found.drafts += drafts
        found.calls += 1
        calls.append(Call(draft, _message_id(whole), scorers.of(event), is_final, started, ended))
    found.made = calls
    for name, score in _scores(sample):
        if isinstance(score.get("value"), bool | int | float | str):
            found.scores.append((fitting.name(name) or "score", score["value"]))
        parents = _parents(sample, name, calls)
        if not parents:
            reason = "no model call of the sample to attach it to"
            found.unattached.append(Skipped(f"{place} score {name}", reason))
            continue
        try:
            scored = scorers.scored.get(name, {})
            place_in_log = source_of(scored, sample_id, epoch)
            found.drafts.append(_annotation(name, score, parents, place_in_log, resolver, salt))
        except (LedgerError, RecursionError) as error:
            found.unreadable.append(Skipped(f"{place} score {name}", str(error)))
    return found


def _events(sample: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield all events in order, and whether they are of the attempt that counts."""
    for retry in fitting.as_list(sample.get("error_retries")):
        for event in _flat(fitting.as_map(retry).get("events"), NESTING_MAX):
            yield event, False
    for event in _flat(sample.get("events"), NESTING_MAX):
        yield event, True


def _flat(events: object, depth: int) -> Iterator[dict[str, Any]]:
    for event in fitting.as_list(events):
        if isinstance(event, dict):
            yield event
            if depth and event.get("event") in ("tool", "subtask"):
                yield from _flat(event.get("events"), depth - 1)


class _Scorers:
    """Which scorer an event belongs to, by spans or by the steps of older logs."""

    def __init__(self) -> None:
        self._spans: dict[str, tuple[str | None, str | None]] = {}
        self._steps: list[str | None] = []
        self.scored: dict[str, dict[str, Any]] = {}

    def see(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        name = str(event.get("name")) if event.get("type") == "scorer" else None
        if kind == "span_begin":
            parent = event.get("parent_id")
            self._spans[str(event.get("id"))] = (str(parent) if parent else None, name)
        elif kind == "step" and event.get("action") == "begin":
            self._steps.append(name)
        elif kind == "step" and self._steps:
            self._steps.pop()
        elif kind == "score" and not event.get("intermediate"):
            self.scored[str(event.get("scorer") or self.of(event) or "score")] = event

    def of(self, event: dict[str, Any]) -> str | None:
        span = event.get("span_id")
        for _ in range(len(self._spans)):
            parent, name = self._spans.get(str(span), (None, None))
            if name is not None or parent is None:
                break
            span = parent
        else:
            name = None
        return name or next((step for step in reversed(self._steps) if step), None)


def _message_id(event: dict[str, Any]) -> str | None:
    choices = fitting.as_list(fitting.as_map(event.get("output")).get("choices"))
    message = fitting.as_map(fitting.as_map(choices[0]).get("message")) if choices else {}
    return fitting.name(message.get("id"))


def _error(
    event: dict[str, Any], draft: Draft, sample_id: object, epoch: object, salt: Salt | None
) -> list[Draft]:
    text = fitting.text(event.get("error"))
    if not text:
        return []
    content = archive(text, salt=salt)
    source = Source(**source_of(event, sample_id, epoch))
    note = Annotation(kind="error", explanation=content.ref, source=source)
    return [Draft("annotation", note, (draft,), (content,))]


def _scores(sample: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    scores = fitting.as_map(sample.get("scores"))
    if not scores and isinstance(sample.get("score"), dict):  # logs of 2024 had one score, unnamed
        scores = {"score": sample["score"]}
    return [(str(name), score) for name, score in scores.items() if isinstance(score, dict)]


def _parents(sample: dict[str, Any], name: str, calls: list[Call]) -> list[Draft]:
    """Return the call that gave the answer, then those that the scorer made, at most 256."""
    final = [call for call in calls if call.is_final]
    answer_id = _message_id(sample)
    answering = [call for call in final if call.scorer is None]
    said = [call for call in answering if answer_id is not None and call.message_id == answer_id]
    graders = [call for call in final if call.scorer is not None]
    named = [call for call in graders if call.scorer == name]
    parents = [*(said or answering)[-1:], *(named or graders)]
    return [call.draft for call in parents[:PARENTS_MAX]]


def _annotation(
    name: str,
    score: dict[str, Any],
    parents: list[Draft],
    source: dict[str, Any],
    resolver: Resolver,
    salt: Salt | None,
) -> Draft:
    value: Any = resolver.text(score.get("value"))
    if isinstance(value, dict | list):
        value = canonical_json(value).decode()
    contents = []
    explanation = resolver.text(score.get("explanation"))
    if isinstance(value, str) and not is_prose(value):
        # A verdict that is too long for a field is kept whole beside the log.
        explanation, value = {"value": value, "explanation": explanation}, None
    if isinstance(explanation, str | dict) and explanation:
        contents.append(archive(explanation, salt=salt))
    body = Annotation(
        kind="score",
        name=fitting.name(name),
        value=value,
        explanation=contents[0].ref if contents else None,
        source=Source(**source),
    )
    return Draft("annotation", body, tuple(parents), tuple(contents))
