"""How deterministic operations are: run them, or look at the runs that are recorded (specs/13).

report = determinism(log, session="pilot", runs=5, resources=Resources(endpoint=URL))
print(report.agreement("text"), report.nondeterministic)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Unpack

from ledger.errors import ContentError, LogError
from ledger.formats.content import ContentRef
from ledger.log import Ledger
from ledger.model.base import to_body
from ledger.reader import Reader
from ledger.replay.replaying import Replay, ReplayOptions, replay
from ledger.replay.report.inputs import Contents, Run, of_witness
from ledger.replay.report.recorded import contents_of, recorded_runs
from ledger.replay.report.whole import Report, gather
from ledger.replay.source import LedgerSource, Source

__all__ = ["RUNS", "adeterminism", "determinism", "recorded_determinism"]

RUNS: Final = 3
_HELD_MAX_BYTES: Final = 16 << 20


def determinism(
    log: Ledger,
    names: Iterable[str | int] = (),
    *,
    session: str | None = None,
    **options: Unpack[ReplayOptions],
) -> Report:
    """Run operations `RUNS` times again, or `runs` times, and report how far the same came out.

    Arguments and errors are those of `replay`, and so is what is recorded.
    """
    options.setdefault("runs", RUNS)
    made = replay(log, names, session=session, **options)
    source = options.get("source")
    held = _Held(log, source)
    elsewhere = None if source is None or source.genesis == log.genesis else source.genesis
    return gather(_runs(made, held, elsewhere), Contents(held.read))


async def adeterminism(
    log: Ledger,
    names: Iterable[str | int] = (),
    *,
    session: str | None = None,
    **options: Unpack[ReplayOptions],
) -> Report:
    """As `determinism`, in a thread."""
    return await asyncio.to_thread(determinism, log, names, session=session, **options)


def recorded_determinism(
    log: Reader,
    names: Iterable[str | int] = (),
    *,
    session: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Report on the replays that a ledger has recorded, of some witnesses or of all; runs nothing.

    `names` are ids or indices of witnesses; the id of one in another ledger is taken as it is.
    Raises `LogError("not_found")`.
    """
    source = LedgerSource(log)
    chosen = {_id(source, str(name)) for name in names}
    runs = recorded_runs(log, chosen or None, session=session)
    return gather(runs, contents_of(log), progress)


def _id(source: LedgerSource, name: str) -> str:
    try:
        return source.witness(name).id
    except LogError:
        if any(run.subject.id == name for run in recorded_runs(source.log, {name})):
            return name
        raise


class _Held:
    """Contents of where witnesses are and of where runs are recorded, and a few that are nowhere.

    Without recording, outputs that differ are held in memory, up to a bound.
    """

    def __init__(self, log: Reader, source: Source | None) -> None:
        self._log = log
        self._source = source
        self._held: dict[bytes, bytes] = {}
        self._room = _HELD_MAX_BYTES

    def hold(self, ran: Replay) -> None:
        """Keep the output of a run that is not recorded, if it is another one."""
        replayed = ran.body.replayed
        if ran.receipt is not None or ran.output is None or replayed is None:
            return
        if replayed.output is not None and ran.body.levels.text == "differs":
            self._room -= len(ran.output.data)
            if self._room >= 0:
                self._held[replayed.output.blake3] = ran.output.data

    def read(self, ref: ContentRef) -> bytes | None:
        """A content without salt, None where it is not at hand."""
        if ref.blake3 in self._held:
            return self._held[ref.blake3]
        for place in (self._source, self._log):
            if place is not None:
                try:
                    return place.content(ref)
                except ContentError:
                    continue
        return None


def _runs(made: Iterable[Replay], held: _Held, elsewhere: bytes | None) -> Iterator[Run]:
    for place, ran in enumerate(made):
        held.hold(ran)
        witness = ran.witness
        yield Run(
            of_witness(witness.index, witness.leaf_hash, witness.payload, elsewhere),
            to_body(ran.body),
            place=place,
        )
