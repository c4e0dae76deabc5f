"""Points in time as a person types them.

| typed | `--since` means from | `--until` means before |
|---|---|---|
| `2026-11-20` | the start of that day | the end of that day |
| `2026-11-20T10:41`, `...:05`, `...:05.123` | that minute, second, fraction | its end |
| `90s`, `15m`, `2h`, `7d` | so long ago | so long ago |

Times are UTC; a blank may stand for the `T`, and a `Z` may follow.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ledger.cli.failures import bad_call

__all__ = ["since", "until"]

_AGO = re.compile(r"([0-9]{1,9})([smhd])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORMS = (
    (re.compile(r"\d{4}-\d\d-\d\d", re.ASCII), "%Y-%m-%d", timedelta(days=1)),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII), "%Y-%m-%dT%H:%M", timedelta(minutes=1)),
    (
        re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII),
        "%Y-%m-%dT%H:%M:%S",
        timedelta(seconds=1),
    ),
    (
        re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}", re.ASCII),
        "%Y-%m-%dT%H:%M:%S.%f",
        timedelta(microseconds=1),
    ),
)


def since(text: str | None) -> str | None:
    """Return the first *time* (specs/00) that counts; raises LedgerError `usage`."""
    return None if text is None else _write(_parse(text, "--since")[0])


def until(text: str | None) -> str | None:
    """Return the first *time* (specs/00) that no longer counts; raises LedgerError `usage`."""
    if text is None:
        return None
    start, span = _parse(text, "--until")
    try:
        return _write(start + span)
    except OverflowError:  # the last day of the year 9999 has no day after it
        return _write(datetime.max)


def _parse(text: str, option: str) -> tuple[datetime, timedelta]:
    ago = _AGO.fullmatch(text)
    if ago:
        age = timedelta(seconds=int(ago[1]) * _UNIT_SECONDS[ago[2]])
        now = datetime.now(UTC)
        return (now - age if age < now - _EPOCH else _EPOCH), timedelta(0)
    plain = text.removesuffix("Z").replace(" ", "T")
    for shape, form, span in _FORMS:
        if shape.fullmatch(plain):
            try:
                return datetime.strptime(plain, form).replace(tzinfo=UTC), span
            except ValueError:
                break
    bad_call(
        f"{option} {text!r} is not a time",
        hint="write 2026-11-20, 2026-11-20T10:41:00Z, or an age such as 15m, 2h, 7d",
    )


def _write(moment: datetime) -> str:
    return f"{moment:%Y}".zfill(4) + f"{moment:-%m-%dT%H:%M:%S.%f}Z"
