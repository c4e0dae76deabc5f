"""Calls: intents, outcomes, their witnesses and reuse (specs/10 sections 3, 4, 5)."""

from __future__ import annotations

from .errors import Refused
from .session_facts import Intent, Outcome, Witness
from .session_ground import EXCUSED, PARENT_BYTES, WRONG, Ground
from .session_tables import (
    BROKEN_STATUS,
    GOING_ON,
    NONE,
    STATUS,
    STATUS_MASK,
    TOLD,
    UNKNOWN_RUN,
)

_NAMES = {number: name for name, number in STATUS.items()}


class CallRules:
    """Judges what belongs to calls, in log order."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.counts = dict.fromkeys(("intents", *STATUS, "reused"), 0)

    def take_intent(
        self, position: int, fact: Intent, parents: bytes, session: int, run: int
    ) -> None:
        """Take an intent: attempts are counted, and none follows an answer."""
        g = self._ground
        self.counts["intents"] += 1
        call = g.calls.number(session, fact.digest, fact.replicate)
        before, expected = g.calls.last[call], g.calls.attempts[call] + 1
        number = g.intents.add(position, session, run, call, fact.request_print)
        g.calls.attempts[call] = fact.attempt
        g.calls.last[call] = number
        try:
            g.contents.check_request(fact, g.labels.key[session])
        except Refused as e:
            g.refuse(position, e)
        if fact.fetches:
            self._fetched(position, fact, parents)
        elif fact.after == "unknown":
            words = g.words(position, "call_repeated")
            text = f"asked again after an unknown outcome, possibly paid twice: {words}"
            g.emit("call_repeated", position, text)
        answered = g.calls.answered[call]
        if answered:
            g.intents.state[number] |= TOLD
            words = g.words(position, "call_duplicate")
            g.emit("call_duplicate", position, f"asked again though it was answered: {words}")
        if g.labels.damaged[session]:
            return
        if fact.attempt != expected:
            text = "not the number of this attempt of the call"
            g.emit("session_invalid", position, text, expected, fact.attempt)
        elif expected > 1:
            self._attempt_before(position, fact, parents, before, bool(answered))

    def _attempt_before(
        self, position: int, fact: Intent, parents: bytes, before: int, answered: bool
    ) -> None:
        """Check the parent of a further attempt, and what it says came out of the one before."""
        g = self._ground
        parent = g.parent(g.outcomes, parents[:32], position, g.intents.session[before])
        if parent == WRONG or (parent >= 0 and g.outcomes.intent[parent] != before):
            text = "the parent is not the outcome of the attempt before"
            g.emit("session_invalid", position, text)
        elif parent >= 0 and not answered:
            status = _NAMES.get(g.outcomes.status[parent])
            if status is not None and status != fact.after:
                text = "the attempt before came out otherwise"
                g.emit("session_invalid", position, text, status, fact.after)

    def _fetched(self, position: int, fact: Intent, parents: bytes) -> None:
        """Check that the id that is fetched is the parent's, wherever the parent can be told."""
        g = self._ground
        parent = g.first_parent(g.outcomes, parents)
        if parent >= 0 and g.outcomes.ident(parent) != fact.fetches:
            text = "fetches is not the response_id of the outcome before"
            g.emit("session_invalid", position, text)

    def take_outcome(
        self, position: int, fact: Outcome, parents: bytes, session: int, run: int
    ) -> None:
        """Take an outcome: it is the only one of its intent, and of the right run."""
        g = self._ground
        self.counts[fact.status] += 1
        status = STATUS[fact.status]
        number = g.outcomes.add(position, session, status, fact.response_print, fact.response_id)
        intent = self._intent_of(position, parents, session, run)
        try:
            g.contents.check_response(fact)
        except Refused as e:
            g.refuse(position, e)
        if fact.status == "unknown":
            words = "an intent that cannot be told"
            if intent >= 0:
                words = g.words(g.intents.position[intent], "outcome_unknown")
            g.emit("outcome_unknown", position, f"{fact.reason}, possibly paid: {words}")
        if intent < 0:
            return
        own = g.intents.run[intent]
        g.outcomes.intent[number] = intent
        if g.intents.state[intent] & STATUS_MASK:
            at = g.intents.position[intent]
            words = g.words(at, "outcome_duplicate")
            g.emit("outcome_duplicate", position, f"the intent has an outcome already: {words}")
            g.runs.unsure[own] = 1
            return
        g.intents.state[intent] |= status
        g.runs.counts[3 * own + status - 1] += 1
        if own != UNKNOWN_RUN and run != UNKNOWN_RUN:
            self._belongs(position, fact, own, run)
        if fact.status == "answered":
            self._answered(position, intent, own)

    def take_broken_outcome(self, position: int, parents: bytes, session: int) -> None:
        """Take an outcome whose body is invalid: its intent has one, nobody knows which."""
        g = self._ground
        told = 0
        for at in range(0, len(parents), PARENT_BYTES):
            intent = g.parent(g.intents, parents[at : at + 32], position, session)
            if intent >= 0 and g.intents.session[intent] == session:
                told += 1
                g.runs.unsure[g.intents.run[intent]] = 1
                if not g.intents.state[intent] & STATUS_MASK:
                    g.intents.state[intent] |= BROKEN_STATUS
        if not told:
            g.labels.loosen(session, 1)

    def _intent_of(self, position: int, parents: bytes, session: int, run: int) -> int:
        """Return the intent that an outcome names, or something negative."""
        g = self._ground
        intent = g.parent(g.intents, parents[:32], position, session)
        if intent == WRONG or (intent >= 0 and g.intents.session[intent] != session):
            text = "the parent is not an intent of this session"
            g.emit("session_invalid", position, text)
            intent = WRONG
        if intent < 0:
            g.labels.loosen(session, 1)
            g.runs.unsure[run] = 1
        return intent

    def _belongs(self, position: int, fact: Outcome, own: int, run: int) -> None:
        """Check that an outcome stands in the run of its intent, or says that this was killed."""
        g = self._ground
        if fact.reason != "killed":
            if run != own:
                text = "an outcome in another run than its intent"
                g.emit("session_invalid", position, text, g.runs.value[own], g.runs.value[run])
        elif run <= own:
            g.emit("session_invalid", position, "a run says that it was killed itself")
        elif g.runs.end[own] != GOING_ON:
            g.emit("session_invalid", position, "the run of the intent was closed, not killed")

    def _answered(self, position: int, intent: int, run: int) -> None:
        g = self._ground
        g.runs.unpriced[run] += 1
        call = g.intents.call[intent]
        if g.calls.answered[call] and not g.intents.state[intent] & TOLD:
            words = g.words(g.intents.position[intent], "call_duplicate")
            g.emit("call_duplicate", position, f"a second answer of one call: {words}")
        g.calls.answered[call] = 1

    def take_witness(self, position: int, fact: Witness | None, parents: bytes) -> None:
        """Take a witness: if its first parent is an outcome, it is the only one, and agrees.

        Without a fact its body is invalid, and nobody knows what it cost.
        """
        g = self._ground
        number = g.first_parent(g.outcomes, parents)
        if number < 0 or g.outcomes.position[number] >= position:
            return
        if fact is None:
            if g.outcomes.intent[number] != NONE:
                g.runs.unsure[g.intents.run[g.outcomes.intent[number]]] = 1
            return
        flags, intent = g.outcomes.flags[number], g.outcomes.intent[number]
        if flags & g.outcomes.WITNESSED:
            g.emit("session_invalid", position, "a second witness of one outcome")
        g.outcomes.flags[number] |= g.outcomes.WITNESSED
        if fact.response_print and fact.response_print != g.outcomes.response(number):
            g.emit("call_mismatch", position, "raw.response is not the response of the outcome")
        if intent == NONE:
            return
        if fact.request_print and fact.request_print != g.intents.request(intent):
            g.emit("call_mismatch", position, "raw.request is not the request of the intent")
        if fact.cost_usd is not None and g.outcomes.status[number] == STATUS["answered"]:
            run = g.intents.run[intent]
            g.runs.cost[run] += fact.cost_usd
            g.runs.priced[run] = 1
            if not flags & g.outcomes.PRICED:
                g.outcomes.flags[number] |= g.outcomes.PRICED
                g.runs.unpriced[run] -= 1

    def take_reuse(self, position: int, calls: int, parents: bytes, session: int, run: int) -> None:
        """Take a reuse: what was given again are answers of this session."""
        g = self._ground
        self.counts["reused"] += calls
        g.runs.reused[run] += calls
        for at in range(0, len(parents), PARENT_BYTES):
            found = g.parent(g.outcomes, parents[at : at + 32], position, session)
            if found == EXCUSED:
                continue
            if (
                found == WRONG
                or g.outcomes.session[found] != session
                or g.outcomes.status[found] != STATUS["answered"]
            ):
                text = "a parent that is not an answered outcome of this session"
                g.emit("session_invalid", position, text)
                return

    def finish(self, lost: int) -> None:
        """Name the intents without outcome; `lost` records could not be read anywhere."""
        g = self._ground
        lacking: dict[int, int] = {}
        open_ones = [n for n, state in enumerate(g.intents.state) if not state & STATUS_MASK]
        for number in open_ones:
            session = g.intents.session[number]
            lacking[session] = lacking.get(session, 0) + 1
        for number in open_ones:
            session, run = g.intents.session[number], g.intents.run[number]
            if run == UNKNOWN_RUN or lacking[session] <= g.labels.loose[session] + lost:
                continue
            missing = g.labels.closed[session] >= run
            code = "outcome_missing" if missing else "intent_open"
            position = g.intents.position[number]
            g.emit(code, position, f"no outcome: {g.words(position, code)}")
