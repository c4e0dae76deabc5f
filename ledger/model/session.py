"""The bodies of sessions: runs, calls with intent and outcome, reuse, savepoints (specs/10).

A body shows that fields are there, have their types, and go together. What several statements say
together, such as the numbers of runs and attempts, is checked by the session that writes them and
by the verifier; the number of parents, which a body fixes, by `ledger.model.parents`.

>>> Outcome(status="failed", reason="http_status", http_status=429).http_status
429
>>> Outcome(status="answered", http_status=429)
Traceback (most recent call last):
ledger.errors.RecordError: body_invalid: outcome: outcome: an answer has ...
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ledger.errors import FormatError
from ledger.formats.call import call_url
from ledger.model.base import Body, Group
from ledger.model.groups import both_or_neither
from ledger.model.raw import Headers
from ledger.model.values import Amount, Array, Count, Digest, Label, Name, Prose, Ref

CALL_KEY_BYTES = 32
FROZEN_MAX = 512

Role = Literal["experiment_snapshot", "framework_snapshot", "corpus_manifest", "file"]
RunNumber = Annotated[int, Field(ge=1, le=1_000_000)]
ReuseCount = Annotated[int, Field(ge=1, le=256)]
HttpStatus = Annotated[int, Field(ge=100, le=599)]

_METHOD = re.compile(r"[A-Z]{1,16}")
_REASONS = {
    "answered": frozenset({None}),
    "failed": frozenset({"http_status", "not_sent"}),
    "unknown": frozenset({"timeout", "disconnected", "stream", "abandoned", "killed"}),
}


def _method(value: str) -> str:
    if not _METHOD.fullmatch(value):
        raise ValueError("a method is 1 to 16 of A-Z")
    return value


def _url(value: str) -> str:
    try:
        canonical = call_url(value)
    except FormatError as error:
        raise ValueError(error.message) from None
    if canonical != value:
        raise ValueError("a url is recorded in its canonical form, without credentials")
    return value


def _iff(name: str, value: object, condition: bool, when: str) -> None:
    if (value is not None) != condition:
        raise ValueError(f"{name} must be there iff {when}")


class Frozen(Group):
    """A file, or the manifest of a folder, that a run depends on."""

    role: Role
    name: Name
    content: Ref


class Change(Group):
    """A difference between what two runs froze."""

    role: Role
    name: Name
    change: Literal["added", "removed", "altered"]


def _ordered(entries: Sequence[Frozen | Change]) -> Sequence[Frozen | Change]:
    keys = [(entry.role.encode(), entry.name.encode()) for entry in entries]
    if any(later <= earlier for earlier, later in pairwise(keys)):
        raise ValueError("entries must be unique and in order of role and name")
    return entries


class SessionOpen(Body):
    """A run begins (specs/10 §2)."""

    run: RunNumber
    previous: Literal["complete", "interrupted", "killed"] | None = None
    writer: Name
    on_unknown: Literal["ask", "retry", "fetch"]
    environment: Ref
    frozen: Annotated[
        tuple[Frozen, ...], Array, Field(max_length=FROZEN_MAX), AfterValidator(_ordered)
    ]
    changed: (
        Annotated[
            tuple[Change, ...],
            Array,
            Field(min_length=1, max_length=FROZEN_MAX),
            AfterValidator(_ordered),
        ]
        | None
    ) = None
    budget_usd: Amount | None = None
    call_key: Ref | None = None

    @model_validator(mode="after")
    def _a_first_run_follows_none(self) -> Self:
        _iff("previous", self.previous, self.run > 1, "run is above 1")
        if self.changed is not None and self.run == 1:
            raise ValueError("changed cannot be there in a first run")
        if self.call_key is not None and self.call_key.size_bytes != CALL_KEY_BYTES:
            raise ValueError(f"call_key refers to {CALL_KEY_BYTES} bytes")
        return self


class CallId(Group):
    """Which call of its session: the digest of what is asked, and which time it is asked."""

    digest: Digest
    replicate: RunNumber


class Intent(Body):
    """A request is about to leave (specs/10 §3)."""

    call: CallId
    attempt: Annotated[int, Field(ge=1, le=10_000)]
    after: Literal["failed", "unknown"] | None = None
    method: Annotated[str, AfterValidator(_method)]
    url: Annotated[Prose, AfterValidator(_url)]
    request: Ref | None = None
    request_headers: Headers | None = None
    fetches: Name | None = None
    model: Name | None = None
    stage: Label | None = None
    reserved_usd: Amount | None = None

    @model_validator(mode="after")
    def _a_first_attempt_follows_none(self) -> Self:
        _iff("after", self.after, self.attempt > 1, "attempt is above 1")
        if self.fetches is not None and self.after != "unknown":
            raise ValueError("fetches is there only with after unknown")
        if self.request is not None and self.request.size_bytes == 0:
            raise ValueError("request refers to at least a byte: a body of no bytes is none")
        return self


class Decoded(Group):
    """Digest and length of a response body without its content encoding."""

    sha256: Digest
    size_bytes: Count


class Outcome(Body):
    """What became of an intent (specs/10 §4)."""

    status: Literal["answered", "failed", "unknown"]
    reason: (
        Literal[
            "http_status", "not_sent", "timeout", "disconnected", "stream", "abandoned", "killed"
        ]
        | None
    ) = None
    http_status: HttpStatus | None = None
    response: Ref | None = None
    response_headers: Headers | None = None
    decoded: Decoded | None = None
    streaming: Literal["complete", "closed", "interrupted", "error"] | None = None
    response_id: Name | None = None
    first_byte_ms: Amount | None = None
    duration_ms: Amount | None = None

    @model_validator(mode="after")
    def _status_and_reason_are_of_the_table(self) -> Self:
        if self.reason not in _REASONS[self.status]:
            raise ValueError(f"the status {self.status} cannot have this reason")
        success = self.http_status is not None and 200 <= self.http_status <= 299
        if self.status == "answered" and not success:
            raise ValueError("an answer has an http_status of 200 to 299")
        if self.reason == "http_status" and (self.http_status is None or success):
            raise ValueError("the reason http_status needs one outside 200 to 299")
        if self.reason == "not_sent" and self.http_status is not None:
            raise ValueError("what was not sent has no http_status")
        if self.streaming not in self._streaming_allowed():
            raise ValueError("streaming does not fit the status and its reason")
        if self.reason == "killed" and any(
            value is not None
            for name, value in self.__dict__.items()
            if name not in ("status", "reason")
        ):
            raise ValueError("nothing is known about what was killed")
        if self.decoded is not None and self.response is None:
            raise ValueError("decoded needs response")
        return self

    def _streaming_allowed(self) -> tuple[str | None, ...]:
        if self.status == "answered":
            return (None, "complete", "closed")
        return ("interrupted", "error") if self.reason == "stream" else (None,)


class Reuse(Body):
    """Recorded answers were given again, without a request (specs/10 §5)."""

    calls: ReuseCount


class Savepoint(Body):
    """State of the workflow, from which it can go on (specs/10 §6)."""

    stage: Label
    complete: bool
    state: Ref


class SessionClose(Body):
    """A run ends by itself, with its sums (specs/10 §8)."""

    run: RunNumber
    status: Literal["complete", "interrupted"]
    reason: Name | None = None
    answered: Count
    failed: Count
    unknown: Count
    reused: Count
    cost_usd: Amount | None = None
    unpriced: Count

    @model_validator(mode="after")
    def _an_interruption_has_a_reason(self) -> Self:
        both_or_neither(
            "reason", self.reason, "status interrupted", self.status == "interrupted" or None
        )
        return self
