"""Points in time as they are typed."""

from __future__ import annotations

import pytest

from ledger.cli import times
from ledger.errors import LedgerError
from ledger.formats.values import is_time


@pytest.mark.parametrize(
    ("typed", "first", "end"),
    [
        ("2026-11-20", "2026-11-20T00:00:00.000000Z", "2026-11-21T00:00:00.000000Z"),
        ("2026-11-20T10:41", "2026-11-20T10:41:00.000000Z", "2026-11-20T10:42:00.000000Z"),
        ("2026-11-20 10:41:05Z", "2026-11-20T10:41:05.000000Z", "2026-11-20T10:41:06.000000Z"),
        ("2026-12-31T23:59:59.5", "2026-12-31T23:59:59.500000Z", "2026-12-31T23:59:59.500001Z"),
        ("9999-12-31", "9999-12-31T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000000Z", "0001-01-02T00:00:00.000000Z"),
    ],
)
def test_until_includes_what_was_named(typed: str, first: str, end: str) -> None:
    """`--since` begins where a day or minute begins; `--until` ends where it ends."""
    assert (times.since(typed), times.until(typed)) == (first, end)


@pytest.mark.parametrize("typed", ["15m", "2h", "7d", "0s", "999999999d"])
def test_ages_are_times(typed: str) -> None:
    """An age is a time before now, however large."""
    moment = times.since(typed)
    assert is_time(moment)


@pytest.mark.parametrize("typed", ["", "now", "2026-13-01", "2026-11-20T25:00", "2h2", "٢h", "-1h"])
def test_anything_else_is_explained(typed: str) -> None:
    """What is no time is refused with the option's name and the forms that are understood."""
    with pytest.raises(LedgerError) as refused:
        times.until(typed)
    assert refused.value.code == "usage"
    assert "--until" in refused.value.message
    assert "2h" in (refused.value.hint or "")
