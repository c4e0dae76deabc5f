"""Replaying witnesses and recording what came of it: the way in (specs/13 section 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypedDict, Unpack

from ledger.drafts import Archived, Draft, Receipt
from ledger.formats.values import format_time
from ledger.founding import now_us
from ledger.log import Ledger
from ledger.model.archive import Media
from ledger.model.archive import archive as refer
from ledger.model.replay import RUNS_MAX, Level, ReplayRun
from ledger.reader import Entry
from ledger.replay.engine import Engine, Resources
from ledger.replay.running import Options, Ran, Runner
from ledger.replay.source import LedgerSource, Source

__all__ = ["Replay", "ReplayOptions", "areplay", "replay", "runner"]


@dataclass(frozen=True, slots=True)
class Replay:
    """One run of one operation; `receipt` is None when it was not recorded."""

    witness: Entry
    body: ReplayRun
    receipt: Receipt | None
    expected: Media | None
    """The output that was recorded, where it is known."""
    output: Media | None
    """The output of this run."""
    failure: BaseException | None = None
    """What was raised in the engine; it is not recorded, since its text may hold anything."""


class ReplayOptions(TypedDict, total=False):
    """How to replay."""

    source: Source | None
    """Where the witnesses are; by default the ledger that the runs are recorded in."""
    resources: Resources
    engine: str | Engine | None
    """In place of the engine that each witness says."""
    wanted: Level
    """The level that makes a success; default `text`."""
    runs: int
    """How often each is run; default 1."""
    epsilon: float
    """How far log-probabilities may be apart, in nats; default 1e-5."""
    record: bool
    """Whether to append `replay` statements; default yes."""
    progress: Callable[[int, int], None] | None
    """Told before each run how many were done of how many; 0 when that is not known."""


def replay(
    log: Ledger,
    names: Iterable[str | int] = (),
    *,
    session: str | None = None,
    **options: Unpack[ReplayOptions],
) -> Iterator[Replay]:
    """Run operations again and record each run: those named, or of a session, or all.

    `names` are ids or indices of witnesses. What goes wrong with one of them is said in its result,
    and the others go on. Raises `LogError("not_found")` for a name, and what `append` raises.
    """
    runs = options.get("runs", 1)
    if type(runs) is not int or not 1 <= runs <= RUNS_MAX:
        raise ValueError(f"runs is 1 to {RUNS_MAX}")
    source = options.get("source") or LedgerSource(log)
    found = [source.witness(str(name)) for name in names]
    entries: Iterable[Entry] = found or source.witnesses(session)
    return _run(log, source, entries, runs, len(found) * runs, options)


async def areplay(
    log: Ledger,
    names: Iterable[str | int] = (),
    *,
    session: str | None = None,
    **options: Unpack[ReplayOptions],
) -> AsyncIterator[Replay]:
    """As `replay`, each run in a thread."""
    each = await asyncio.to_thread(replay, log, names, session=session, **options)
    while (ran := await asyncio.to_thread(next, each, None)) is not None:
        yield ran


def runner(log: Ledger, source: Source, options: ReplayOptions) -> Runner:
    """What runs operations of a source again for a ledger."""
    record = options.get("record", True)

    def archive(content: Media) -> Archived:
        return log.archive(content.data, content.media_type) if record else refer(content)

    return Runner(
        source,
        options.get("resources") or Resources(),
        Options(
            options.get("wanted", "text"),
            options.get("epsilon", 1e-5),
            options.get("engine"),
        ),
        archive,
        log.now if record else lambda: format_time(now_us()),
        log.genesis,
    )


def _run(
    log: Ledger,
    source: Source,
    entries: Iterable[Entry],
    runs: int,
    total: int,
    options: ReplayOptions,
) -> Iterator[Replay]:
    record, progress = options.get("record", True), options.get("progress")
    if record:
        log.check_signers()
    done = 0
    with runner(log, source, options) as running:
        for entry in entries:
            for number in range(1, runs + 1):
                if progress is not None:
                    progress(done, total)
                ran = running.run(entry, number, runs)
                receipt = append(log, ran) if record else None
                yield Replay(entry, ran.body, receipt, ran.expected, ran.output, ran.failure)
                done += 1
    if progress is not None:
        progress(done, done)


def append(log: Ledger, ran: Ran) -> Receipt:
    """Record a run."""
    draft: Draft = ran.draft
    return log.append_many([draft])[0]
