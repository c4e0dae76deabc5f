"""The audit's sessions: what they are told of each record, and what they report (specs/08, 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import cbor, cose
from .call_contents import CallContents
from .chain import FOLLOWED, TAG_OPEN, UNREADABLE, Fact
from .errors import CODES
from .judging import NO_ID
from .session_ground import Ground
from .sessions import Sessions

if TYPE_CHECKING:
    from .audit import Audit

_URL_SHOWN = 200


class Following:
    """Follows the sessions of a whole ledger or a session; in other parts it only counts."""

    def __init__(self, a: Audit, salted: bool | None) -> None:
        self._a = a
        self._unchecked = 0
        part, selection = a.log.part, a.selection
        self.checked = not part or (selection.signed and selection.kind == "session")
        self._only = selection.session if part else None
        self._contents = CallContents(a.package, a.contents, salted)
        ground = self._ground = Ground(
            a.emit, a.lineage.position, self._readable, self._words, self._contents, not part
        )
        self._sessions = Sessions(ground)
        if not part and not a.log.whole:
            self._sessions.lose()

    def lose(self, records: int) -> None:
        """Note that so many records, or a file of them, could not be read."""
        self._sessions.lose(records)

    def take(self, position: int, fact: Fact, broken: bool) -> None:
        """Take a record; `broken` says that records of its stream are missing before it."""
        stream, _, seq, _, label, tag = fact[:6]
        if not self.checked:
            self._unchecked += tag in FOLLOWED and tag >= TAG_OPEN
            return
        if self._only is not None and label != self._only and label is not None:
            return
        if broken or seq == UNREADABLE:
            number = self._a.chains.number(stream)
            self._sessions.damage(number, label, seq == UNREADABLE)
        if tag in FOLLOWED:
            self._sessions.take(position, self._a.chains.number(stream), fact)

    def opened(self) -> int:
        """Return the number of sessions that have a session_open."""
        return self._sessions.opened

    def uncertain(self) -> bool:
        """Return whether what sessions say may be incomplete, for want of records."""
        return self._sessions.uncertain() or bool(self._ground.broken)

    def index_of(self, kind: str, leaf: bytes) -> int | None:
        """Return the index of an intent or outcome of the sessions by its leaf hash, or None."""
        places = self._ground.intents if kind == "intent" else self._ground.outcomes
        position = self._a.lineage.position(leaf)
        found = position >= 0 and places.at(position) >= 0
        return self._a.log.index_of(position) if found else None

    def events(self) -> list[int]:
        """Return the positions of all beginnings and ends of runs, in order."""
        return self._sessions.events()

    def _readable(self, position: int) -> bool:
        return self._a.ids.get(position) != NO_ID

    def _words(self, position: int, code: str) -> str:
        """Return which call an intent is of, while such a finding is still kept."""
        if not self._a.report.has_room(CODES[code][0]):
            return ""
        found = self._a.statement(position)
        if found is None:
            return ""
        p = cbor.decode(cose.parse(found[1])[1])
        body = p["body"]
        url = body["url"]
        shown = url if len(url) <= _URL_SHOWN else url[:_URL_SHOWN] + "..."
        model = f", model {body['model']}" if "model" in body else ""
        call = body["call"]
        return (
            f"{body['method']} {shown}{model}, at {p['created_at']}, intent at index {found[0]}, "
            f"call {call['digest'].hex()[:16]} replicate {call['replicate']} "
            f"attempt {body['attempt']}"
        )

    def finish(self) -> None:
        """Report what the whole says of sessions, and count."""
        report = self._a.report
        if not self.checked:
            if self._unchecked:
                why = "a range" if self._a.selection.signed else "an unsigned part"
                text = f"sessions and calls over several statements: the package is {why}"
                report.not_checked.append(text)
            return
        self._sessions.finish()
        report.counts["sessions"] = self._sessions.opened
        report.counts.update(self._sessions.calls.counts)
        report.not_checked += self._contents.sentences()
        if self._sessions.opened and self._sessions.uncertain():
            text = "totals and missing outcomes of sessions with records that could not be read"
            report.not_checked.append(text)
