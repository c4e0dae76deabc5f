"""The views against the entries: nothing missing, nothing invented (specs/09 section 4)."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.doctor.problem import Problem
from ledger.errors import LedgerError
from ledger.store import Snapshot, View
from ledger.store.content import blob_view
from ledger.store.rows import from_u64
from ledger.views.index import INDEX, source_size, zone_bounds

__all__ = ["check_views"]

STEP = 1000


def check_views(snapshot: Snapshot) -> Iterator[Problem]:
    """Derive each view again, as far as it says it has read, and compare."""
    yield from _check(snapshot, INDEX, source_size(snapshot))
    yield from _zones(snapshot)
    yield from _check(snapshot, blob_view, snapshot.blob_count())


def _check(snapshot: Snapshot, view: View, source: int) -> Iterator[Problem]:
    try:
        size = view.size(snapshot)
    except LedgerError as error:
        yield Problem("view_mismatch", "views", view.name, f"how far it has read: {error}")
        return
    if size > source:
        yield Problem(
            "view_mismatch", "views", view.name, "has read too far", str(source), str(size)
        )
        size = source
    derived = 0
    for start in range(0, size, STEP):
        try:
            keys = view.derive(snapshot, start, min(start + STEP, size))
        except LedgerError:
            return  # a damaged entry, reported as such
        for key in set(keys):
            if key[:1] == b"d" and view is INDEX:
                continue
            derived += 1
            if not view.holds(snapshot, key):
                yield Problem("view_mismatch", "views", view.name, "a key is missing", key.hex())
    stored = sum(1 for key in view.keys(snapshot, b"") if key and not _is_zone(view, key))
    if stored != derived:
        yield Problem(
            "view_mismatch", "views", view.name, "number of keys", str(derived), str(stored)
        )


def _is_zone(view: View, key: bytes) -> bool:
    return view is INDEX and key[:1] == b"d"


def _zones(snapshot: Snapshot) -> Iterator[Problem]:
    """Zones of time lie end to end and hold the earliest and the latest time of their entries."""
    at = 0
    for key in INDEX.keys(snapshot, b"d"):
        if len(key) != 32:
            yield Problem("view_mismatch", "views", INDEX.name, f"a zone of {len(key)} bytes")
            return
        first, stop, earliest, latest = (from_u64(key[i : i + 8]) for i in (0, 8, 16, 24))
        if first != at or stop <= first:
            yield Problem("view_mismatch", "views", INDEX.name, "zones", str(at), str(first))
            return
        try:
            bounds = zone_bounds(snapshot, first, min(stop, first + STEP))
        except LedgerError:
            bounds = (earliest, latest)
        if bounds != (earliest, latest):
            yield Problem(
                "view_mismatch",
                "views",
                INDEX.name,
                f"times of entries {first} to {stop - 1}",
                str(bounds),
                str((earliest, latest)),
            )
        at = stop
    if at != INDEX.size(snapshot):
        yield Problem(
            "view_mismatch", "views", INDEX.name, "zones end", str(INDEX.size(snapshot)), str(at)
        )
