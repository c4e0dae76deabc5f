"""The digest of weights: BLAKE3 of a file, or of the manifest of a folder (specs/13 section 1).

    file    BLAKE3 of its bytes
    folder  BLAKE3 of the RFC 8785 form of
            {"files": [{"blake3": hex, "path": "a/b", "size_bytes": 12}, ...]}
            with every regular file below it, in bytewise order of `path`

Files are mapped and hashed by all cores, in pieces between which progress is told. A link inside a
folder counts as the file it leads to, as for whoever loads it; one that leads outside, or to a
folder, is refused, and so is what is neither file nor folder.

>>> import pathlib, tempfile
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> _ = (folder / "model.safetensors").write_bytes(b"weights")
>>> weights_digest(folder / "model.safetensors", cache=None).hex()[:12]
'3edc5c4a5df8'
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from ledger.errors import ReplayError
from ledger.formats.call import canonical
from ledger.replay.hashcache import HashCache, State

__all__ = ["PIECE_BYTES", "USERS_CACHE", "Weights", "measure", "shown", "weights_digest"]

PIECE_BYTES: Final = 64 * 2**20
"""Hashed between two reports of progress: large enough for all cores."""

SHOWN_MAX: Final = 200
"""Characters of a path in a message: messages become part of statements."""

Progress = Callable[[int, int], None]
"""Told how many bytes are done, of how many."""


class _Users:
    """Stands for the cache of whoever runs this."""


USERS_CACHE: Final = _Users()


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights as they were when they were hashed."""

    path: Path
    digest: bytes
    size_bytes: int
    files: int
    states: tuple[tuple[str, State], ...]

    def changed(self) -> bool:
        """Whether any file is another one now, or was written to, since it was hashed."""
        try:
            return _states(_listed(self.path)) != self.states
        except ReplayError:
            return True

    def check_unchanged(self) -> None:
        """Raise `ReplayError("weights_mismatch")` if what was loaded may not be what was hashed."""
        if self.changed():
            raise ReplayError("weights_mismatch", f"{shown(self.path)} changed while it was loaded")


def weights_digest(
    path: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    cache: HashCache | _Users | None = USERS_CACHE,
) -> bytes:
    """Return the 32 bytes that name weights; `cache` None hashes everything anew.

    Raises `ReplayError("model_unavailable")` for what cannot be read, or is not weights.
    """
    return measure(path, progress=progress, cache=cache).digest


def measure(
    path: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    cache: HashCache | _Users | None = USERS_CACHE,
) -> Weights:
    """As `weights_digest`, with what else there is to know."""
    place = Path(path)
    known = HashCache.of_user() if isinstance(cache, _Users) else cache
    listed = _listed(place)
    total = sum(state.size_bytes for _, _, state in listed)
    manifest: list[dict[str, Any]] = []
    digest, done = b"", 0

    def tell(number: int) -> None:
        if progress is not None:
            progress(number, total)

    try:
        for name, file, state in listed:
            digest = (known.get(file, state) if known else None) or b""
            if not digest:
                digest = _hash(file, state, tell, done)
                if known:
                    known.put(file, state, digest)
            done += state.size_bytes
            tell(done)
            manifest.append({"blake3": digest.hex(), "path": name, "size_bytes": state.size_bytes})
    finally:
        if known:
            known.save()
    if place.is_dir():
        digest = blake3(canonical({"files": manifest})).digest()
    return Weights(place, digest, total, len(listed), _states(listed))


def shown(path: Path) -> str:
    """A path as messages have it: its last name, in UTF-8, and its end alone if it is long.

    Messages of refusals are signed and handed over; whose folder it was is nobody's business.
    """
    text = os.fsencode(path.name or path).decode("utf-8", "backslashreplace")
    return text if len(text) <= SHOWN_MAX else "…" + text[1 - SHOWN_MAX :]


_Listed = list[tuple[str, Path, State]]


def _states(listed: _Listed) -> tuple[tuple[str, State], ...]:
    return tuple((name, state) for name, _, state in listed)


def _listed(place: Path) -> _Listed:
    """The files of weights by their path in the manifest, in its order."""
    with _refusing(place):
        top = place.resolve(strict=True)
        found = top.stat()
        if stat.S_ISDIR(found.st_mode):
            files = [(path.relative_to(top).as_posix(), path) for path in _below(top, top)]
        elif stat.S_ISREG(found.st_mode):
            files = [(shown(Path(top.name)), top)]
        else:
            raise _unfit(place, "neither a file nor a folder")
        return sorted(
            ((_utf8(name, place), path, State.of(path.stat())) for name, path in files),
            key=lambda one: one[0].encode(),
        )


def _below(folder: Path, top: Path) -> Iterator[Path]:
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        path = Path(entry.path)
        if entry.is_symlink():
            target = path.resolve(strict=True)
            if not target.is_relative_to(top):
                raise _unfit(path, "a link that leads out of the folder", _COPY)
            if not target.is_file():
                raise _unfit(path, "a link to what is not a file", _COPY)
            yield path
        elif entry.is_dir(follow_symlinks=False):
            yield from _below(path, top)
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            raise _unfit(path, "neither a file nor a folder")


_COPY = "copy the folder with its links followed, as by `cp -rL`"


def _hash(file: Path, state: State, tell: Callable[[int], None], before: int) -> bytes:
    hasher = blake3(max_threads=blake3.AUTO)
    with _refusing(file), file.open("rb") as opened:
        if State.of(os.fstat(opened.fileno())) != state:
            raise _unfit(file, "changed while it was read")
        if state.size_bytes:
            with (
                mmap.mmap(opened.fileno(), state.size_bytes, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as view,
            ):
                for start in range(0, state.size_bytes, PIECE_BYTES):
                    if start:
                        tell(before + start)
                    with view[start : start + PIECE_BYTES] as piece:
                        hasher.update(piece)
        if State.of(os.fstat(opened.fileno())) != state:
            raise _unfit(file, "changed while it was read")
    return hasher.digest()


@contextmanager
def _refusing(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        reason = getattr(error, "strerror", None) or str(error)
        name = getattr(error, "filename", None) or place
        raise _unfit(Path(os.fsdecode(name)), reason) from None


def _utf8(name: str, place: Path) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise _unfit(place, f"holds a name that is not UTF-8: {name!a}") from None
    return name


def _unfit(place: Path, why: str, hint: str | None = None) -> ReplayError:
    return ReplayError("model_unavailable", f"weights: {shown(place)}: {why}", hint=hint)
