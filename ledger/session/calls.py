"""Calls: what is sent, what is given again, what must not be sent (specs/10 sections 3, 5 and 7).

What was answered before, in any run, is given again without a request. What may have been paid and
has no answer is not sent again unless the session was told to; instead of it the answer is fetched
where the session was told so and a provider keeps it. Everything else gets an intent that is
durable before `begin` returns.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ledger.capture.exchange import Request, Response
from ledger.drafts import Draft, Receipt
from ledger.errors import ContentError, LogError, SessionError
from ledger.formats.payload import Parent
from ledger.model.session import CallId, Intent
from ledger.reader import Entry
from ledger.session.asking import Asked, Asker, media_type
from ledger.session.budget import Budget
from ledger.session.call import Begun, Call
from ledger.session.fetching import is_kept
from ledger.session.journal import Journal
from ledger.session.lineage import Here
from ledger.session.numbering import Numbers
from ledger.session.outcomes import Verdict
from ledger.session.replay import Attempt, Replay, call_key, key_parts, parent_of
from ledger.session.scanning import Scanner
from ledger.session.settings import Settings
from ledger.session.totals import Totals

__all__ = ["Calls"]

_log = logging.getLogger("ledger.session")


class Calls:
    """The calls of a run, with what earlier runs know of theirs; safe for threads."""

    def __init__(self, journal: Journal, settings: Settings, asker: Asker, past: Replay) -> None:
        self.journal = journal
        self.settings = settings
        self.asker = asker
        self.scanner = Scanner()
        self.totals = Totals()
        self.drift = past.drift
        self.costs = past.costs
        self.saved_usd = 0.0
        self.budget = Budget(
            settings.budget_usd,
            spent_usd=past.costs.total.cost_usd,
            at_risk_usd=past.at_risk_usd,
        )
        self.lock = threading.Lock()
        self._numbers = Numbers()
        self._answered = past.answered
        self._attempts = past.attempts
        self._staged = past.staged
        self._flying: dict[bytes, Begun | None] = {}

    def begin(self, request: Request, place: Here) -> Call:
        """Decide about a request; see `Session.begin`."""
        with self.journal.working():
            asked = self.asker.look(request)
            with self.lock:
                number, free = self._numbers.take(asked.digest, place.replicate)
            try:
                return self._begin(asked, number, place)
            except BaseException:
                if free:
                    with self.lock:
                        self._numbers.give_back(asked.digest, number)
                raise

    def keep_numbers(self, stage: str) -> None:
        """Let a stage that was complete keep the numbers of its calls, also of those not asked now.

        Otherwise the next call that asks the same, in another stage, would get its answer.
        """
        with self.lock:
            for name, keys in self._staged.items():
                if name == stage or name.startswith(f"{stage}/"):
                    for key in keys:
                        self._numbers.take(*key_parts(key))

    def _begin(self, asked: Asked, number: int, place: Here) -> Call:
        key = call_key(asked.digest, number)
        if key not in self._answered:
            asked = self.asker.estimate(asked)
        fetches: str | None = None
        with self.lock:
            index = self._answered.get(key)
            before = self._attempts.get(key)
            if index is None:
                fetches = self._allow(asked, number, key, before)
                if fetches is not None and before is not None:
                    asked = replace(asked, bound_usd=before.reserved_usd)
                    self.budget.fetch(asked.bound_usd)
                else:
                    self.budget.reserve(asked.bound_usd, asked.model or asked.place)
                self._flying[key] = None
        if index is not None:
            return self._again(index, place)
        try:
            begun = self._intend(asked, key, number, before, fetches, place)
        except BaseException:
            risk = fetches is not None
            with self.lock:
                del self._flying[key]
                self.budget.settle(asked.bound_usd, cost_usd=None, at_risk=risk)
            raise
        with self.lock:
            self._flying[key] = begun
        return Call(self, begun, None)

    def _allow(self, asked: Asked, number: int, key: bytes, before: Attempt | None) -> str | None:
        """Refuse what must not be sent now; return the id of what is to be fetched instead."""
        if key in self._flying:
            raise SessionError(
                "session_busy",
                f"replicate {number} of {asked.place} is under way already",
                hint="wait for its answer, or choose another replicate",
            )
        if before is None or before.status != "unknown" or asked.safe:
            return None
        if self.settings.on_unknown == "retry":
            return None
        kept = is_kept(asked.method, asked.url, before.response_id)
        if kept and self.settings.on_unknown == "fetch":
            return before.response_id
        if asked.retried and before.run == self.settings.run:
            return None
        raise self._unknown(asked, number, before, kept=kept)

    def _unknown(self, asked: Asked, number: int, before: Attempt, *, kept: bool) -> SessionError:
        intent = self.journal.log.get(before.intent).payload
        expected = intent.body.get("reserved_usd")
        cost = "an unknown amount" if expected is None else f"up to {expected:.6f} USD"
        nothing = self.settings.on_unknown == "fetch" and not kept
        hint = 'open the session with on_unknown="retry" to send such calls again'
        if kept:
            hint += ', or with on_unknown="fetch" to get the answer if the provider keeps it'
        return SessionError(
            "outcome_unknown",
            f"call {asked.digest.hex()[:12]}, replicate {number}: {asked.place}"
            + (f", model {asked.model}" if asked.model else "")
            + f", was sent at {intent.created_at} and has no answer ({before.reason}); "
            f"it may have been paid, {cost}" + ("; there is nothing to fetch" if nothing else ""),
            hint=hint,
        )

    def _intend(
        self,
        asked: Asked,
        key: bytes,
        number: int,
        before: Attempt | None,
        fetches: str | None,
        place: Here,
    ) -> Begun:
        request = None
        if asked.request.body:
            self.scanner.look(asked.request.body, f"request of {asked.place}")
            kind = media_type(asked.request.headers)
            request = self.journal.log.archive(asked.request.body, kind)
        body = Intent(
            call=CallId(digest=asked.digest, replicate=number),
            attempt=before.number + 1 if before else 1,
            after=before.status if before else None,  # type: ignore[arg-type]
            method=asked.method,
            url=asked.url,
            request=request.ref if request else None,
            request_headers=asked.headers or None,
            fetches=fetches,
            model=asked.model,
            stage=place.stage,
            reserved_usd=None if asked.safe else asked.bound_usd,
        )
        (receipt,) = self.journal.append(
            [
                Draft(
                    "intent",
                    body,
                    (before.outcome,) if before else (),
                    (request,) if request else (),
                )
            ]
        )
        intent = Parent(receipt.id, receipt.leaf_hash)
        return Begun(
            asked, key, number, body.attempt, intent, receipt.index, request, place, fetches
        )

    def _again(self, index: int, place: Here) -> Call:
        """Give a recorded answer, and note that it was given."""
        log = self.journal.log
        outcome = log.get(index)
        body = outcome.payload.body
        try:
            content = log.content(body["response"]) if "response" in body else b""
        except ContentError as error:
            raise ContentError(
                error.code,
                f"the recorded answer at index {index} cannot be given again: {error.message}",
                hint="choose another replicate to ask anew",
            ) from None
        headers = tuple(body.get("response_headers", {}).items())
        self.journal.reuse(parent_of(outcome))
        witness = self._witness_of(outcome)
        if witness is not None:
            place.witnessed(parent_of(witness))
            with self.lock:
                self.saved_usd += witness.payload.body.get("cost", {}).get("cost_usd", 0.0)
        call = Call(None, None, Response(body["http_status"], headers, content))
        call.witness = parent_of(witness) if witness is not None else None
        return call

    def _witness_of(self, outcome: Entry) -> Entry | None:
        """The witness of an answered call: it follows in the same commit."""
        try:
            found = self.journal.log.get(outcome.index + 1)
        except LogError:
            return None
        parents = found.payload.parents
        if found.payload.type != "witness" or not parents or parents[0].id != outcome.id:
            return None
        return found

    def settle(
        self,
        begun: Begun,
        verdict: Verdict,
        outcome: Receipt,
        witness: Receipt | None,
        body: Mapping[str, Any],
        response_id: str | None,
    ) -> None:
        """An outcome is durable: the call is over."""
        cost, changes = None, []
        with self.lock:
            del self._flying[begun.key]
            if verdict.status == "answered":
                self._answered[begun.key] = outcome.index
                self._attempts.pop(begun.key, None)
                if witness is not None:
                    cost = self.costs.witness(body, begun.place.stage)
                    changes = self.drift.witness(body, witness.created_at)
                self.totals.answer(witness.index if witness else None, cost)
            else:
                self._attempts[begun.key] = Attempt(
                    begun.attempt,
                    verdict.status,
                    verdict.reason or "",
                    Parent(outcome.id, outcome.leaf_hash),
                    self.settings.run,
                    begun.index,
                    begun.asked.bound_usd,
                    response_id,
                )
                self._numbers.give_back(begun.asked.digest, begun.replicate)
                if verdict.status == "failed":
                    self.totals.failed += 1
                else:
                    self.totals.unknown += 1
            at_risk = verdict.status != "failed" or begun.fetches is not None
            self.budget.settle(begun.asked.bound_usd, cost_usd=cost, at_risk=at_risk)
        for change in changes:
            _log.warning("%s", change)

    def in_flight(self) -> list[Begun]:
        """The calls that have no outcome yet, in the order of their intents."""
        with self.lock:
            return sorted(
                (begun for begun in self._flying.values() if begun), key=lambda one: one.index
            )
