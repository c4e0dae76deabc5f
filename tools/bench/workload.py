"""What is recorded: witnesses of about 1.2 kB, with or without their contents."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.drafts import Draft
from ledger.model import build

TOP_K = [
    {"token": " yes", "probability": 0.91},
    {"token": " no", "probability": 0.05},
    {"token": " maybe", "probability": 0.02},
]


def drafts(start: int, count: int, *, contents: bool) -> Iterator[Draft]:
    """Yield `count` witnesses that differ in prompt, output and numbers from number `start` on."""
    for number in range(start, start + count):
        witness, archived = build.witness(
            model="bench-model-1",
            model_provider="bench",
            actual_model="bench-model-1-2026-01-01",
            system_fingerprint="fp_0123456789",
            prompt=f"Question {number}: which of these two statements follows from the other? " * 4,
            output=f"Answer {number}: the second follows from the first, because it is weaker. "
            * 6,
            prompt_tokens=100 + number % 50,
            output_tokens=60 + number % 40,
            token_source="provider",
            finish_reason="stop",
            confidence=0.5 + (number % 500) / 1000,
            confidence_method="logprobs",
            entropy=0.1 + (number % 100) / 100,
            top_k_probs=TOP_K,
            top_k_position=number % 60,
            replay_seed=number,
            temperature=0.7,
            max_tokens=512,
            response_time_ms=412.5,
            task_criticality="important",
        )
        yield Draft("witness", witness, contents=archived if contents else ())
