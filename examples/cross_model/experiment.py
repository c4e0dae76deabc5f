"""Review a small corpus: Anthropic's SDK for the thinking, OpenAI's for the work.

    python -m examples.cross_model.experiment FOLDER

FOLDER holds `runs.vif` (a ledger), `keys` and `papers`. Which services are called is in the SDKs'
own environment variables. If it crashes, run it again: nothing is paid for twice.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anthropic
import openai

import ledger
from ledger.session import Session
from ledger.session.prices import FixedPrices

THINKER, WORKER = "thinker-large", "worker-small"
PRICES = FixedPrices(
    {
        THINKER: {"input_tokens": 15.0, "output_tokens": 75.0},
        WORKER: {"input_tokens": 0.15, "output_tokens": 0.6},
    },
    "list prices 2026-11, US dollars a million tokens",
)


def novelty(text: str) -> float:
    """The share of different words, a poor man's measure of quality."""
    words = text.split()
    return len(set(words)) / max(1, len(words))


def main(folder: Path) -> None:
    """Review every paper, three questions each."""
    with (
        ledger.open(folder / "runs.vif", keys=folder / "keys") as log,
        log.session(
            "review/corpus", corpus=folder / "papers", prices=PRICES, on_unknown="retry"
        ) as session,
    ):
        thinker = anthropic.Anthropic(http_client=session.http_client())
        worker = openai.OpenAI(http_client=session.http_client())
        for paper in sorted((folder / "papers").iterdir()):
            review(session, thinker, worker, paper)
        spent, saved = session.spent_usd, session.saved_usd
    print(f"{spent:.4f} US dollars, {saved:.4f} of them not paid again")


def review(
    session: Session, thinker: anthropic.Anthropic, worker: openai.OpenAI, paper: Path
) -> None:
    """One paper: what is it about, and three answers of the cheaper model in that light."""
    text = paper.read_text()
    with session.cross_model(
        f"review/{paper.stem}", insight=THINKER, execution=WORKER
    ) as operation:
        operation.data("paper", paper.name, text)
        with operation.insight(quality_method="share of different words") as insight:
            thought = thinker.messages.create(
                model=THINKER,
                max_tokens=400,
                messages=[{"role": "user", "content": f"What carries this paper?\n\n{text}"}],
            )
            insight.quality = novelty(
                "".join(block.text for block in thought.content if block.type == "text")
            )
        with operation.transfer(insight) as handed:
            handed.check("not_empty", passed=bool(handed.text))
        for number, question in enumerate(("Summarise it.", "Doubt it.", "Continue it."), 1):
            with operation.execute(handed, label=f"question-{number}") as answer:
                said = worker.chat.completions.create(
                    model=WORKER,
                    messages=[
                        {"role": "system", "content": f"What is known: {handed.text}"},
                        {"role": "user", "content": question},
                    ],
                )
                answer.quality = novelty(said.choices[0].message.content or "")
                answer.quality_method = "share of different words"
        operation.describe(
            strategy="plan with the large model, answer with the small one",
            baseline_usd=0.05,
            baseline_method="the same four calls to the large model, estimated",
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
