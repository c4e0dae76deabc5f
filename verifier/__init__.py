"""Verifier of vif-ledger packages, written from the specification alone.

>>> report = verify_package("runs-2026-11-20", trust="lab.trust.json")  # doctest: +SKIP
>>> report.verdict, report.exit_code  # doctest: +SKIP
('limited', 3)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from .errors import AXES, CODES, Fatal, Refused, VifError
from .report import Report
from .trust import KnownHead, Trust, load_known_head, load_trust

__version__ = "0.1.0"
__all__ = [
    "AXES",
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
    trust: Trust | str | None = None,
    known_head: KnownHead | str | None = None,
    require: Iterable[str] = (),
    now: datetime | None = None,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Verify a package, a folder or a zip, and return the report; nothing in it can raise.

    `trust` is 64 hex digits, the path of a trust file, or a Trust; `known_head` is SIZE:ROOT, the
    path of a checkpoint, or a KnownHead. `require` names axes that must be verified. `now` is
    the time of the report. `jobs` is the number of processes, by default one for logs below
    20,000 statements. A wrong call is TypeError or ValueError.
    """
    from .audit import Audit

    required = tuple(require)
    for axis in required:
        if axis not in AXES:
            raise ValueError(f"no such axis: {axis}")
    if jobs is not None and (type(jobs) is not int or not 1 <= jobs <= JOBS_MAX):
        raise ValueError(f"jobs is not an integer from 1 to {JOBS_MAX}")
    moment = (now if now is not None else datetime.now(UTC)).astimezone(UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"
    name = os.fsdecode(path)
    report = Report(f"vif-verifier {__version__}", stamp, name)
    report.require = required
    try:
        pin = load_trust(trust) if isinstance(trust, str) else trust
        head = load_known_head(known_head) if isinstance(known_head, str) else known_head
        report.pinned = pin is not None
        if head is not None:
            report.known_head = (head.size, head.root)
        work = Audit(report, pin, head, progress or _silent)
        work.run(name, jobs if jobs is not None else -min(os.cpu_count() or 1, 4))
    except Fatal as e:
        report.add(e)
    return report


def _silent(step: str, done: int, total: int) -> None:
    """Show nothing."""
