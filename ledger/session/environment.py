"""What a run is made of: Python, platform, packages, version control (specs/10 section 2).

For people who compare runs; nothing is checked against it. It names no host, no user, no folder, no
argument and no environment variable: those are nobody's business, and some of them are secrets.

`packages` gives the version of each distribution, `package_hashes` the SHA-256 of its RECORD, the
list of its files with their hashes (PyPA, recording installed projects): who has the same versions
can tell whether they are the same files.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["describe"]

_GIT_SECONDS = 10
_record_hashes: dict[tuple[str, int, int], str] = {}
"""By path, size and time of change: a process opens many sessions, and installs little."""


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
    }
    found["packages"], found["package_hashes"] = _packages()
    repository = _git()
    if repository is not None:
        found["git"] = repository
    return found


def _packages() -> tuple[dict[str, str], dict[str, str]]:
    """Return versions and hashes by name; of two distributions of one name the first counts."""
    versions: dict[str, str] = {}
    hashes: dict[str, str] = {}
    for one in metadata.distributions():
        try:
            about = one.metadata  # parsed anew each time it is asked for
            name, version = about["Name"], about["Version"]
        except Exception:  # noqa: S112 - a broken installation is no reason not to run
            continue
        if not isinstance(name, str) or not isinstance(version, str) or name.lower() in versions:
            continue
        versions[name.lower()] = version
        record = _record_hash(one)
        if record is not None:
            hashes[name.lower()] = f"sha256:{record}"
    return dict(sorted(versions.items())), dict(sorted(hashes.items()))


def _record_hash(one: metadata.Distribution) -> str | None:
    """Return the SHA-256 of a RECORD file in hex, None without one."""
    folder = getattr(one, "_path", None)  # read_text would change the ends of lines
    if not isinstance(folder, Path):
        return None
    try:
        path = folder / "RECORD"
        state = path.stat()
        key = (str(path), state.st_size, state.st_mtime_ns)
        if key not in _record_hashes:
            _record_hashes[key] = sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
    return _record_hashes[key]


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
