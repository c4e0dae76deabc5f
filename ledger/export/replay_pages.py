"""`REPLAY.md` and `requirements.txt` of a package made for replay: for people (specs/13 section 9).

Names and versions come from whoever is doubted, and a requirements file can tell pip to do more
than install a version; so only what is a name and a version is written into it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ledger.export.summary import template
from ledger.formats.call import read_ijson

if TYPE_CHECKING:
    from ledger.export.replay_plan import Planned

__all__ = ["Weights", "replay_md", "requirements_txt"]

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!_-]{0,126}")
_HEAD: Final = """\
# Distributions that were installed in the newest session, by what it recorded about itself
# (environment.json, which also has SHA-256 digests of their RECORD files where it knew them).
# This is the word of the producer, and not checked: read it before you install from it.
"""


@dataclass(frozen=True, slots=True)
class Weights:
    """An entry of weights.json as `REPLAY.md` shows it."""

    blake3: str
    models: tuple[str, ...]
    more_models: int
    statements: int
    at: tuple[str, ...]


def requirements_txt(environment: bytes) -> bytes:
    """Return the packages of an environment as `name==version`, one a line.

    Versions with a local part (`+`) are of no index, and are left out with what is neither a name
    nor a version.
    """
    packages = _packages(environment)
    kept = [
        f"{name}=={version}\n"
        for name, version in sorted(packages.items())
        if _NAME.fullmatch(name) and isinstance(version, str) and _VERSION.fullmatch(version)
    ]
    left = len(packages) - len(kept)
    note = f"# Left out: {left} without a name and version that an index could have.\n"
    return (_HEAD + (note if left else "") + "".join(kept)).encode("ascii")


def replay_md(planned: Planned, origin: str, genesis: str) -> Iterator[bytes]:
    """Yield the page for a reviewer who wants to run operations again."""
    page = template("REPLAY.md.j2")
    yield page.render(planned=planned, origin=origin, genesis=genesis).encode("utf-8")


def _packages(environment: bytes) -> dict[str, Any]:
    try:
        found = read_ijson(environment)
    except (ValueError, RecursionError):
        return {}
    packages = found.get("packages") if isinstance(found, dict) else None
    return packages if isinstance(packages, dict) else {}
