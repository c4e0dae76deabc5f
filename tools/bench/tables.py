"""The results as tables for people; each kind of row is known by its class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.bench.appending import Measured
    from tools.bench.auditing import Audited
    from tools.bench.calling import Called
    from tools.bench.crossing import Crossed
    from tools.bench.replaying import Hashed, Replayed
    from tools.bench.resuming import Resumed
    from tools.bench.tracing import Traced

    Row = Measured | Audited | Called | Resumed | Crossed | Traced | Replayed | Hashed


def print_tables(rows: Iterable[Row]) -> None:
    """Print a table for each kind of row that there is."""
    by_kind: dict[str, list[str]] = {}
    for row in rows:
        kind = type(row).__name__
        by_kind.setdefault(kind, [HEADS[kind]]).append(_LINES[kind](row))
    for lines in by_kind.values():
        print("", *lines, sep="\n")


HEADS = {
    "Measured": "append   log size  batch  contents  us/record  of signing  x commit  memory MB",
    "Audited": "verify    records   jobs  us/record  of libsodium  peak MB",
    "Called": "call                  calls  bare ms  captured ms  overhead ms  ratio  in commits",
    "Resumed": "resume      calls  open s  given again s  of the SDK s  first new call s",
    "Crossed": "operation   stages  operations  ms each  x commit  of signing",
    "Traced": "lineage         statements      found  seconds  x reading pass  peak MB",
    "Replayed": "replay        operations  bare ms  replayed ms  overhead ms  ratio  in commits",
    "Hashed": "weights         MB  bare BLAKE3 GB/s  hashed GB/s  of bare  unchanged ms",
}


def _measured(row: Measured) -> str:
    return (
        f"{row.at_size:>17,} {row.batch:>6} {'yes' if row.contents else 'no':>9} "
        f"{row.seconds * 1e6:>10.1f} {row.of_signing:>11.2f} {row.of_commit:>9.2f} "
        f"{row.memory_bytes / 1e6:>10.0f}"
    )


def _audited(row: Audited) -> str:
    return (
        f"{row.records:>17,} {row.jobs:>6} {row.seconds / row.records * 1e6:>10.1f} "
        f"{row.of_verifying:>13.2f} {row.peak_bytes / 1e6:>8.0f}"
    )


def _called(row: Called) -> str:
    return (
        f"{row.what:<20} {row.calls:>6,} {row.bare_ms:>8.2f} {row.captured_ms:>12.2f} "
        f"{row.overhead_ms:>12.2f} {row.ratio:>6.2f} {row.overhead_commits:>11.2f}"
    )


def _resumed(row: Resumed) -> str:
    return (
        f"{row.calls:>17,} {row.opening:>7.2f} {row.replaying:>14.2f} {row.sdk:>13.2f} "
        f"{row.first_new:>17.2f}"
    )


def _traced(row: Traced) -> str:
    return (
        f"{row.what:<12} {row.statements:>13,} {row.found:>10,} {row.seconds:>8.2f} "
        f"{row.of_reading:>15.2f} {row.peak_bytes / 1e6:>8.0f}"
    )


def _crossed(row: Crossed) -> str:
    return (
        f"{row.stages:>18,} {row.operations:>11,} {row.operation_ms:>8.2f} "
        f"{row.commits:>9.2f} {row.of_signing:>11.2f}"
    )


def _replayed(row: Replayed) -> str:
    return (
        f"{row.what:<12} {row.operations:>11,} {row.bare_ms:>8.2f} {row.replayed_ms:>12.2f} "
        f"{row.overhead_ms:>12.2f} {row.ratio:>6.2f} {row.overhead_commits:>11.2f}"
    )


def _hashed(row: Hashed) -> str:
    return (
        f"{row.size_bytes / 1e6:>17,.0f} {row.bare_bytes_s / 1e9:>17.2f} "
        f"{row.hashed_bytes_s / 1e9:>12.2f} {row.of_bare:>8.2f} {row.again_ms:>13.3f}"
    )


_LINES: dict[str, Callable[[Any], str]] = {
    "Measured": _measured,
    "Audited": _audited,
    "Called": _called,
    "Resumed": _resumed,
    "Crossed": _crossed,
    "Traced": _traced,
    "Replayed": _replayed,
    "Hashed": _hashed,
}
