"""Sessions and their runs, over all statements in log order (specs/10).

A record that cannot be read, or whose body is invalid, has its own finding. What seems to be
missing or miscounted because of it is not reported again: its session counts as damaged, and
only what contradicts itself without that record is still judged.
"""

from __future__ import annotations

from array import array
from typing import Any

from .chain import (
    TAG_INTENT,
    TAG_OPEN,
    TAG_OUTCOME,
    TAG_REUSE,
    TAG_SAVEPOINT,
    TAG_SESSION_CLOSE,
    TAG_WITNESS,
    Fact,
)
from .session_calls import CallRules
from .session_facts import Closing, Intent, Opening, Outcome, Savepoint, Witness, entries
from .session_ground import WRONG, Ground
from .session_tables import (
    CLOSED,
    COMPLETE,
    ENDS,
    GOING_ON,
    INTERRUPTED,
    NONE,
    UNKNOWN_RUN,
    Keys,
)

_STREAM_NONE, _STREAM_UNKNOWN = 0, 1
_NAMED_MAX = 3
_COUNTED = ("answered", "failed", "unknown", "reused", "unpriced", "cost_usd")
_NO_COST = -1.0
_CLAIM = 7


class Sessions:
    """Follows all sessions of a package; statements come in log order."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.calls = CallRules(ground)
        self.opened = 0
        self.lost = 0
        self._streams = array("I")
        self._stages = Keys()
        self._claims = array("Q")
        self._costs = array("d")
        self._ends = array("I")

    def lose(self, records: int = NONE) -> None:
        """Note that records could not be read of which nobody knows the session."""
        self.lost += records

    def damage(self, stream: int, label: str | None, unreadable: bool) -> None:
        """Note that a record of a stream could not be read, or that some before it are missing."""
        at = self._stream(stream)
        state = self._streams[at]
        if label is not None:
            self.ground.labels.damage(self.ground.labels.number(label), NONE)
        elif state > _STREAM_UNKNOWN:
            self.ground.labels.damage(self.ground.runs.session[state - 1], 1)
        elif unreadable:
            self.lose(1)
        if state == _STREAM_NONE:
            self._streams[at] = _STREAM_UNKNOWN

    def _stream(self, stream: int) -> int:
        """Return the number of a stream; its state is the run that it is in, plus one."""
        missing = stream + 1 - len(self._streams)
        if missing > 0:
            self._streams.frombytes(bytes(self._streams.itemsize * missing))
        return stream

    def take(self, position: int, stream: int, fact: Fact) -> None:
        """Take a statement of the six types, or a witness; others are of no concern."""
        _, _, _, _, label, tag, parents, _, told, _ = fact
        if tag == TAG_WITNESS:
            if parents:
                witness = None if told is None else Witness(*told)
                self.calls.take_witness(position, witness, parents)
            return
        if label is None:
            self.ground.broken.append(position)
            return
        session = self.ground.labels.number(label)
        if tag == TAG_OPEN:
            self._open(position, stream, told, parents, session)
            return
        run = self._run(position, stream, session)
        if told is None:
            self._broken(position, tag, parents, session, run)
        elif tag == TAG_INTENT:
            self.calls.take_intent(position, Intent(*told), parents, session, run)
        elif tag == TAG_OUTCOME:
            self.calls.take_outcome(position, Outcome(*told), parents, session, run)
        elif tag == TAG_REUSE:
            self.calls.take_reuse(position, told, parents, session, run)
        elif tag == TAG_SAVEPOINT:
            self._savepoint(position, Savepoint(*told), session)
        elif tag == TAG_SESSION_CLOSE:
            self._close(position, Closing(*told), parents, session, run)

    def _run(self, position: int, stream: int, session: int) -> int:
        """Return the run that a statement belongs to (rules 1 and 3 of section 1)."""
        g = self.ground
        state = self._streams[self._stream(stream)]
        sure = not g.labels.damaged[session] and not self.lost
        if state <= _STREAM_UNKNOWN:
            if sure and state == _STREAM_NONE:
                text = "no session_open comes before it in its stream"
                g.emit("session_invalid", position, text)
            return UNKNOWN_RUN
        run = state - 1
        if g.runs.session[run] != session:
            return UNKNOWN_RUN  # the stream has a finding
        if g.runs.end[run] != GOING_ON:
            g.emit("session_invalid", position, "its run was closed before")
            return UNKNOWN_RUN
        if g.labels.newest[session] not in (run, UNKNOWN_RUN):
            text = "its run is not the newest of the session"
            newest = g.runs.value[g.labels.newest[session]]
            g.emit("session_invalid", position, text, newest, g.runs.value[run])
        return run

    def _broken(self, position: int, tag: int, parents: bytes, session: int, run: int) -> None:
        """Take a statement whose body is invalid."""
        g = self.ground
        g.broken.append(position)
        if tag == TAG_OUTCOME:
            self.calls.take_broken_outcome(position, parents, session)
        elif tag == TAG_SESSION_CLOSE and run != UNKNOWN_RUN:
            g.runs.end[run] = CLOSED
            g.labels.closed[session] = max(g.labels.closed[session], run)
        elif tag == TAG_INTENT:
            g.labels.damage(session, 0)
        g.runs.unsure[run] = 1

    def _open(self, position: int, stream: int, told: Any, parents: bytes, session: int) -> None:
        """Begin a run, held against the one before it."""
        g, labels = self.ground, self.ground.labels
        if told is None:
            g.broken.append(position)
            labels.damage(session, 0)
            labels.newest[session] = UNKNOWN_RUN
            self._streams[self._stream(stream)] = _STREAM_UNKNOWN
            return
        fact = Opening(*told)
        before, sure = labels.newest[session], not labels.damaged[session] and not self.lost
        if not labels.frozen[session]:
            self.opened += 1
        counted = fact.run == labels.next[session] or not labels.next[session]
        if sure and not counted:
            text = "not the number of the session's next run"
            g.emit("session_invalid", position, text, labels.next[session], fact.run)
        if fact.run > 1 and before != UNKNOWN_RUN:
            self._run_before(position, fact, parents, session, before)
        self._call_key(position, fact, session)
        run = g.runs.add(position, session, fact.run)
        labels.newest[session] = run
        # After a number that is wrong nobody knows which one is right: one finding is enough.
        labels.next[session] = fact.run + 1 if counted else 0
        g.runs.unsure[run] = not counted
        labels.frozen[session] = fact.frozen
        self._streams[self._stream(stream)] = run + 1

    def _run_before(
        self, position: int, fact: Opening, parents: bytes, session: int, before: int
    ) -> None:
        """Check what a run says of the run before: that it is its parent, its end, its files."""
        g = self.ground
        parent = g.parent(g.runs, parents[:32], position, session)
        if parent == WRONG or (parent >= 0 and parent != before):
            text = "the parent is not the session_open of the run before"
            g.emit("session_invalid", position, text)
        if g.labels.damaged[session] or self.lost:
            return
        end = g.runs.end[before]
        wanted = "killed" if end == GOING_ON else ENDS[end]
        if end != CLOSED and fact.previous != wanted:
            text = "the run before ended otherwise"
            g.emit("session_invalid", position, text, wanted, fact.previous)
        changed = _changes(g.labels.frozen[session], fact.frozen)
        if changed != fact.changed:
            differ = sorted({*changed} ^ {*fact.changed})
            names = ", ".join(
                f"{role} {name} {change}" for role, name, change in differ[:_NAMED_MAX]
            )
            more = f" and {len(differ) - _NAMED_MAX} more" if len(differ) > _NAMED_MAX else ""
            text = f"not what differs from the run before: {names}{more}"
            g.emit("change_unrecorded", position, text, len(changed), len(fact.changed))

    def _call_key(self, position: int, fact: Opening, session: int) -> None:
        labels = self.ground.labels
        if fact.key is None:
            return
        if labels.key_print[session] is None:
            labels.key_print[session] = fact.key[1]
            labels.key[session] = self.ground.contents.key(fact.key[0])
        elif labels.key_print[session] != fact.key[1]:
            text = "not the call_key of the session's first run"
            self.ground.emit("session_invalid", position, text)

    def _savepoint(self, position: int, fact: Savepoint, session: int) -> None:
        key = session.to_bytes(4, "big") + fact.stage.encode()
        if self._stages.find(key) >= 0:
            text = f"stage {fact.stage} was complete before"
            self.ground.emit("session_invalid", position, text)
        elif fact.complete:
            self._stages.number(key)

    def _close(self, position: int, fact: Closing, parents: bytes, session: int, run: int) -> None:
        """End a run; its numbers are compared when all statements were taken."""
        g = self.ground
        self._ends.append(position)
        if run == UNKNOWN_RUN:
            return
        parent = g.parent(g.runs, parents[:32], position, session)
        if parent == WRONG or (parent >= 0 and parent != run):
            text = "the parent is not the session_open of its run"
            g.emit("session_invalid", position, text)
        if fact.run != g.runs.value[run] and not g.runs.unsure[run]:
            text = "not the number of its run"
            g.emit("session_invalid", position, text, g.runs.value[run], fact.run)
        g.runs.end[run] = COMPLETE if fact.status == "complete" else INTERRUPTED
        g.labels.closed[session] = max(g.labels.closed[session], run)
        self._claims.extend((position, run, *fact[2:7]))
        self._costs.append(_NO_COST if fact.cost_usd is None else fact.cost_usd)

    def uncertain(self) -> bool:
        """Return whether something could not be judged for want of records."""
        return self.lost > 0 or any(self.ground.labels.damaged)

    def events(self) -> list[int]:
        """Return the positions of all session_open and session_close, in order."""
        opened = self.ground.runs.position[1:]
        return sorted([*opened, *self._ends])

    def finish(self) -> None:
        """Report what can only be seen when all statements were taken."""
        for n, cost in enumerate(self._costs):
            position, run, *said = self._claims[_CLAIM * n : _CLAIM * n + _CLAIM]
            self._totals(position, run, (*said, None if cost == _NO_COST else cost))
        self.calls.finish(self.lost)

    def _totals(self, position: int, run: int, said: tuple[float | None, ...]) -> None:
        g = self.ground
        if g.runs.unsure[run] or g.labels.damaged[g.runs.session[run]] or self.lost:
            return
        found: tuple[float | None, ...] = (
            *g.runs.counts[3 * run : 3 * run + 3],
            g.runs.reused[run],
            g.runs.unpriced[run],
            g.runs.cost[run] if g.runs.priced[run] else None,
        )
        if found != said:
            pairs = [one for one in zip(_COUNTED, found, said, strict=True) if one[1] != one[2]]
            expected, actual = (", ".join(str(one[k]) for one in pairs) for k in (1, 2))
            text = f"not what the records add up to: {', '.join(one[0] for one in pairs)}"
            g.emit("session_totals", position, text, expected, actual)


def _changes(before: bytes, after: bytes) -> tuple[tuple[str, str, str], ...]:
    """Return role, name and change of what differs between two runs, in order."""
    if before == after:
        return ()
    old, new = entries(before), entries(after)
    found = [(*key, "removed") for key in old.keys() - new.keys()]
    found += [(*key, "added") for key in new.keys() - old.keys()]
    found += [(*key, "altered") for key in old.keys() & new.keys() if old[key] != new[key]]
    return tuple(sorted(found))
