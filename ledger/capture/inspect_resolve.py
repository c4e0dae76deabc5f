"""Puts an Inspect event together: attachments and pooled messages back where they belong.

Inspect keeps long texts once a sample, as `attachment://<32 hex digits>`, and in newer versions
messages in pools: `input_refs` of an event and `call_refs` of its call are ranges `[start, end)`
of `events_data.messages` and `events_data.calls`. A reference that leads nowhere is an error: the
call would be recorded without what was said.

A small file can refer to one long text many times, so what an event grows to is bounded.
"""

from __future__ import annotations

import re
from typing import Any

from ledger.capture import fitting
from ledger.errors import ImportSourceError

EVENT_MAX_BYTES = 256 << 20
NODE_BYTES = 16

_ATTACHMENT = re.compile(r"attachment://([0-9a-f]{32})")


class Resolver:
    """The attachments and pools of one sample."""

    def __init__(self, sample: dict[str, Any]) -> None:
        """Take them from a sample document."""
        pools = fitting.as_map(sample.get("events_data"))
        self._attachments = fitting.as_map(sample.get("attachments"))
        self._messages = fitting.as_list(pools.get("messages"))
        self._calls = fitting.as_list(pools.get("calls"))
        self._left = 0

    def event(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return a model event with everything in its place; raises `ImportSourceError`."""
        self._left = EVENT_MAX_BYTES
        event = dict(event)
        refs = event.pop("input_refs", None)
        if refs is not None and not event.get("input"):
            event["input"] = self._pooled(refs, self._messages)
        call = fitting.as_map(event.get("call"))
        if call.get("call_refs") is not None:
            call = dict(call)
            request = dict(fitting.as_map(call.get("request")))
            request[str(call.pop("call_key", None) or "messages")] = self._pooled(
                call.pop("call_refs"), self._calls
            )
            call["request"] = request
            event["call"] = call
        resolved: dict[str, Any] = self._resolved(event)
        return resolved

    def text(self, value: object) -> object:
        """Return a value with its attachments."""
        self._left = EVENT_MAX_BYTES
        return self._resolved(value)

    def _pooled(self, refs: object, pool: list[Any]) -> list[Any]:
        found: list[Any] = []
        for pair in fitting.as_list(refs):
            match pair:
                case [int(start), int(end)] if 0 <= start <= end <= len(pool):
                    found += pool[start:end]
                    self._spend(NODE_BYTES * (end - start))
                case _:
                    raise ImportSourceError("source_unreadable", "a pooled message is missing")
        return found

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, str):
            named = _ATTACHMENT.fullmatch(value)
            if named:
                value = self._attachments.get(named[1])
                if not isinstance(value, str):
                    raise ImportSourceError("source_unreadable", "an attachment is missing")
            self._spend(len(value))
            return value
        self._spend(NODE_BYTES)
        if isinstance(value, list):
            return [self._resolved(item) for item in value]
        if isinstance(value, dict):
            return {key: self._resolved(item) for key, item in value.items()}
        return value

    def _spend(self, size_bytes: int) -> None:
        self._left -= size_bytes
        if self._left < 0:
            raise ImportSourceError(
                "source_unreadable", f"an event grows beyond {EVENT_MAX_BYTES} bytes"
            )
