"""The experiment of a demo run, as a program of its own, so that it can be killed: a session.

    python -m ledger.demo.trial JOB

JOB is a JSON object, see `Job`. Progress goes to standard output, a line `<asked> <of>` after each
answer. Run again after it was killed, it asks only for what is missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import ledger
from ledger.demo.corpus import Source, read_sources
from ledger.demo.plan import CALLS_A_ROUND, FOLLOW_UP, SETTINGS, agreement, rounds
from ledger.demo.service import Service, connect
from ledger.errors import LedgerError
from ledger.model import Annotation
from ledger.session import Session
from ledger.session.prices import FixedPrices

__all__ = ["SESSION", "Job", "run_trial"]

SESSION = "demo/agreement"
SYSTEM = "Answer from the text you are given."
SCORES = "scores"
PRICES = {"vif-demo-ngram": {"input_tokens": 0.10, "output_tokens": 0.40}}
"""Of the embedded model, so that there is something to add up; nobody is asked to pay."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the experiment needs to know; a service's key comes from the environment.

    So does its address when `base_url` is None.
    """

    ledger: str
    keys: str
    base_url: str | None
    model: str
    texts: str
    experiment: str
    calls: int
    on_unknown: Literal["ask", "retry"]

    def to_json(self) -> str:
        """Return the job as the program's argument."""
        return json.dumps(asdict(self))


def main(arguments: Sequence[str]) -> int:
    """Run the experiment of a job; returns the exit code."""
    job = Job(**json.loads(arguments[0]))
    try:
        run_trial(job, lambda done, total: print(done, total, flush=True))
    except LedgerError as error:
        print(json.dumps({"code": error.code, "message": error.message}), file=sys.stderr)
        return 1
    return 0


def run_trial(job: Job, tick: Callable[[int, int], None]) -> None:
    """Ask all questions and score the answers; raises `LedgerError`, `demo_service` too."""
    sources = read_sources(sorted(Path(job.texts).iterdir()))
    with (
        ledger.open(job.ledger, keys=job.keys) as log,
        log.session(
            SESSION,
            experiment=job.experiment,
            corpus=job.texts,
            on_unknown=job.on_unknown,
            prices=FixedPrices(PRICES, "demo prices"),
            task_criticality="low_stakes",
            domain="documentation",
        ) as session,
        session.http_client(timeout=60.0) as http,  # the one line that makes it all recorded
        connect(job.base_url, job.model, http) as service,
    ):
        _ask_and_score(session, service, sources, job.calls, tick)


def _ask_and_score(
    session: Session,
    service: Service,
    sources: Sequence[Source],
    calls: int,
    tick: Callable[[int, int], None],
) -> None:
    asked, expected = 0, max(1, calls // CALLS_A_ROUND) * CALLS_A_ROUND
    scored = []
    for turn in rounds(sources, calls):
        opening = [_message("system", SYSTEM), _message("user", turn.question)]
        with session.about(context_atom_ids=[turn.atom]) as pair:
            texts = [service.ask(opening, setting) for setting in SETTINGS]
        talk = [
            *opening,
            *(_message("assistant", text) for text in texts),
            _message("user", turn.follow_up),
        ]
        with session.about(parents=pair.witnesses, context_atom_ids=[turn.atom]) as last:
            service.ask(talk, FOLLOW_UP)
        scored.append((agreement(*texts), [*pair.witnesses, *last.witnesses]))
        asked += CALLS_A_ROUND
        tick(asked, expected)
    with session.stage(SCORES) as stage:
        if stage.needed:
            for score, parents in scored:
                note = Annotation(kind="score", name="word agreement", value=score)
                session.append("annotation", note, parents=parents)
            stage.result = [score for score, _ in scored]


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
