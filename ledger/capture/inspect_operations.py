"""Samples of an Inspect log as cross-model operations: answers, and who grades them (specs/03 §6).

| stage | what |
|---|---|
| insight `1` | the answer, over the calls that led to it; a score is its quality |
| transfer `n` | the answer handed to a grader, from when it was there until the grader began |
| execution `n` | the verdict, over the transfer and the calls of that scorer to that model |

Who graded is known by the spans, or the steps of older logs, of scorers. The operation has the name
of the session that the log belongs to, and the number of the sample in the file. Numbers that are
taken, by an earlier import of the same run, are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ledger.capture.importing import Batches, ImportLog, Skipped
from ledger.capture.inspect_sample import Call, SampleDrafts
from ledger.crossmodel.combining import combined_drafts
from ledger.drafts import Archived, Draft, ParentLike
from ledger.errors import RecordError
from ledger.formats.containing import contained
from ledger.formats.content import SALT_BYTES, ContentRef
from ledger.formats.payload import PARENTS_MAX
from ledger.formats.values import parse_time
from ledger.model import Execution, Insight, OperationId, Party, Provenance, Witness, to_body
from ledger.model.combine import Part, steps, transfer
from ledger.model.crossnumbers import usage

__all__ = ["SampleOperations"]

NUMBER_MAX = 1_000_000
_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}

Grading = tuple[str, list[Call]]
"""A scorer's name, and its calls to one model."""


class NoOperationError(Exception):
    """Why a sample is none."""


class SampleOperations:
    """Makes the operations of one import."""

    def __init__(self, log: ImportLog, name: str, samples: int) -> None:
        self._name = name
        self._before, used = _numbers(log, name)
        self._used = used
        self._spare = max(used, self._before + samples) + 1
        self._sample = 0
        self.left_out: list[Skipped] = []
        """Samples that are no operation, and why."""

    def add(self, found: SampleDrafts, batches: Batches, parents: Sequence[ParentLike]) -> None:
        """Write the operation of a sample; `parents` are what became of its drafts, in order."""
        self._sample += 1
        if found.key is None:
            return
        named = {id(draft): one for draft, one in zip(found.drafts, parents, strict=True)}
        number = self._before + self._sample
        try:
            drafts = self._drafts(found, number, named)
            if number <= self._used and not batches.knows(drafts):
                number, self._spare = self._spare, self._spare + 1
                drafts = self._drafts(found, number, named)
        except (NoOperationError, RecordError) as error:
            self.left_out.append(Skipped(found.place, str(error)))
            return
        batches.add(drafts)

    def _drafts(
        self, found: SampleDrafts, number: int, named: dict[int, ParentLike]
    ) -> list[Draft]:
        if number > NUMBER_MAX:
            raise NoOperationError(f"its number would be above {NUMBER_MAX}")
        answering, answer = _answer(found)
        gradings = _gradings(found, answer)
        operation = OperationId(name=self._name, number=number)
        common: dict[str, Any] = {"operation": operation, "metadata": _metadata(found)}
        ended = max(call.ended_at for call in answering)
        insight = Insight(
            label="1",
            output=_output(answer)[0],
            made_with=len(answering),
            usage=_usage(answering),
            started_at=min(call.started_at for call in answering),
            ended_at=ended,
            **_model(answer),
            **_confidence(answering),
            **_quality(found),
            **common,
        )
        content = _again(_output(answer)[1])
        first = Draft("insight", insight, [named[id(call.draft)] for call in answering], content)
        made: list[tuple[Draft, Part]] = [(first, ("insight", insight))]
        for place, (scorer, calls) in enumerate(gradings, 1):
            made += _graded(str(place), scorer, calls, (first, insight), named, common)
        drafts, parts = [draft for draft, _ in made], [part for _, part in made]
        chain = Provenance(operation=operation, steps=steps(parts))
        bodies = [(kind, to_body(body)) for kind, body in parts]  # type: ignore[arg-type]
        whole = {"metadata": common["metadata"]}
        return [*drafts, *combined_drafts(operation, bodies, drafts, chain, whole)]


def _graded(
    label: str,
    scorer: str,
    calls: Sequence[Call],
    source: tuple[Draft, Insight],
    named: dict[int, ParentLike],
    common: dict[str, Any],
) -> list[tuple[Draft, Part]]:
    """The answer handed to a grader, and its verdict."""
    draft, insight = source
    ended, began = insight.ended_at, min(call.started_at for call in calls)
    said = {**common, "metadata": {**common["metadata"], "scorer": scorer}}
    model = _model(calls[-1])
    handed = transfer(
        insight,
        target=Party(**model),
        label=label,
        latency_ms=(parse_time(began) - parse_time(ended)) / 1000.0,
        made_with=0,
        usage=usage([]),
        started_at=ended,
        ended_at=began,
        **said,
    )
    moved = Draft("transfer", handed, (draft,), draft.contents)
    ref, archived = _output(calls[-1])
    verdict = Execution(
        label=label,
        output=ref,
        made_with=len(calls),
        usage=_usage(calls),
        started_at=began,
        ended_at=max(call.ended_at for call in calls),
        **model,
        **_confidence(calls),
        **said,
    )
    parents = [moved, *(named[id(call.draft)] for call in calls)]
    judged = Draft("execution", verdict, parents, _again(archived))
    return [(moved, ("transfer", handed)), (judged, ("execution", verdict))]


def _answer(found: SampleDrafts) -> tuple[list[Call], Call]:
    """The calls that led to the answer, and the one that gave it."""
    answering = [call for call in found.made if call.is_final and call.scorer is None]
    if not answering:
        raise NoOperationError("no call of an answering model")
    said = [call for call in answering if call.message_id and call.message_id == found.answer_id]
    answer = (said or answering)[-1]
    _output(answer)
    # The answer is among the calls, also where these are more than fit.
    kept = [call for call in answering if call is not answer][-(PARENTS_MAX - 1) :]
    return [call for call in answering if call is answer or call in kept], answer


def _gradings(found: SampleDrafts, answer: Call) -> list[Grading]:
    """The calls of graders by scorer and model, where they were shown the answer."""
    graders = [call for call in found.made if call.is_final and call.scorer is not None]
    if not graders:
        raise NoOperationError("grader and answering model cannot be told apart: no scorer's call")
    groups: dict[tuple[str, str], list[Call]] = {}
    for call in graders:
        key = (str(call.scorer), _model(call)["model_id"])
        groups.setdefault(key, []).append(call)
    text = _plain(_output(answer)[1])
    shown = [
        (scorer, calls[-(PARENTS_MAX - 1) :])
        for (scorer, _), calls in groups.items()
        if any(_saw(call, text) for call in calls[-(PARENTS_MAX - 1) :])
    ]
    if not shown:
        raise NoOperationError("the prompt of the grader does not contain the answer")
    for _, calls in shown:
        _output(calls[-1])
        if min(call.started_at for call in calls) < answer.ended_at:
            raise NoOperationError("the grader began before the answer was there")
    return shown


def _saw(call: Call, text: bytes) -> bool:
    ref = _witness(call).data.prompt_hash
    archived = next(one for one in call.draft.contents if one.ref == ref)
    return contained(text, _plain(archived), ref.media_type)


def _plain(archived: Archived) -> bytes:
    assert isinstance(archived.data, bytes)  # what is made of a log is in memory
    return archived.data[SALT_BYTES if archived.ref.salted else 0 :]


def _output(call: Call) -> tuple[ContentRef, Archived]:
    ref = _witness(call).output.output_hash
    if ref is None:
        raise NoOperationError("a call that failed, without output")
    return ref, next(one for one in call.draft.contents if one.ref == ref)


def _again(archived: Archived) -> list[Archived]:
    """What a stage has to bring along: in a salted log a known witness's content has other salt."""
    return [archived] if archived.ref.salted else []


def _witness(call: Call) -> Witness:
    body = call.draft.body
    assert isinstance(body, Witness)
    return body


def _model(call: Call) -> dict[str, Any]:
    """The model as it was asked for, and what answered where that is more precise."""
    said = _witness(call).model
    asked = said.requested_model or said.model_id
    version = said.actual_model if said.actual_model != asked else None
    return {"model_id": asked, "model_version": version}


def _usage(calls: Sequence[Call]) -> Any:
    return usage([("witness", _witness(call)) for call in calls])


def _confidence(calls: Sequence[Call]) -> dict[str, Any]:
    """That of the least certain call that has any."""
    groups = [_witness(call).uncertainty for call in calls]
    known = [
        (group.confidence_score, group.confidence_method)
        for group in groups
        if group is not None and group.confidence_score is not None
    ]
    if not known:
        return {}
    score, method = min(known, key=lambda one: one[0])
    return {"confidence": score, "confidence_method": method}


def _quality(found: SampleDrafts) -> dict[str, Any]:
    """The first score that is a ratio or a grade."""
    for name, value in found.scores:
        if isinstance(value, bool | int | float) and 0 <= value <= 1:
            return {"quality": float(value), "quality_method": name}
        if isinstance(value, str) and value in _GRADES:
            return {"quality": _GRADES[value], "quality_method": name}
    return {}


def _metadata(found: SampleDrafts) -> dict[str, Any]:
    return {f"source_{name}" if name == "format" else name: value for name, value in found.source}


def _numbers(log: ImportLog, name: str) -> tuple[int, int]:
    """The highest number of this name in imports that were completed, and in all."""
    ended = {entry.payload.stream_id: entry.payload.seq for entry in log.find(type="import")}
    before = used = 0
    for payload, number in _numbered(log, name):
        used = max(used, number)
        if ended.get(payload.stream_id, -1) >= payload.seq:
            before = max(before, number)
    return before, used


def _numbered(log: ImportLog, name: str) -> Iterator[tuple[Any, int]]:
    for entry in log.find(type="cross_model"):
        said = entry.payload.body.get("operation")
        if isinstance(said, dict) and said.get("name") == name and type(said["number"]) is int:
            yield entry.payload, said["number"]
