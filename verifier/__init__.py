"""Verifier of vif-ledger packages, written from the specification alone.

>>> report = verify_package("runs-2026-11-20", trust="lab.trust.json")  # doctest: +SKIP
>>> report.verdict, report.exit_code  # doctest: +SKIP
('limited', 3)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from .endpoint import (
    REPLAY_LEVEL,
    REPLAY_TIMEOUT_MAX_S,
    REPLAY_TIMEOUT_S,
    Asking,
    addresses_of,
    parse_endpoint,
)
from .errors import AXES, CODES, Fatal, Refused, VifError
from .layout import BESIDE_MAX
from .levels import LEVELS
from .report import Report
from .trust import KnownHead, Trust, load_known_head, load_trust

__version__ = "0.1.0"
__all__ = [
    "AXES",
    "BESIDE_MAX",
    "CODES",
    "Fatal",
    "KnownHead",
    "Refused",
    "Report",
    "Trust",
    "VifError",
    "__version__",
    "load_known_head",
    "load_trust",
    "verify_package",
]
JOBS_MAX = 64


def verify_package(
    path: str | os.PathLike[str],
    *,
    trust: Trust | str | Iterable[Trust | str] | None = None,
    known_head: KnownHead | str | Iterable[KnownHead | str] | None = None,
    beside: Iterable[str | os.PathLike[str]] = (),
    lineage: str | int | None = None,
    require: Iterable[str] = (),
    now: datetime | None = None,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    replay_endpoint: str | None = None,
    allow_remote: bool = False,
    replay_level: str = REPLAY_LEVEL,
    replay_timeout: float = REPLAY_TIMEOUT_S,
) -> Report:
    """Verify a package, a folder or a zip, and return the report; nothing in it can raise.

    `trust` is 64 hex digits, the path of a trust file, or a Trust; `known_head` is SIZE:ROOT, the
    path of a checkpoint, or a KnownHead; both may be several. `beside` are packages of other
    ledgers, in which parents are looked up. `lineage` is the id, index or leaf hash (hex) of a
    statement of which everything it rests on is listed. `require` names axes that must be
    verified. `now` is the time of the report. `jobs` is the number of processes, by default one
    for logs below 20,000 statements. A wrong call is TypeError or ValueError.

    With `replay_endpoint`, the URL of a server, requests of the package are sent again, and what
    comes back is compared; `replay_level` is the level wanted, `replay_timeout` the seconds for
    each. The server has to be on this machine unless `allow_remote`.
    """
    required, others = tuple(require), [os.fsdecode(one) for one in beside]
    for axis in required:
        if axis not in AXES:
            raise ValueError(f"no such axis: {axis}")
    if jobs is not None and (type(jobs) is not int or not 1 <= jobs <= JOBS_MAX):
        raise ValueError(f"jobs is not an integer from 1 to {JOBS_MAX}")
    if len(others) > BESIDE_MAX:
        raise ValueError(f"more than {BESIDE_MAX} packages beside")
    if replay_level not in LEVELS:
        raise ValueError(f"no such level: {replay_level}")
    if not 0 < replay_timeout <= REPLAY_TIMEOUT_MAX_S:
        raise ValueError(f"replay_timeout is not more than 0 and at most {REPLAY_TIMEOUT_MAX_S:g}")
    moment = (now if now is not None else datetime.now(UTC)).astimezone(UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"
    names = [os.fsdecode(path), *others]
    reports = [Report(f"vif-verifier {__version__}", stamp, name) for name in names]
    report = reports[0]
    report.require, report.beside = required, reports[1:]
    try:
        from .beside import verify_together

        pins = [load_trust(one) if isinstance(one, str) else one for one in _several(trust)]
        heads = [
            load_known_head(one) if isinstance(one, str) else one for one in _several(known_head)
        ]
        report.pinned = bool(pins)
        work = jobs if jobs is not None else -min(os.cpu_count() or 1, 4)
        asked = None if lineage is None else str(lineage)
        asking = None
        if replay_endpoint is not None:
            endpoint = parse_endpoint(replay_endpoint, allow_remote)
            found = addresses_of(endpoint, allow_remote)
            asking = Asking(endpoint, found, replay_level, float(replay_timeout))
        verify_together(reports, pins, heads, progress or _silent, work, asked, asking)
    except Fatal as e:
        report.add(e)
    return report


def _several(given: Any) -> list[Any]:
    """Return what was given as a list; a pin by itself is a tuple too."""
    if given is None:
        return []
    return [given] if isinstance(given, (str, Trust, KnownHead)) else [*given]


def _silent(step: str, done: int, total: int) -> None:
    """Show nothing."""
