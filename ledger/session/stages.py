"""Savepoints: where a workflow stands, and what its finished stages gave (specs/10 section 6).

    with session.stage("extraction", type=list[Analysis]) as stage:
        if stage.needed:
            stage.result = analyse(...)
    use(stage.result)

A stage that was completed in an earlier run is not needed again; its result comes from the log.
Leaving the block by an exception leaves the stage open. Calls made inside carry its label, and a
stage inside another is `outer/inner`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from ledger.drafts import Draft, ParentLike, Receipt
from ledger.errors import SessionError
from ledger.formats.values import is_label
from ledger.model.session import Savepoint
from ledger.session.journal import Journal
from ledger.session.lineage import At, fold, here
from ledger.session.replay import SavedStage
from ledger.session.states import decode, encode

__all__ = ["Stage", "Stages"]

_JSON = "application/json"


class Stages:
    """The savepoints of a session; safe for threads."""

    def __init__(
        self, journal: Journal, saved: dict[str, SavedStage], keep_numbers: Callable[[str], None]
    ) -> None:
        self._journal = journal
        self._saved = saved
        self.keep_numbers = keep_numbers
        self._lock = threading.Lock()

    def save(
        self,
        stage: str,
        state: object,
        type_: Any = None,
        *,
        complete: bool,
        parents: Sequence[ParentLike] = (),
    ) -> Receipt | None:
        """Append a savepoint; None when the stage is complete with this very result already.

        Raises `SessionError`: `savepoint_invalid`, `stage_complete`.
        """
        if not is_label(stage):
            raise SessionError(
                "savepoint_invalid", f"{stage[:140]!a} is no name of a stage: a label of specs/00"
            )
        written = encode(stage, state, type_)
        with self._journal.working(), self._lock:
            before = self._saved.get(stage)
            if before is not None and before.complete:
                if complete and written in self._forms(stage, before, type_):
                    return None
                raise SessionError(
                    "stage_complete",
                    f"stage {stage} is complete, with another result",
                    hint="choose another name for the stage",
                )
            log = self._journal.log
            archived = log.archive(written, _JSON)
            notes, named = fold(parents)
            body = Savepoint(stage=stage, complete=complete, state=archived.ref)
            receipt = self._journal.append(
                [*notes, Draft("savepoint", body, tuple(named), (archived,))]
            )[-1]
            self._saved[stage] = SavedStage(receipt.index, complete)
            return receipt

    def is_complete(self, stage: str) -> bool:
        """Whether the stage has a result."""
        found = self._saved.get(stage)
        return found is not None and found.complete

    def load(self, stage: str, type_: Any = None) -> Any:
        """The state of a stage as saved last, None without one; raises `ContentError`."""
        found = self._saved.get(stage)
        return None if found is None else decode(stage, self._content(found), type_)

    def _forms(self, stage: str, saved: SavedStage, type_: Any) -> list[bytes]:
        """A recorded result as it was written, and as its type, which may have grown, writes it."""
        content = self._content(saved)
        try:
            return [content, encode(stage, decode(stage, content, type_), type_)]
        except SessionError:
            return [content]

    def _content(self, saved: SavedStage) -> bytes:
        log = self._journal.log
        return log.content(log.get(saved.index).payload.body["state"])


class Stage:
    """A stage as a context manager, also `async with`."""

    def __init__(self, session: object, stages: Stages, name: str, type_: Any) -> None:
        self._session = session
        self._stages = stages
        self._type = type_
        self._inside: AbstractContextManager[None] | None = None
        self.name = name
        """With the names of the stages around it."""
        self.needed = True
        """Whether its work has still to be done."""
        self.result: Any = None
        """What it gave: from the log when it is not needed, otherwise to be set in the block."""

    def saved(self, type: Any = None) -> Any:
        """The last savepoint of the stage, None without one."""
        return self._stages.load(self.name, type)

    def savepoint(self, state: object, type: Any = None) -> None:
        """Save how far the stage is; the type is that of the state, and not of the result."""
        self._stages.save(self.name, state, type, complete=False)

    def __enter__(self) -> Self:
        """Look whether it is needed."""
        place = here(self._session)
        if place.stage is not None:
            self.name = f"{place.stage}/{self.name}"
        if not is_label(self.name):
            raise SessionError(
                "savepoint_invalid",
                f"{self.name[:140]!a} is no name of a stage: a label of specs/00",
            )
        self.needed = not self._stages.is_complete(self.name)
        if not self.needed:
            self.result = self.saved(self._type)
        self._inside = At(replace(place, stage=self.name))
        self._inside.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Complete the stage with its result, unless an exception leaves it."""
        self._leave()
        if kind is None:
            self._stages.save(self.name, self.result, self._type, complete=True)

    async def __aenter__(self) -> Self:
        """As `__enter__`."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """As `__exit__`; the savepoint is written in a thread."""
        self._leave()
        if kind is None:
            await asyncio.to_thread(
                self._stages.save, self.name, self.result, self._type, complete=True
            )

    def _leave(self) -> None:
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.__exit__(None, None, None)
        if not self.needed:
            # Now, and not before: a block that runs all the same is answered from the archive.
            self._stages.keep_numbers(self.name)
