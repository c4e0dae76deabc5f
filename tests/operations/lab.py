"""A small operation written with the ledger's lower layers, with whatever is to be wrong in it.

The writer checks that a body has its shape and that its own numbers agree; nothing keeps a producer
from saying what does not fit to other statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from ledger import Draft, Entry, Ledger
from ledger.formats.content import from_cbor
from ledger.model import to_body
from ledger.model.build import witness
from ledger.model.combine import combine, steps
from ledger.model.operation import OperationId
from ledger.operations import Finding, OperationReport
from ledger.writer import prepare

TIMES = [f"2026-11-20T09:00:0{second}.000000Z" for second in range(10)]
STRONG, CHEAP = "strong-1", "cheap-1"
FINDING = "The premise is not used."
Change = Callable[[dict[str, Any]], None]


def nothing(body: dict[str, Any]) -> None:
    """Leave a body as it is."""


class Story:
    """Appends the statements of one operation; each can be changed before it is signed."""

    def __init__(self, log: Ledger, name: str = "review", number: int = 1) -> None:
        self.log = log
        self.name = {"name": name, "number": number}
        self.thought = self.call(STRONG, "What is wrong?", FINDING)
        self.stages: list[Entry] = []

    def call(self, model: str, prompt: str, output: str, **more: Any) -> Entry:
        """A witness; it cost a quarter of a dollar."""
        fields: dict[str, Any] = {"cost_usd": 0.25, "price_table": "lab", "tokens_used": 100}
        body, contents = witness(
            model=model, prompt=prompt, output=output, salt=self._salt(), **{**fields, **more}
        )
        return self._append("witness", to_body(body), (), contents)

    def insight(self, change: Change = nothing, label: str = "1", **more: Any) -> Entry:
        """The first stage; `more` goes to `_stage`."""
        return self._stage("insight", self._model(self.thought, STRONG, label, 0), change, **more)

    def transfer(
        self, source: Entry, change: Change = nothing, label: str = "1", **more: Any
    ) -> Entry:
        """Hands over what a stage gave."""
        made = source.payload.body
        body = {
            **self._common(label, 2, []),
            "source": {"model_id": made["model_id"]},
            "target": {"model_id": CHEAP},
            "content": made["output"],
            "completeness": 1.0,
        }
        more.setdefault("parents", [source])
        return self._stage("transfer", body, change, **more)

    def execution(
        self, moved: Entry, change: Change = nothing, label: str = "1", **more: Any
    ) -> Entry:
        """What the cheap model did with it."""
        text = self.log.content(moved.payload.body["content"]).decode()
        worked = self.call(CHEAP, f"Apply: {text}", "Done.")
        more.setdefault("parents", [moved, worked])
        return self._stage("execution", self._model(worked, CHEAP, label, 4), change, **more)

    def chain(self, change: Change = nothing, parents: Sequence[Entry] | None = None) -> Entry:
        """The provenance."""
        stages = self.stages if parents is None else parents
        parts = [(one.payload.type, one.payload.body) for one in stages]
        body = {"operation": self.name, "steps": [to_body(step) for step in steps(parts)]}
        change(body)
        return self._append("provenance", body, stages)

    def whole(
        self, chain: Entry, change: Change = nothing, parents: Sequence[Entry] | None = None
    ) -> Entry:
        """The combination."""
        stages = self.stages if parents is None else parents
        body = to_body(
            combine(OperationId(**self.name), [(p.payload.type, p.payload.body) for p in stages])
        )
        change(body)
        kinds = ("insight", "transfer", "execution")
        ordered = [one for kind in kinds for one in stages if one.payload.type == kind]
        return self._append("cross_model", body, [*ordered, chain])

    def tell(self, **changes: Change) -> Story:
        """The whole story, with changes by type."""
        insight = self.insight(changes.get("insight", nothing))
        moved = self.transfer(insight, changes.get("transfer", nothing))
        self.execution(moved, changes.get("execution", nothing))
        chain = self.chain(changes.get("provenance", nothing))
        self.whole(chain, changes.get("cross_model", nothing))
        return self

    def _stage(
        self, kind: str, body: dict[str, Any], change: Change, parents: Sequence[Entry] = ()
    ) -> Entry:
        if kind == "insight":
            parents = parents or [self.thought]
        inside = sum(one.payload.type in ("witness", "cross_model") for one in parents)
        body["made_with"] = inside
        change(body)
        entry = self._append(kind, body, parents)
        self.stages.append(entry)
        return entry

    def _model(self, call: Entry, model: str, label: str, second: int) -> dict[str, Any]:
        return {
            **self._common(label, second, [call]),
            "model_id": model,
            "output": call.payload.body["output"]["output_hash"],
            "quality": 0.5,
            "quality_method": "rubric",
        }

    def _common(self, label: str, second: int, calls: list[Entry]) -> dict[str, Any]:
        usage: dict[str, Any] = {"operations": len(calls), "priced": len(calls)}
        if calls:
            usage |= {"cost_usd": 0.25, "tokens": 100}
        return {
            "operation": dict(self.name),
            "label": label,
            "started_at": TIMES[second],
            "ended_at": TIMES[second + 1],
            "usage": usage,
        }

    def _salt(self) -> Callable[[], bytes] | None:
        return (lambda: bytes(16)) if self.log.salted else None

    def _append(self, kind: str, body: Any, parents: Sequence[Entry], contents: Any = ()) -> Entry:
        draft = Draft(kind, body, tuple(parents), tuple(contents))
        return self.log.get(self.log.append_many([draft])[0].index)


def only(log: Ledger) -> OperationReport:
    """The report of the only operation, the same by id and in the list."""
    (report,) = log.operations()
    assert log.operation(log.get(report.first_index).id) == report
    return report


def failed(report: OperationReport) -> list[Finding]:
    """Findings of severity `fail`."""
    return [one for one in report.findings if one.severity == "fail"]


def content(log: Ledger, text: bytes, media_type: str = "text/plain") -> Any:
    """Archive a content and return its reference as it stands in a body."""
    archived = log.archive(text, media_type)
    body = {"kind": "note", "explanation": archived.ref.to_cbor()}
    log.append_many([Draft("annotation", body, (log.get(0),), (archived,))])
    assert log.content(from_cbor(archived.ref.to_cbor())) == text
    return archived.ref.to_cbor()


@contextmanager
def unchecked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the writer sign whatever body it is given."""
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_model", lambda kind, body: body)
        patch.setattr(prepare, "prepare_body", _any_body)
        yield


def _any_body(kind: str, body: Any, *, salted: bool) -> prepare.Prepared:
    return prepare.Prepared(kind, prepare.encode_body(dict(body)))
