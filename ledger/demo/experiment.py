"""The experiment of a demo run: every call recorded as it comes back, with its parents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger import Ledger, Receipt
from ledger.capture.headers import HeaderAllowList
from ledger.capture.importing import salt_of
from ledger.capture.openai_chat import read_exchange
from ledger.demo.corpus import Source
from ledger.demo.plan import CALLS_A_ROUND, FOLLOW_UP, SETTINGS, agreement, rounds
from ledger.demo.service import Answer, Service
from ledger.model import Annotation, Witness
from ledger.model.build import witness

__all__ = ["Outcome", "run_experiment"]

SYSTEM = "Answer from the text you are given."
_HEADERS = HeaderAllowList()


@dataclass(slots=True)
class Outcome:
    """What an experiment recorded."""

    calls: int = 0
    annotations: int = 0
    links: int = 0
    tokens: int = 0
    bands: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0, "C": 0})
    confidences: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    agreements: list[float] = field(default_factory=list)
    sample: Receipt | None = None
    follow_up: Receipt | None = None


def run_experiment(
    log: Ledger,
    service: Service,
    sources: Sequence[Source],
    calls: int,
    tick: Callable[[int, int], None],
) -> Outcome:
    """Ask all questions; when it returns, every answer is durable in the log."""
    snapshot = hashlib.sha256(b"".join(source.content for source in sources)).hexdigest()
    outcome = Outcome()
    expected = max(1, calls // CALLS_A_ROUND) * CALLS_A_ROUND
    for turn in rounds(sources, calls):
        opening = [_message("system", SYSTEM), _message("user", turn.question)]
        answers, receipts = [], []
        for setting in SETTINGS:
            answer = service.ask(opening, setting)
            receipts.append(_record(log, service, answer, (), turn.atom, snapshot, outcome))
            answers.append(answer.text)
            tick(outcome.calls, expected)
        talk = [
            *opening,
            *(_message("assistant", text) for text in answers),
            _message("user", turn.follow_up),
        ]
        last = service.ask(talk, FOLLOW_UP)
        receipt = _record(log, service, last, receipts, turn.atom, snapshot, outcome)
        tick(outcome.calls, expected)
        score = agreement(*answers)
        log.append(
            "annotation",
            Annotation(kind="score", name="word agreement", value=score),
            parents=receipts,
        )
        outcome.annotations += 1
        outcome.links += 2 * len(receipts)
        outcome.agreements.append(score)
        outcome.sample = outcome.sample or receipts[0]
        outcome.follow_up = receipt
    return outcome


def _record(
    log: Ledger,
    service: Service,
    answer: Answer,
    parents: Sequence[Receipt],
    atom: str,
    snapshot: str,
    outcome: Outcome,
) -> Receipt:
    fields: dict[str, Any] = {"model": service.model, "prompt": ""}
    fields |= read_exchange(answer.request, answer.response)
    body, contents = witness(
        **fields,
        model_provider=service.provider,
        provider_source="endpoint",
        context_snapshot_id=f"sha256:{snapshot}",
        context_atom_ids=[atom],
        response_headers=_HEADERS.select(answer.headers),
        response_time_ms=answer.elapsed_ms,
        vantage="transport",
        domain="documentation",
        task_criticality="low_stakes",
        salt=salt_of(log),
    )
    receipt = log.append("witness", body, parents=parents, contents=contents)
    _count(outcome, body)
    return receipt


def _count(outcome: Outcome, body: Witness) -> None:
    outcome.calls += 1
    outcome.tokens += body.output.total_tokens or 0
    if body.uncertainty is not None:
        if body.uncertainty.confidence_score is not None:
            outcome.confidences.append(body.uncertainty.confidence_score)
        if body.uncertainty.confidence_band is not None:
            outcome.bands[body.uncertainty.confidence_band] += 1
        if body.uncertainty.entropy is not None:
            outcome.entropies.append(body.uncertainty.entropy)


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
