"""What the rules of operations remember of each statement, in little (specs/12).

Names, references and labels are numbers here, so that a stage takes about 200 bytes however long
its texts are, and comparing is comparing numbers. Number 0 stands for what is absent.
"""

from __future__ import annotations

import marshal
from array import array
from typing import Any, NamedTuple

from .session_facts import ref_print
from .session_tables import Keys, Places

_CACHE_MAX = 16_384
_NO_NAME = 0


class Names:
    """Numbers texts and references; equal ones have equal numbers."""

    def __init__(self) -> None:
        self._keys = Keys()
        self._cache: dict[str, int] = {}

    def of(self, text: str | None) -> int:
        """Return the number of a text."""
        if text is None:
            return _NO_NAME
        number = self._cache.get(text)
        if number is None:
            if len(self._cache) >= _CACHE_MAX:
                self._cache.clear()
            number = self._cache[text] = 1 + self._keys.number(b"t" + text.encode())
        return number

    def ref(self, ref: dict[str, Any] | None) -> int:
        """Return the number of a whole reference."""
        return _NO_NAME if ref is None else 1 + self._keys.number(b"r" + ref_print(ref))

    def raw(self, what: bytes) -> int:
        """Return the number of bytes of some other kind."""
        return 1 + self._keys.number(b"b" + what)


class Witness(NamedTuple):
    """A witness; `models` are model_id, requested_model, actual_model and system_fingerprint.

    `handle` is the prompt on the shelf, -1 if it is not there. Unless `call`, it ran a tool.
    """

    tag: int
    kid: int
    call: bool
    models: tuple[int, int, int, int]
    prompt: int
    handle: int
    cost: float | None
    tokens: int | None


class Stage(NamedTuple):
    """An insight, transfer or execution.

    Of a transfer `model` and `version` are those of its target, `target` is the target's context,
    and `handed` and `handle` are what was handed over. `contexts` are all if `sure`; `lacking`: a
    parent in the same ledger that it was made with is not at hand. `outside` are places of parents
    in other ledgers, and of a stage in another ledger those of all its parents.
    """

    tag: int
    kid: int
    session: int
    operation: int
    label: int
    stream: int
    model: int
    version: int
    target: int
    output: int
    handed: int
    handle: int
    confidence: float | None
    quality: float | None
    completeness: float | None
    passed: int
    failed: int
    operations: int
    priced: int
    cost: float | None
    tokens: int | None
    started: int
    ended: int
    sure: bool
    lacking: bool
    contexts: tuple[int, ...]
    atoms: tuple[int, ...] | None
    outside: tuple[int, ...]


class Chain(NamedTuple):
    """A provenance: where its parents are, and the type that it says each one has."""

    tag: int
    kid: int
    session: int
    operation: int
    parents: tuple[int, ...]
    tags: tuple[int, ...]


class Whole(NamedTuple):
    """A cross_model: what it counts for an operation that it is a part of."""

    tag: int
    kid: int
    session: int
    operation: int
    operations: int
    priced: int
    cost: float | None
    tokens: int | None


class Kept(Places):
    """Rows of one package by position, each as bytes in one heap."""

    def __init__(self) -> None:
        super().__init__()
        self._starts = array("Q")
        self._heap = bytearray()

    def add(self, position: int, row: tuple[Any, ...]) -> None:
        """Keep the row of a record; positions ascend."""
        self.position.append(position)
        self._starts.append(len(self._heap))
        self._heap += marshal.dumps(tuple(row))

    def find(self, position: int) -> tuple[Any, ...] | None:
        """Return the row of the record at a position, or None if it has none."""
        at = self.at(position)
        if at < 0:
            return None
        end = self._starts[at + 1] if at + 1 < len(self) else len(self._heap)
        found: tuple[Any, ...] = marshal.loads(bytes(self._heap[self._starts[at] : end]))
        return found


class Operations:
    """Operations by number, each with its stages in a chain of rows from the last one back."""

    def __init__(self) -> None:
        self._keys = Keys()
        self._places = Keys()
        self.first = array("I")
        self.combined = bytearray()
        self.unjudged = bytearray()
        self._last = array("I")
        self._before = array("I")
        self._position = array("I")

    def __len__(self) -> int:
        return len(self.first)

    def number(self, session: int, named: dict[str, Any], position: int) -> int:
        """Return the number of the operation of a statement at a position."""
        key = f"{session} {named['number']} {named['name']}".encode()
        number = self._keys.number(key)
        if number == len(self.first):
            self.first.append(position)
            self.combined.append(0)
            self.unjudged.append(0)
            self._last.append(0)
        return number

    def claim(self, operation: int, tag: int, label: int) -> bool:
        """Take a place in an operation; return whether it was free."""
        fresh = len(self._places)
        return self._places.number(f"{operation} {tag} {label}".encode()) == fresh

    def add_stage(self, operation: int, position: int) -> None:
        """Add a stage to its operation."""
        self._position.append(position)
        self._before.append(self._last[operation])
        self._last[operation] = len(self._position)

    def stages(self, operation: int) -> list[int]:
        """Return the positions of all stages so far, in order."""
        found = []
        at = self._last[operation]
        while at:
            found.append(self._position[at - 1])
            at = self._before[at - 1]
        return found[::-1]

    def count(self) -> int:
        """Return the number of stages of all operations."""
        return len(self._position)
