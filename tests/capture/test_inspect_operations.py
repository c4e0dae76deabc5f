"""Inspect logs whose samples one call answers and another grades, as operations (specs/03 §6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.capture import importing
from ledger.capture.inspect_log import import_inspect
from ledger.errors import ImportSourceError
from ledger.log import Ledger
from tests.capture.inspect_parts import model_event, sample

Writer = Callable[..., Path]
LATER = {"timestamp": "2025-09-23T08:10:03-04:00", "completed": "2025-09-23T08:10:04.500000-04:00"}
ANSWER = "4"


def span(number: int, name: str) -> dict[str, Any]:
    return {
        "event": "span_begin",
        "id": f"s{number}",
        "type": "scorer",
        "name": name,
        "parent_id": None,
    }


def asked(text: str, model: str = "judge") -> dict[str, Any]:
    """Parts of a grader's event, which was shown a text."""
    messages = [{"role": "user", "content": text}]
    return {**LATER, "model": f"other/{model}", "input": messages, "call": None}


def graded(number: int = 1, text: str = f"Is '{ANSWER}' right?", **changes: Any) -> dict[str, Any]:
    """A sample with an answer and the verdict on it."""
    return sample(
        model_event(f"answer-{number}"),
        span(0, "match"),
        model_event(f"verdict-{number}", span_id="s0", **{**asked(text), **changes}),
        id=number,
    )


def reports(log: Ledger) -> list[Any]:
    return list(log.operations())


def test_each_sample_of_a_real_log_is_an_operation(log: Ledger, theory_of_mind: Path) -> None:
    """100 operations that the ledger's own checking finds sound; 83 answers were right."""
    result = import_inspect(log, theory_of_mind, cross_model=True)
    assert (result.witnesses, result.annotations, result.operations) == (200, 100, 100)
    assert result.left_out == ()
    found = reports(log)
    assert len(found) == 100
    assert [one for one in found if not one.sound or one.not_judged] == []
    assert {one.computed.status for one in found} == {"verified"}
    qualities = Counter(one.combined.payload.body["quality"]["overall"] for one in found)
    assert qualities == {1.0: 83, 0.0: 17}
    tokens = sum(one.combined.payload.body["cost"]["tokens"] for one in found)
    assert tokens == 64492 + 53594
    assert {one.name.name for one in found} == {"inspect/theory_of_mind/kWEEupUzZn5zf2kgEXS3fs"}
    assert sorted(one.name.number for one in found) == list(range(1, 101))


def test_an_operation_says_who_answered_and_who_judged(log: Ledger, eval_log: Writer) -> None:
    """Models, times and the place in the log; the score is the quality of the answer."""
    import_inspect(log, eval_log(graded()), cross_model=True)
    (report,) = reports(log)
    assert report.sound
    insight, transfer, execution = (part.body for part in report.parts)
    assert insight["model_id"] == "gpt-4o-mini"
    assert insight["model_version"] == "gpt-4o-mini-2024-07-18"
    assert (insight["quality"], insight["quality_method"]) == (1.0, "match")
    assert insight["started_at"] == "2025-09-23T12:10:00.000000Z"
    assert insight["ended_at"] == "2025-09-23T12:10:02.500000Z"
    assert transfer["target"]["model_id"] == "judge"
    assert transfer["latency_ms"] == 500.0
    assert execution["ended_at"] == "2025-09-23T12:10:04.500000Z"
    assert "quality" not in execution
    assert insight["metadata"] == {"source_format": "inspect-eval", "sample_id": "1", "epoch": 1}
    assert execution["metadata"]["scorer"] == "match"
    assert report.combined.payload.body["duration_ms"] == 4500.0


@pytest.mark.parametrize(
    ("value", "quality"),
    [
        ("C", 1.0),
        ("P", 0.5),
        ("I", 0.0),
        ("N", 0.0),
        (True, 1.0),
        (0.25, 0.25),
        (1, 1.0),
        (7, None),
        ("good", None),
        ({"a": 1}, None),
    ],
)
def test_a_score_is_the_quality_where_it_can_be(
    log: Ledger, eval_log: Writer, value: Any, quality: float | None
) -> None:
    """Grades and numbers from 0 to 1; nothing else is bent."""
    document = graded() | {"scores": {"match": {"value": value}}}
    import_inspect(log, eval_log(document), cross_model=True)
    (report,) = reports(log)
    assert report.sound
    assert report.parts[0].body.get("quality") == quality


def test_each_grader_has_a_transfer_of_its_own(log: Ledger, eval_log: Writer) -> None:
    """Two scorers, one of them with two models."""
    text = f"Is '{ANSWER}' right?"
    document = sample(
        model_event("answer"),
        span(0, "one"),
        span(1, "two"),
        model_event("v1", span_id="s0", **asked(text)),
        model_event("v2", span_id="s1", **asked(text, "a")),
        model_event("v3", span_id="s1", **asked(text, "b")),
    )
    assert import_inspect(log, eval_log(document), cross_model=True).operations == 1
    (report,) = reports(log)
    assert report.sound
    kinds = Counter(part.kind for part in report.parts)
    assert kinds == {"insight": 1, "transfer": 3, "execution": 3}


FAILED: dict[str, Any] = {"output": {"model": "", "choices": []}, "error": "no"}
NONE: dict[str, tuple[dict[str, Any], str]] = {
    "no grader": (sample(model_event("answer")), "cannot be told apart"),
    "no answer": (
        sample(span(0, "m"), model_event("v", span_id="s0", **asked(ANSWER))),
        "no call of an answering",
    ),
    "not shown": (graded(text="Is it right?"), "does not contain the answer"),
    "too early": (graded(timestamp="2025-09-23T08:10:01-04:00"), "before the answer"),
    "failed": (graded(**FAILED), "without output"),
}


@pytest.mark.parametrize(("document", "reason"), NONE.values(), ids=NONE)
def test_a_sample_that_is_no_operation_is_listed(
    log: Ledger, eval_log: Writer, document: dict[str, Any], reason: str
) -> None:
    """With the reason; its calls are taken over all the same."""
    result = import_inspect(log, eval_log(document), cross_model=True)
    assert result.operations == 0
    (left,) = result.left_out
    assert reason in left.reason
    assert "samples/1_epoch_1.json" in left.place
    assert result.skipped == ()
    assert reports(log) == []


def test_without_the_keyword_there_are_none(log: Ledger, eval_log: Writer) -> None:
    """As before."""
    assert import_inspect(log, eval_log(graded())).operations == 0
    assert reports(log) == []


def test_another_import_of_a_run_has_other_numbers(log: Ledger, eval_log: Writer) -> None:
    """Asked again, or a log that has grown: no operation is there twice."""
    path = eval_log(graded(1), graded(2))
    import_inspect(log, path, cross_model=True)
    with pytest.raises(ImportSourceError, match="imported before"):
        import_inspect(log, path, cross_model=True)
    import_inspect(log, path, cross_model=True, again=True)
    import_inspect(log, eval_log(graded(1), graded(2), graded(3)), cross_model=True)
    assert [one.name.number for one in reports(log)] == [1, 2, 3, 4, 5, 6, 7]
    assert all(one.sound for one in reports(log))


class KilledError(Exception):
    """Stands for SIGKILL."""


def killed_at(log: Ledger, path: Path, commit: int, patch: pytest.MonkeyPatch, **how: Any) -> None:
    """Import until a commit, of four drafts each, and die before it."""
    patch.setattr(importing, "BATCH_DRAFTS", 4)
    commits, real = 0, Ledger.append_many

    def dying(self: Ledger, drafts: Any) -> Any:
        nonlocal commits
        commits += 1
        if commits == commit:
            raise KilledError
        return real(self, drafts)

    with patch.context() as inner:
        inner.setattr(Ledger, "append_many", dying)
        with pytest.raises(KilledError):
            import_inspect(log, path, **how)


@pytest.mark.parametrize("before", [True, False], ids=["operations", "without"])
@pytest.mark.parametrize("dies_at", [2, 3, 4, 5])
def test_a_killed_import_is_completed(
    log: Ledger, eval_log: Writer, monkeypatch: pytest.MonkeyPatch, dies_at: int, before: bool
) -> None:
    """Every operation is there once and sound, also if it is asked for only afterwards."""
    path = eval_log(*(graded(number) for number in range(1, 9)))
    killed_at(log, path, dies_at, monkeypatch, cross_model=before)
    written = len(log) - 1
    result = import_inspect(log, path, cross_model=True)
    assert result.resumed == written
    assert (result.witnesses, result.operations) == (16, 8)
    found = reports(log)
    assert [one.name.number for one in found] == list(range(1, 9))
    assert [one.findings for one in found if not one.sound] == []
    kinds = Counter(entry.payload.type for entry in log)
    assert (kinds["witness"], kinds["insight"], kinds["cross_model"]) == (16, 8, 8)


def test_a_file_that_changed_after_a_kill_gets_numbers_of_its_own(
    log: Ledger, eval_log: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written of the old one stays as it is; nothing is there twice."""
    killed_at(log, eval_log(graded(1), graded(2), graded(3)), 4, monkeypatch, cross_model=True)
    before = len(reports(log))
    assert before
    changed = graded(1, completed="2025-09-23T08:10:05-04:00")
    import_inspect(log, eval_log(changed, graded(2), graded(3)), cross_model=True)
    found = reports(log)
    assert all(one.sound for one in found)
    assert len({one.name for one in found}) == len(found) == 4
