"""Operations over plain functions: a strong model that thinks, a cheap one that works."""

from __future__ import annotations

from typing import Any

from ledger import Entry, Ledger
from ledger.crossmodel.operation import Operation
from ledger.session import Session
from tests.session.lab import NAME, Prices, answer, ask, do

STRONG, CHEAP = "thinker-1", "worker-1"
FINDING = 'The premise "all ravens are black" is not used.\nDrop it.'
PRICES = Prices()


def session(log: Ledger, **options: Any) -> Session:
    """A run of the session."""
    return log.session(NAME, prices=PRICES, **options)


def think(run: Session, topic: str = "ravens", finding: str = FINDING) -> None:
    """A call to the strong model, as a client would make it."""
    do(run, ask(f"What is wrong about {topic}?", model=STRONG), answer(finding, model=STRONG))


def work(run: Session, text: str, result: str = "Done.") -> None:
    """A call to the cheap model, with a text in its prompt."""
    do(run, ask(f"Apply this: {text}", model=CHEAP), answer(result, model=CHEAP))


def review(run: Session, name: str = "review", topic: str = "ravens") -> Operation:
    """A whole operation."""
    with run.cross_model(name, insight=STRONG, execution=CHEAP) as operation:
        with operation.insight(quality=0.9, quality_method="rubric") as insight:
            if insight.needed:
                think(run, topic)
        with operation.transfer(insight, quality=0.8) as handed:
            handed.check("complete", passed=True)
        with operation.execute(handed, confidence=0.75, quality=0.45) as execution:
            if execution.needed:
                work(run, handed.text)
        operation.describe(strategy="plan then work", baseline_usd=10.0, baseline_method="guess")
    return operation


def stages(log: Ledger, *types: str) -> list[Entry]:
    """The statements of these types, in order."""
    wanted = types or ("insight", "transfer", "execution", "provenance", "cross_model")
    return [entry for entry in log.entries() if entry.payload.type in wanted]


def kinds(log: Ledger) -> list[str]:
    """The types of an operation's statements, in order."""
    return [entry.payload.type for entry in stages(log)]


def body(log: Ledger, kind: str) -> dict[str, Any]:
    """The body of the only statement of a type."""
    (entry,) = stages(log, kind)
    return entry.payload.body
