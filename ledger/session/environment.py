"""What a run is made of: Python, platform, packages, version control (specs/10 section 2).

For people who compare runs; nothing is checked against it. It names no host, no user, no folder, no
argument and no environment variable: those are nobody's business, and some of them are secrets.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata
from typing import Any

__all__ = ["describe"]

_GIT_SECONDS = 10


def describe() -> dict[str, Any]:
    """Return the environment as a JSON value; never fails because of what it describes."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
        },
        "packages": _packages(),
    }
    repository = _git()
    if repository is not None:
        found["git"] = repository
    return found


def _packages() -> dict[str, str]:
    packages: dict[str, str] = {}
    for one in metadata.distributions():
        try:
            about = one.metadata  # parsed anew each time it is asked for
            name, version = about["Name"], about["Version"]
        except Exception:  # noqa: S112 - a broken installation is no reason not to run
            continue
        if isinstance(name, str) and isinstance(version, str):
            packages.setdefault(name.lower(), version)
    return dict(sorted(packages.items()))


def _git() -> dict[str, Any] | None:
    commit = _ask("rev-parse", "--verify", "HEAD")
    if commit is None:
        return None
    status = _ask("status", "--porcelain", "--untracked-files=no")
    found: dict[str, Any] = {"commit": commit.strip()}
    if status is not None:
        found["dirty"] = bool(status.strip())
    return found


def _ask(*arguments: str) -> str | None:
    try:
        ran = subprocess.run(
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - whichever git the user uses
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout if ran.returncode == 0 else None
