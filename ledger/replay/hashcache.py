"""Digests of large files that were hashed before, by what tells that a file is still the same.

One small JSON file per user, replaced as a whole. It is a convenience and never evidence of
itself: an entry counts only while the file has the same path, device, inode, size and times, what
is damaged is as good as absent, and a cache that others could have written is not read.

A file written to within the last two seconds is not kept: it could be written to again without any
of this changing.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from platformdirs import user_cache_path

from ledger.formats.values import is_digest

__all__ = ["ENTRIES_MAX", "RACY_NS", "HashCache", "State"]

RACY_NS: Final = 2_000_000_000
ENTRIES_MAX: Final = 10_000
_BYTES_MAX: Final = 16 * 2**20


class State(NamedTuple):
    """What changes when a file does."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    """Of the inode: also changes when the other time is set back."""

    @classmethod
    def of(cls, found: os.stat_result) -> State:
        """Take it from what the system says."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class HashCache:
    """Known digests by absolute path; used by one thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: dict[str, list[Any]] | None = None
        self._added: dict[str, list[Any]] = {}

    @classmethod
    def of_user(cls) -> HashCache:
        """The cache of whoever runs this."""
        return cls(user_cache_path("vif-ledger") / "weights.json")

    def get(self, path: Path, state: State) -> bytes | None:
        """The digest of a file, if it is known and the file is still the same."""
        if self._entries is None:
            self._entries = self._read()
        entry = self._entries.get(str(path.absolute()))
        if entry is None or entry[:-1] != list(state):
            return None
        with suppress(TypeError, ValueError):
            digest = bytes.fromhex(entry[-1])
            return digest if is_digest(digest) else None
        return None

    def put(self, path: Path, state: State, digest: bytes) -> None:
        """Remember a digest until `save`, unless the file has just been written to."""
        if time.time_ns() - max(state.mtime_ns, state.ctime_ns) > RACY_NS:
            self._added[str(path.absolute())] = [*state, digest.hex()]

    def save(self) -> None:
        """Write what was added beside what others wrote meanwhile; never fails."""
        if not self._added:
            return
        entries = self._read()
        for path in self._added:
            entries.pop(path, None)  # the newest are last
        entries |= self._added
        kept = dict(list(entries.items())[-ENTRIES_MAX:])
        self._entries, self._added = kept, {}
        with suppress(OSError, ValueError):  # of a name that is not UTF-8
            self._write(json.dumps({"version": 1, "files": kept}).encode())

    def _read(self) -> dict[str, list[Any]]:
        with suppress(OSError, ValueError, RecursionError), self._file.open("rb") as opened:
            found = os.fstat(opened.fileno())
            foreign = found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if not foreign and found.st_size <= _BYTES_MAX:
                value = json.loads(opened.read())
                if isinstance(value, dict) and value.get("version") == 1:
                    files = value.get("files")
                    if isinstance(files, dict):
                        return {
                            path: entry
                            for path, entry in files.items()
                            if isinstance(entry, list) and len(entry) == len(State._fields) + 1
                        }
        return {}

    def _write(self, data: bytes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number, name = tempfile.mkstemp(prefix=".weights-", dir=self._file.parent)  # mode 0600
        try:
            with os.fdopen(number, "wb") as opened:
                opened.write(data)
            Path(name).replace(self._file)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
