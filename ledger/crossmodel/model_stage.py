"""Stages in which a model works: insight and execution (specs/12 §2 and §4).

What is not said is taken from the calls of the block: the output from the last one, the model from
the last one when no name was given, its version from what the answer says, and the confidence from
the least certain one that has any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger.crossmodel.stage import Stage, StageOptions
from ledger.drafts import Archived
from ledger.errors import ContentError, RecordError
from ledger.formats.containing import contained
from ledger.formats.content import ContentRef, from_cbor
from ledger.formats.payload import Parent, Payload
from ledger.model import Body, Execution, Insight
from ledger.model.archive import Content

if TYPE_CHECKING:
    from ledger.crossmodel.operation import Operation, Transferred

__all__ = ["ExecutionStage", "InsightStage", "ModelStage"]

_NAMES = ("model_id", "requested_model", "actual_model")
_VERSIONS = ("model_id", "actual_model", "system_fingerprint")


class ModelStage(Stage):
    """What a model found out or did."""

    def __init__(
        self,
        operation: Operation,
        label: str,
        options: StageOptions,
        *,
        model: str | None,
        model_version: str | None,
    ) -> None:
        super().__init__(operation, label, options)
        self.model = model
        self.model_version = model_version
        self.output: Content | ContentRef | None = None
        """What came out; by default the output of the last call."""
        self.context: Content | ContentRef | None = None
        """What the model was given, where that is not in the prompts of its calls."""
        self.atoms: Sequence[str] | None = None
        """The pieces of knowledge in the output, by name."""

    @property
    def model_id(self) -> str:
        """The model, as recorded."""
        return str(self.body["model_id"])

    def _given(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self.body["output"]
        return given

    def _same(self) -> bool:
        return self.output is None or self._is_recorded(self.output, "output")

    def _take_from(self, made: Sequence[Payload]) -> None:
        bodies = [one.body for one in made if _is_call(one)]
        if self.output is None:
            refs = [body["output"].get("output_hash") for body in bodies]
            given = [ref for ref in refs if ref is not None]
            if not given:
                raise RecordError(
                    "body_invalid",
                    f"{self} has no output",
                    hint="set its output in the block, or make a call in it",
                )
            self.output = from_cbor(given[-1])
        if self.model is None and bodies:
            self.model = bodies[-1]["model"]["model_id"]
        if self.model is None:
            raise RecordError("body_invalid", f"{self} has no model", hint="name it: model=…")
        if self.confidence is None:
            self._take_confidence(bodies)

    def _check_model(self, models: Sequence[Mapping[str, Any]]) -> None:
        """Compare with what the calls say, and take the version from them."""
        own = [model for model in models if self.model in [model.get(name) for name in _NAMES]]
        if models and not own:
            asked = ", ".join(sorted({str(model["model_id"]) for model in models}))
            raise RecordError(
                "stage_mismatch",
                f"{self} is said to be of {self.model}, its calls were to {asked}"[:400],
                hint="name the model that was asked: model=…",
            )
        if self.model_version is None and own:
            found = [model.get("actual_model", model["model_id"]) for model in own]
            if found[-1] != self.model:
                self.model_version = found[-1]
        elif models and self.model_version not in [
            None,
            *(model.get(name) for model in models for name in _VERSIONS),
        ]:
            raise RecordError(
                "stage_mismatch",
                f"{self} is said to be of version {self.model_version}, of which no call speaks",
            )

    def _take_confidence(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        groups = [body.get("uncertainty", {}) for body in bodies]
        sure = [group for group in groups if "confidence_score" in group]
        if sure:
            least = min(sure, key=lambda group: group["confidence_score"])
            self.confidence = least["confidence_score"]
            self.confidence_method = least["confidence_method"]

    def _fields(self, made: Sequence[Payload]) -> tuple[dict[str, Any], list[Archived]]:
        contents: list[Archived] = []
        assert self.output is not None  # _take_from has seen to it
        self._check_model([one.body["model"] for one in made if _is_call(one)])
        fields = {
            **self._common(made),
            "model_id": self.model,
            "model_version": self.model_version,
            "output": self._archive(self.output, contents),
            "context": None if self.context is None else self._archive(self.context, contents),
            "atoms": tuple(self.atoms) if self.atoms else None,
        }
        return fields, contents


class InsightStage(ModelStage):
    """What a model found out."""

    kind = "insight"

    def _build(
        self, based: Sequence[Payload | None], made: Sequence[Payload]
    ) -> tuple[Body, list[Archived]]:
        fields, contents = self._fields(made)
        return Insight(**fields), contents


class ExecutionStage(ModelStage):
    """What a model did with what was handed to it."""

    kind = "execution"
    transfers: Sequence[Transferred] = ()

    def _first(self) -> list[Parent]:
        return [transfer.parent for transfer in self.transfers]

    def _build(
        self, based: Sequence[Payload | None], made: Sequence[Payload]
    ) -> tuple[Body, list[Archived]]:
        fields, contents = self._fields(made)
        contexts = [from_cbor(ref) for ref in contexts_of(fields["context"], made)]
        known = {transfer.id: transfer.content for transfer in self.transfers}
        handed = {transfer.id: transfer.body for transfer in self.transfers}
        # A transfer is one also where it is only named among the parents.
        handed |= {one.id: one.body for one in based if one and one.type == "transfer"}
        for identity, body in handed.items():
            self._check_target(body["target"], contexts)
            given = known.get(identity)
            if given is None:
                given = self._plain(from_cbor(body.get("delivered", body["content"])))
            if not any(self._holds(given, ref) for ref in contexts):
                raise RecordError(
                    "context_mismatch",
                    f"what transfer {body['label']} handed over is not in a prompt of {self}",
                    hint="put its text into the prompt as it is, or say what was handed over: "
                    "set `delivered` of the transfer",
                )
        return Execution(**fields), contents

    def _check_target(self, target: Mapping[str, Any], contexts: Sequence[ContentRef]) -> None:
        wrong = None
        if target["model_id"] != self.model:
            wrong = f"{self} is of {self.model}, but a transfer was to {target['model_id']}"
        elif target.get("model_version", self.model_version) != self.model_version:
            wrong = f"{self} is of another version of the model than a transfer was to"
        elif "context" in target and from_cbor(target["context"]) not in contexts:
            wrong = f"{self} does not have the context that a transfer says it would have"
        if wrong is not None:
            raise RecordError(
                "stage_mismatch",
                wrong,
                hint="name the target of the transfer: op.transfer(…, target=…)",
            )

    def _holds(self, handed: bytes, ref: ContentRef) -> bool:
        try:
            return contained(handed, self._plain(ref), ref.media_type)
        except ContentError:
            return False  # a prompt that was erased


def contexts_of(context: ContentRef | None, made: Sequence[Payload]) -> list[dict[str, Any]]:
    """The contexts of a stage: its own, and the prompts of the witnesses it was made with."""
    prompts = [one.body["data"]["prompt_hash"] for one in made if one.type == "witness"]
    return prompts if context is None else [context.to_cbor(), *prompts]


def _is_call(payload: Payload) -> bool:
    return payload.type == "witness" and payload.body.get("operation") != "execute_tool"
