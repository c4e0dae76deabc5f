"""What is recorded: the bodies of all types as checked, immutable values (specs/03 to 13)."""

from __future__ import annotations

from typing import Any

from ledger.errors import RecordError
from ledger.model.base import Body, Group, read_body, to_body
from ledger.model.crossmodel import CROSS_MODEL_VERSION, CrossModel
from ledger.model.crossparts import (
    Breakdown,
    Components,
    CrossCost,
    CrossQuality,
    CrossReplay,
    CrossValidation,
    ModelPart,
    Prediction,
    TransferPart,
    Trend,
)
from ledger.model.exporting import Export, Seal, Selection, StreamCount
from ledger.model.groups import (
    Capture,
    Cost,
    Data,
    Meta,
    Model,
    Output,
    Replay,
    Source,
    Temporal,
    Tools,
)
from ledger.model.keyevents import Enrol, Genesis, Key, Revoke, Rotate
from ledger.model.operation import Check, OperationId, Trace, Usage
from ledger.model.parents import check_parents
from ledger.model.provenance import Claims, DataItem, Interaction, Provenance, Step
from ledger.model.raw import SECRET_HEADERS, Raw
from ledger.model.replay import (
    REPLAY_VERSION,
    Expected,
    FirstDifference,
    Levels,
    Replayed,
    ReplayedStage,
    ReplayOperation,
    ReplayRun,
    RunNumber,
)
from ledger.model.session import (
    CallId,
    Change,
    Decoded,
    Frozen,
    Intent,
    Outcome,
    Reuse,
    Savepoint,
    SessionClose,
    SessionOpen,
)
from ledger.model.stages import Execution, Insight, Party, Transfer
from ledger.model.statements import Annotation, Erasure, Import, StreamClose
from ledger.model.uncertainty import TokenProbability, Uncertainty
from ledger.model.witness import Witness

BODIES: dict[str, type[Body]] = {
    "genesis": Genesis,
    "enrol": Enrol,
    "rotate": Rotate,
    "revoke": Revoke,
    "witness": Witness,
    "annotation": Annotation,
    "import": Import,
    "erasure": Erasure,
    "stream_close": StreamClose,
    "export": Export,
    "session_open": SessionOpen,
    "intent": Intent,
    "outcome": Outcome,
    "reuse": Reuse,
    "savepoint": Savepoint,
    "session_close": SessionClose,
    "insight": Insight,
    "transfer": Transfer,
    "execution": Execution,
    "provenance": Provenance,
    "cross_model": CrossModel,
    "replay": ReplayRun,
    "replay_operation": ReplayOperation,
}


def from_body(statement_type: str, body: dict[str, Any]) -> Body:
    """Return a decoded body as the model of its type.

    Raises `RecordError`: `body_invalid`, a code of specs/03 §2, or
    `record_invalid` for a type that this version has no model for (its statement is kept and
    chained all the same).
    """
    kind = BODIES.get(statement_type)
    if kind is None:
        raise RecordError("record_invalid", "no model for statements of this type")
    return read_body(kind, body)


__all__ = [
    "BODIES",
    "CROSS_MODEL_VERSION",
    "REPLAY_VERSION",
    "SECRET_HEADERS",
    "Annotation",
    "Body",
    "Breakdown",
    "CallId",
    "Capture",
    "Change",
    "Check",
    "Claims",
    "Components",
    "Cost",
    "CrossCost",
    "CrossModel",
    "CrossQuality",
    "CrossReplay",
    "CrossValidation",
    "Data",
    "DataItem",
    "Decoded",
    "Enrol",
    "Erasure",
    "Execution",
    "Expected",
    "Export",
    "FirstDifference",
    "Frozen",
    "Genesis",
    "Group",
    "Import",
    "Insight",
    "Intent",
    "Interaction",
    "Key",
    "Levels",
    "Meta",
    "Model",
    "ModelPart",
    "OperationId",
    "Outcome",
    "Output",
    "Party",
    "Prediction",
    "Provenance",
    "Raw",
    "Replay",
    "ReplayOperation",
    "ReplayRun",
    "Replayed",
    "ReplayedStage",
    "Reuse",
    "Revoke",
    "Rotate",
    "RunNumber",
    "Savepoint",
    "Seal",
    "Selection",
    "SessionClose",
    "SessionOpen",
    "Source",
    "Step",
    "StreamClose",
    "StreamCount",
    "Temporal",
    "TokenProbability",
    "Tools",
    "Trace",
    "Transfer",
    "TransferPart",
    "Trend",
    "Uncertainty",
    "Usage",
    "Witness",
    "check_parents",
    "from_body",
    "to_body",
]
