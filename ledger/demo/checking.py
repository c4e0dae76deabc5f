"""The verifier as an auditor runs it: another process, which is told only what was published."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError

__all__ = ["Verdict", "verify", "verify_as_text"]

_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier answered about a package."""

    exit_code: int
    verdict: str
    findings: tuple[dict[str, Any], ...]

    def codes_at(self, index: int) -> list[str]:
        """The codes of the findings that name a record, each once, in order."""
        return list(dict.fromkeys(f["code"] for f in self.findings if f["index"] == index))

    def codes_of_files(self) -> list[str]:
        """The codes of the findings that name a file and no record."""
        return list(
            dict.fromkeys(f["code"] for f in self.findings if f["index"] is None and f["path"])
        )


def verify(package: Path, trust: Path, head: Path) -> Verdict:
    """Verify a package, pinned and anchored; LedgerError `demo_failed` if that cannot be done."""
    ran = _run(package, [trust], head, "--json")
    try:
        report = json.loads(ran.stdout)
        return Verdict(ran.returncode, report["verdict"], tuple(report["findings"]))
    except (ValueError, KeyError, TypeError):
        said = (ran.stderr or ran.stdout).strip()
        raise LedgerError("demo_failed", f"the verifier gave no report: {said}") from None


def verify_as_text(package: Path, trust: Sequence[Path], head: Path) -> tuple[int, str]:
    """Return the exit code and the report that a person would read."""
    ran = _run(package, trust, head)
    return ran.returncode, ran.stdout or ran.stderr


def _run(
    package: Path, trust: Sequence[Path], head: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verifier", str(package), "--known-head", str(head)]
    for pin in trust:
        command += ["--trust", str(pin)]
    command += options
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", check=False, timeout=_TIMEOUT_SECONDS
    )
