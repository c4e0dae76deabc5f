"""Runs, intents, outcomes and calls as columns of numbers (specs/10).

A call with one attempt takes about 115 bytes: an intent 34, an outcome 46, and its identity 25
and its place in a hash table. Rows are found again by the position of their record.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b

from .session_facts import PRINT_BYTES
from .table import Table

NONE = 2**32 - 1
UNKNOWN_RUN = 0
GOING_ON, COMPLETE, INTERRUPTED, KILLED, CLOSED = range(5)
ENDS = ("killed", "complete", "interrupted", "killed", "")
STATUS = {"answered": 1, "failed": 2, "unknown": 3}
BROKEN_STATUS = 4
STATUS_MASK = 7
TOLD = 8


class Keys:
    """Numbers what it is given, by 16 bytes of hash."""

    def __init__(self) -> None:
        self._rows = bytearray()
        self._table = Table(self._row)

    def __len__(self) -> int:
        return len(self._rows) // PRINT_BYTES

    def _row(self, number: int) -> bytes:
        return bytes(self._rows[number * PRINT_BYTES : (number + 1) * PRINT_BYTES])

    def find(self, what: bytes) -> int:
        """Return the number of what was given before, or -1."""
        return self._table.find(blake2b(what, digest_size=PRINT_BYTES).digest())

    def number(self, what: bytes) -> int:
        """Return the number of something; a new one is the highest."""
        key = blake2b(what, digest_size=PRINT_BYTES).digest()
        fresh = len(self)
        self._rows += key
        known = self._table.add(key, fresh)
        if known < 0:
            return fresh
        del self._rows[fresh * PRINT_BYTES :]
        return known


class Places:
    """The positions of the records of one kind, in log order."""

    def __init__(self) -> None:
        self.position = array("I")

    def __len__(self) -> int:
        return len(self.position)

    def at(self, position: int) -> int:
        """Return the number of the row whose record has this position, or -1."""
        found = bisect_left(self.position, position)
        return found if found < len(self) and self.position[found] == position else -1


class Runs(Places):
    """Runs by number; number 0 stands for a run that is not known, and is never judged."""

    def __init__(self) -> None:
        super().__init__()
        self.session = array("I")
        self.value = array("I")
        self.end = bytearray()
        self.unsure = bytearray()
        self.counts = array("Q")
        self.reused = array("Q")
        self.unpriced = array("q")
        self.cost = array("d")
        self.priced = bytearray()
        self.add(0, NONE, 0)

    def add(self, position: int, session: int, value: int) -> int:
        """Begin a run and return its number."""
        self.position.append(position)
        self.session.append(session)
        self.value.append(value)
        self.end.append(GOING_ON)
        self.unsure.append(0)
        self.counts.extend((0, 0, 0))
        self.reused.append(0)
        self.unpriced.append(0)
        self.cost.append(0.0)
        self.priced.append(0)
        return len(self) - 1


class Intents(Places):
    """Intents by number; the state is the status of the outcome, and whether TOLD of a double."""

    def __init__(self) -> None:
        super().__init__()
        self.session = array("I")
        self.run = array("I")
        self.call = array("I")
        self.state = bytearray()
        self.prints = bytearray()

    def add(self, position: int, session: int, run: int, call: int, request: bytes) -> int:
        """Add an intent and return its number."""
        self.position.append(position)
        self.session.append(session)
        self.run.append(run)
        self.call.append(call)
        self.state.append(0)
        self.prints += request or bytes(PRINT_BYTES)
        return len(self) - 1

    def request(self, number: int) -> bytes:
        """Return the print of the request, empty if there is none."""
        return _print(self.prints, number)


class Outcomes(Places):
    """Outcomes by number; the flags say whether a witness, and a priced one, has come."""

    WITNESSED, PRICED = 1, 2

    def __init__(self) -> None:
        super().__init__()
        self.session = array("I")
        self.intent = array("I")
        self.status = bytearray()
        self.flags = bytearray()
        self.prints = bytearray()
        self.ids = bytearray()

    def add(self, position: int, session: int, status: int, response: bytes, ident: bytes) -> int:
        """Add an outcome of an intent that is not yet known, and return its number."""
        self.position.append(position)
        self.session.append(session)
        self.intent.append(NONE)
        self.status.append(status)
        self.flags.append(0)
        self.prints += response or bytes(PRINT_BYTES)
        self.ids += ident or bytes(PRINT_BYTES)
        return len(self) - 1

    def response(self, number: int) -> bytes:
        """Return the print of the response, empty if there is none."""
        return _print(self.prints, number)

    def ident(self, number: int) -> bytes:
        """Return the print of the provider's id of the response, empty if there is none."""
        return _print(self.ids, number)


class Calls:
    """Calls by number: how often they were attempted, and how the last attempt came out."""

    def __init__(self) -> None:
        self._keys = Keys()
        self.attempts = array("I")
        self.last = array("I")
        self.answered = bytearray()

    def number(self, session: int, digest: bytes, replicate: int) -> int:
        """Return the number of a call of a session."""
        key = session.to_bytes(4, "big") + digest + replicate.to_bytes(4, "big")
        number = self._keys.number(key)
        if number == len(self.attempts):
            self.attempts.append(0)
            self.last.append(NONE)
            self.answered.append(0)
        return number


class Labels:
    """Sessions by number, with what the next statement is held against.

    `loose` counts records that may have been the outcome of an intent and cannot be told; a
    session that is `damaged` by such records is not judged by what seems to be missing in it.
    """

    def __init__(self) -> None:
        self._keys = Keys()
        self.newest = array("I")
        self.closed = array("I")
        self.next = array("I")
        self.loose = array("I")
        self.damaged = bytearray()
        self.frozen: list[bytes] = []
        self.key_print: list[bytes | None] = []
        self.key: list[bytes | None] = []

    def find(self, label: str) -> int:
        """Return the number of a session seen before, or -1."""
        return self._keys.find(label.encode())

    def number(self, label: str) -> int:
        """Return the number of a session."""
        number = self._keys.number(label.encode())
        if number == len(self.newest):
            self.newest.append(UNKNOWN_RUN)
            self.closed.append(UNKNOWN_RUN)
            self.next.append(1)
            self.loose.append(0)
            self.damaged.append(0)
            self.frozen.append(b"")
            self.key_print.append(None)
            self.key.append(None)
        return number

    def damage(self, number: int, records: int) -> None:
        """Note that so many records of a session could not be read."""
        self.damaged[number] = 1
        self.loosen(number, records)

    def loosen(self, number: int, records: int) -> None:
        """Note that so many records may have been the outcome of any intent."""
        self.loose[number] = min(self.loose[number] + records, NONE)


def _print(prints: bytearray, number: int) -> bytes:
    found = bytes(prints[number * PRINT_BYTES : (number + 1) * PRINT_BYTES])
    return found if any(found) else b""
