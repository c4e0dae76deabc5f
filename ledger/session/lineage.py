"""What an operation was made of: the place in the program where it happens, by context variables.

`Here` says, for one session, in which stage and step the program is, which replicate was chosen,
which statements everything made here builds on, and what else is said about it. It is immutable
and travels with the context: tasks of asyncio inherit it, threads do when their function was bound
(`ledger.session.threads`).

A `Frame` collects the witnesses of the operations made directly inside one step. Those of a step
inside it are that step's own; the outer one gets the witness of the inner.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from typing import TypedDict

from ledger.drafts import Draft, ParentLike
from ledger.formats.payload import PARENTS_MAX, Parent
from ledger.model.derive import Criticality
from ledger.model.fields import Given
from ledger.model.statements import Annotation

__all__ = ["About", "AboutFields", "At", "Frame", "Here", "fold", "here", "unique"]


class Frame:
    """The operations made inside one step so far; safe for threads."""

    def __init__(self, outer: Frame | None) -> None:
        self._outer = outer
        self._lock = threading.Lock()
        self._made: dict[Parent, None] = {}
        self._over = False

    def add(self, witness: Parent) -> None:
        """Take in an operation; a task that outlives its step adds to the step around it."""
        with self._lock:
            if not self._over:
                self._made[witness] = None
                return
        if self._outer is not None:
            self._outer.add(witness)

    def end(self) -> list[Parent]:
        """Return the operations; later ones belong to the step around this one."""
        with self._lock:
            self._over = True
            return list(self._made)


class AboutFields(TypedDict, total=False):
    """What can be said about all operations of a block (specs/03 §1.2 and §1.7)."""

    prompt_template: Given | None
    context_snapshot_id: str | None
    context_atom_ids: Sequence[str] | None
    retrieved_atom_ids: Sequence[str] | None
    prompt_variables: Given | None
    context_snapshot: Given | None
    task_criticality: Criticality
    domain: str | None


class About:
    """The operations of a block of `Session.about`, at any depth; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[Parent, None] = {}

    @property
    def witnesses(self) -> list[Parent]:
        """Their witnesses so far, in order: recorded now, or given again."""
        with self._lock:
            return list(self._made)

    def add(self, witness: Parent) -> None:
        """Take in an operation."""
        with self._lock:
            self._made[witness] = None


@dataclass(frozen=True, slots=True)
class Here:
    """Where in the program a session's operation happens."""

    session: object
    stage: str | None = None
    replicate: int | None = None
    based_on: tuple[Parent, ...] = ()
    details: AboutFields = field(default_factory=AboutFields)
    abouts: tuple[About, ...] = ()
    frame: Frame | None = None
    collector: About | None = None
    """What the innermost stage of a cross-model operation is made of, at any depth."""
    other: Here | None = None
    """The place in another session that is open around this one."""

    def witnessed(self, witness: Parent) -> None:
        """Let the step, the stage and the blocks around an operation know of it."""
        if self.frame is not None:
            self.frame.add(witness)
        if self.collector is not None:
            self.collector.add(witness)
        for about in self.abouts:
            about.add(witness)


_here: ContextVar[Here | None] = ContextVar("ledger_session", default=None)


def here(session: object) -> Here:
    """The place of a session in this context."""
    found = _here.get()
    while found is not None and found.session is not session:
        found = found.other
    return found if found is not None else Here(session)


class At:
    """Be at a place for the length of a block.

    No generator: one that is given up without its end (by a program that is stopped in the middle)
    would put the place back whenever it is collected, in the middle of whatever runs then.
    """

    def __init__(self, place: Here) -> None:
        self._place = place
        self._token: Token[Here | None] | None = None

    def __enter__(self) -> None:
        """Go there."""
        around = _here.get()
        if around is not None and around.session is self._place.session:
            around = around.other
        self._token = _here.set(replace(self._place, other=around))

    def __exit__(self, *_: object) -> None:
        """Come back."""
        token, self._token = self._token, None
        if token is not None:
            _here.reset(token)


def unique(parents: Sequence[ParentLike]) -> list[ParentLike]:
    """Parents without repetition, in order: a statement names each of them once."""
    found: dict[str | int, ParentLike] = {}
    for parent in parents:
        if isinstance(parent, Draft):
            found.setdefault(id(parent), parent)
        else:
            found.setdefault(parent if isinstance(parent, str) else parent.id, parent)
    return list(found.values())


def fold(
    parents: Sequence[ParentLike], room: int = PARENTS_MAX
) -> tuple[list[Draft], list[ParentLike]]:
    """Bring any number of parents into the room of one statement.

    Too many are gathered, 256 at a time, by annotations that stand for them; returns these, to be
    appended first, and what is to be named instead.
    """
    made: list[Draft] = []
    left = unique(parents)
    while len(left) > room:
        note = Draft("annotation", Annotation(kind="note", name="lineage"), left[:PARENTS_MAX])
        made.append(note)
        left = [*left[PARENTS_MAX:], note]
    return made, left
