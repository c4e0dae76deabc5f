"""Runs made by hand: bodies of `replay` statements that the schema takes, with their contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.formats.content import ContentRef, refer
from ledger.formats.observation import environment
from ledger.model import from_body
from ledger.model.base import to_body
from ledger.replay.levels import LEVELS, reached
from ledger.replay.report.inputs import Contents, Run, Subject

HOSTILE = "</code><script>alert(1)</script>&amp; \u202egpj.exe \x1b[31m"


@dataclass
class World:
    """Contents, salted or not, and runs that refer to them."""

    salted: bool = False
    stored: dict[bytes, bytes] = field(default_factory=dict)
    _salt: int = 0

    def keep(self, content: bytes, media_type: str = "text/plain") -> ContentRef:
        salt = None
        if self.salted:
            self._salt += 1
            salt = self._salt.to_bytes(16, "big")
        ref, archived = refer(content, media_type, salt)
        self.stored[ref.blake3] = archived[16:] if salt else archived
        return ref

    @property
    def contents(self) -> Contents:
        return Contents(lambda ref: self.stored.get(ref.blake3))

    def subject(
        self,
        index: int,
        output: str | None = "forty-two",
        fingerprint: Mapping[str, Any] | None = None,
        **facts: Any,
    ) -> Subject:
        return Subject(
            index.to_bytes(32, "big"),
            f"01a1f82f-1e80-7000-9870-{index:012x}",
            index,
            session=facts.get("session", "pilot"),
            model=facts.get("model", "demo-model"),
            operation="chat",
            output=None if output is None else self.keep(output.encode()),
            environment=None
            if fingerprint is None
            else self.keep(environment(fingerprint), "application/json"),
        )

    def run(
        self,
        subject: Subject,
        output: str | None = None,
        *,
        number: int = 1,
        of: int = 1,
        reason: str | None = None,
        fingerprint: Mapping[str, Any] | None = None,
        tokens: str = "not_observable",
        logprobs: str = "not_observable",
        bits: str | None = None,
        wanted: str = "text",
        engine: str = "openai",
        archive: str = "match",
        place: int = 0,
        confidence: tuple[float, float] | None = None,
        **fields: Any,
    ) -> Run:
        """A run that came back with an output, or one that did not for a reason.

        Without `output` it is the recorded one; the levels after one that differs follow.
        """
        recorded = None if subject.output is None else self.stored[subject.output.blake3].decode()
        expected: dict[str, Any] = {}
        if subject.output is not None:
            expected["output"] = subject.output.sha256
        if isinstance(subject.environment, ContentRef):
            expected["environment"] = subject.environment.sha256
        body: dict[str, Any] = {"run": {"number": number, "of": of}, "expected": expected}
        if confidence is not None:
            expected["confidence"] = confidence[0]
        levels = dict.fromkeys(LEVELS, "not_run") | {"archive": archive}
        if reason is None:
            said = recorded if output is None else output
            replayed: dict[str, Any] = {"observation": self.keep(b"{}").to_cbor()}
            expected["observation"] = bytes(32)
            states = {"text": "not_observable", "tokens": tokens, "logprobs": logprobs}
            if said is not None:
                replayed["output"] = self.keep(said.encode()).to_cbor()
                if recorded is not None:
                    states["text"] = "match" if said == recorded else "differs"
            if fingerprint is not None:
                kept = self.keep(environment(fingerprint), "application/json")
                replayed["environment"] = kept.to_cbor()
                if isinstance(subject.environment, ContentRef):
                    before = self.stored[subject.environment.blake3]
                    body["environment_identical"] = before == self.stored[kept.blake3]
            if bits is not None:
                body["raw_identical"] = bits == "match"
                states["bits"] = bits if body["environment_identical"] else "differs"
            parted = archive == "differs"
            for level, state in states.items():
                parted = parted or state == "differs"
                levels[level] = "differs" if parted and state == "match" else state
            levels.setdefault("bits", "not_observable")
            if "bits" not in states:
                levels["bits"] = "not_observable"
            first: dict[str, int] = {}
            if said is not None and recorded is not None and said != recorded:
                first["character"] = next(
                    (n for n, (a, b) in enumerate(zip(said, recorded, strict=False)) if a != b),
                    min(len(said), len(recorded)),
                )
            if levels["tokens"] == "differs" and tokens == "differs":
                first["token"] = fields.pop("token", 0)
            if first:
                body["first_difference"] = first
            if levels["logprobs"] in ("match", "differs"):
                body["epsilon"] = 1e-5
                body["logprob_difference"] = 0.0 if logprobs == "match" else 0.25
            if confidence is not None:
                replayed["confidence"] = confidence[1]
                body["confidence_difference"] = confidence[1] - confidence[0]
            body["replayed"] = replayed
        success = levels[wanted] == "match"
        if not success:
            body["reason"] = reason or (
                "not_observable"
                if levels[wanted] == "not_observable"
                else "environment_differs"
                if body.get("environment_identical") is False
                else "output_differs"
            )
        body |= {
            "version": 1,
            "engine": engine,
            "wanted": wanted,
            "success": success,
            "level": reached(levels),  # type: ignore[arg-type]
            "levels": levels,
            "message": "made by hand",
            "started_at": f"2026-11-28T10:00:{number % 60:02d}.000000Z",
            "ended_at": f"2026-11-28T10:01:{number % 60:02d}.000000Z",
        } | fields
        checked = to_body(from_body("replay", body))
        return Run(subject, checked, b"\5" * 8, place)
