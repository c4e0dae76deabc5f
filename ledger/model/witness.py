"""The body of a witness: what one AI operation was (specs/03 §1 and §2).

Tables are in the groups; here stand the rules that join groups:

- `total_tokens` is there iff `prompt_tokens` and `output_tokens` are, and is their sum;
- `token_source` is there iff any of the three counts is;
- `kappa_gate_passed` is there iff `confidence_score` is;
- `occurred_at` is there if the vantage is `imported`;
- an optional group that is there has a field.

Derived values are compared only when all of this holds, so that `body_invalid` never hides behind
their codes.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ValidationInfo, model_validator

from ledger.model import derive
from ledger.model.base import Body
from ledger.model.groups import (
    Capture,
    Cost,
    Data,
    Meta,
    Model,
    NotEmpty,
    Output,
    Replay,
    Temporal,
    Tools,
)
from ledger.model.raw import Raw
from ledger.model.uncertainty import Uncertainty
from ledger.model.values import Operation


class Witness(Body):
    """One AI operation; raises `RecordError` when it breaks specs/03."""

    version: Literal[1] = 1
    operation: Operation
    model: Model
    data: Data
    tools: Tools | None = None
    uncertainty: Annotated[Uncertainty, NotEmpty] | None = None
    replay: Annotated[Replay, NotEmpty] | None = None
    output: Output
    meta: Meta
    temporal: Annotated[Temporal, NotEmpty] | None = None
    cost: Annotated[Cost, NotEmpty] | None = None
    capture: Capture
    raw: Annotated[Raw, NotEmpty] | None = None

    @model_validator(mode="after")
    def _groups_agree(self, info: ValidationInfo) -> Self:
        prompt, output = self.data.prompt_tokens, self.output.output_tokens
        total = self.output.total_tokens
        both = prompt is not None and output is not None
        if both != (total is not None):
            raise ValueError("output.total_tokens must be there iff both token counts are")
        counted = not (prompt is None and output is None)
        if counted != (self.output.token_source is not None):
            raise ValueError("output.token_source must be there iff a token count is")
        score = self.uncertainty.confidence_score if self.uncertainty else None
        if (score is None) != (self.meta.kappa_gate_passed is None):
            raise ValueError("meta.kappa_gate_passed must be there iff a confidence score is")
        if self.capture.vantage == "imported" and not (
            self.temporal and self.temporal.occurred_at is not None
        ):
            raise ValueError("temporal.occurred_at must be there for an imported witness")
        return self._after(info)

    def check_consequences(self) -> None:
        """Check the values of specs/03 §2; raises `RecordError` with the code of the first."""
        meta, data, output = self.meta, self.data, self.output
        score = self.uncertainty.confidence_score if self.uncertainty else None
        if score is not None and self.uncertainty and self.uncertainty.confidence_band:
            derive.check_band(score, self.uncertainty.confidence_band)
        derive.check_threshold(meta.task_criticality, meta.kappa_threshold)
        if score is not None and meta.kappa_gate_passed is not None:
            derive.check_gate(score, meta.kappa_threshold, meta.kappa_gate_passed)
        if data.prompt_tokens is not None and output.output_tokens is not None:
            assert output.total_tokens is not None  # its presence was checked before
            derive.check_total(data.prompt_tokens, output.output_tokens, output.total_tokens)
        cost = self.cost
        if cost and cost.usage and cost.prices and cost.cost_usd is not None:
            derive.check_cost(cost.usage, cost.prices, cost.cost_usd)
