"""What a run depends on, frozen: files whole, a corpus as a list of hashes (specs/10 section 2).

A corpus is a folder. Its manifest names every regular file below it. Symbolic links are not
followed: one that leads to a file of the folder itself is passed over, because its target is listed
under its own name; one that leads out of the folder, or nowhere, is refused, and so is anything
that is neither file nor folder.

Names are file names, with as many folders before them as it takes to tell them apart, and never
whole paths, which say more about a machine than about an experiment.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from mimetypes import MimeTypes
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from ledger.drafts import Archived
from ledger.errors import ContentError
from ledger.formats.call import canonical
from ledger.formats.content import SALT_BYTES, ContentHasher, ContentRef
from ledger.formats.values import is_name
from ledger.model.session import FROZEN_MAX, Frozen, Role
from ledger.reader import Reader
from ledger.session.options import FilePath, Progress

__all__ = ["Source", "freeze", "gather"]

_PIECE_BYTES = 1 << 20
_TYPES = MimeTypes(filenames=())  # the tables of Python, and not those of this machine
for _type, _suffix in (
    ("text/markdown", ".md"),
    ("application/jsonl", ".jsonl"),
    ("application/yaml", ".yaml"),
    ("application/yaml", ".yml"),
    ("application/toml", ".toml"),
):
    _TYPES.add_type(_type, _suffix)  # which not every version of Python knows
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Source:
    """Something to freeze: a file, or the bytes of a manifest."""

    role: Role
    name: str
    content: Path | bytes

    @property
    def key(self) -> tuple[bytes, bytes]:
        """What entries are unique and ordered by."""
        return self.role.encode(), self.name.encode()

    def open(self) -> BinaryIO:
        """The content from its beginning; raises `ContentError("content_missing")`."""
        if isinstance(self.content, bytes):
            return BytesIO(self.content)
        try:
            return self.content.open("rb")
        except OSError as error:
            raise _unreadable(self.name, error) from None


def gather(
    *,
    experiment: FilePath | None = None,
    framework: FilePath | None = None,
    files: Iterable[FilePath] = (),
    corpus: FilePath | None = None,
    progress: Progress | None = None,
) -> list[Source]:
    """Return what is to be frozen, in order of role and name; a corpus is hashed here.

    Raises `ContentError("content_missing")` for what is not there or cannot be read, and
    `content_too_large` for more entries than a statement lists.
    """
    found: list[Source] = []
    if experiment is not None:
        found += _documents("experiment_snapshot", [Path(experiment)])
    if framework is not None:
        found += _documents("framework_snapshot", [Path(framework)])
    found += _documents("file", [Path(path) for path in files])
    if corpus is not None:
        folder = Path(corpus)
        name = folder.resolve().name or "corpus"
        found.append(Source("corpus_manifest", name, _manifest(folder, progress)))
    for one in found:
        if not is_name(one.name):
            raise ContentError("content_missing", f"{one.name!a} is no name that can be recorded")
    if len(found) > FROZEN_MAX:
        raise ContentError(
            "content_too_large",
            f"{len(found)} files to freeze, and a run names at most {FROZEN_MAX}",
            hint="put them into a folder and name it as corpus",
        )
    return sorted(found, key=lambda one: one.key)


def freeze(
    log: Reader, sources: Iterable[Source], before: Iterable[Frozen]
) -> tuple[list[Frozen], list[Archived]]:
    """Return the entries of a run, and the contents that are to be archived with it.

    Content that is what it was in the run before keeps its reference, in a salted ledger, too.
    """
    known = {(one.role, one.name): one.content for one in before}
    entries: list[Frozen] = []
    contents: list[Archived] = []
    for source in sources:
        ref = known.get((source.role, source.name))
        if ref is None or not _is_still(log, source, ref):
            archived = _archive(log, source)
            contents.append(archived)
            ref = archived.ref
        entries.append(Frozen(role=source.role, name=source.name, content=ref))
    return entries, contents


def _archive(log: Reader, source: Source) -> Archived:
    try:
        return log.archive(source.content, _media_type(source))
    except OSError as error:
        raise _unreadable(source.name, error) from None


def _media_type(source: Source) -> str:
    if isinstance(source.content, bytes):
        return _JSON
    return _TYPES.guess_type(source.name)[0] or "application/octet-stream"


def _is_still(log: Reader, source: Source, ref: ContentRef) -> bool:
    """Whether a reference is to this content; with a salt the one of the reference is used."""
    salt = None
    if ref.salted:
        try:
            salt = log.archived(ref)[:SALT_BYTES]
        except ContentError:  # its salt is gone, and nothing can be compared with it
            return False
    hasher = ContentHasher(ref.media_type, salt)
    with source.open() as file:
        try:
            while piece := file.read(_PIECE_BYTES):
                hasher.update(piece)
        except OSError as error:
            raise _unreadable(source.name, error) from None
    return hasher.finish() == ref


def _documents(role: Role, paths: Iterable[Path]) -> Iterator[Source]:
    """One source a file; of a folder, those below it that are neither hidden nor made by Python."""
    found: list[tuple[Path, Path]] = []
    for path in paths:
        if path.is_dir():
            for relative, file, _ in _regular_files(path):
                parts = relative.split("/")
                if not any(part.startswith(".") or part == "__pycache__" for part in parts):
                    found.append((file, Path(path.resolve().name, relative)))
        elif path.is_file():
            found.append((path, Path(path.absolute())))
        else:
            raise ContentError("content_missing", f"there is no file {path}")
    if role == "file":
        found = list(dict(found).items())  # a file that is named twice is one
    names = _short_names([named for _, named in found])
    for (path, _), name in zip(found, names, strict=True):
        yield Source(role, name, path)


def _short_names(paths: list[Path]) -> list[str]:
    """The ends of paths, each as long as it takes for no two of them to be equal."""
    lengths = [1] * len(paths)
    while True:
        names = ["/".join(path.parts[-n:]) for path, n in zip(paths, lengths, strict=True)]
        seen: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            seen.setdefault(name, []).append(number)
        short = [
            number
            for same in seen.values()
            if len(same) > 1
            for number in same
            if lengths[number] < len(paths[number].parts)
        ]
        if not short:
            return names
        for number in short:
            lengths[number] += 1


def _manifest(folder: Path, progress: Progress | None) -> bytes:
    if not folder.is_dir():
        raise ContentError("content_missing", f"there is no folder {folder}")
    listed = sorted(_regular_files(folder), key=lambda found: found[0].encode())
    total, done = sum(size for _, _, size in listed), 0
    files = []
    for relative, path, _ in listed:
        sha256, address, size = hashlib.sha256(), blake3(), 0
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    sha256.update(piece)
                    address.update(piece)
                    size += len(piece)
                    done += len(piece)
                    if progress is not None:
                        progress(done, max(total, done))
        except OSError as error:
            raise _unreadable(relative, error) from None
        files.append(
            {
                "path": relative,
                "size_bytes": size,
                "sha256": sha256.hexdigest(),
                "blake3": address.hexdigest(),
            }
        )
    return canonical({"files": files})


def _regular_files(folder: Path) -> Iterator[tuple[str, Path, int]]:
    """Relative name, path and size of every regular file below a folder, links not followed."""
    root = folder.resolve()
    waiting = [root]
    while waiting:
        here = waiting.pop()
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            raise _unreadable(str(here.relative_to(root)), error) from None
        for entry in entries:
            path = Path(entry.path)
            relative = path.relative_to(root).as_posix()
            try:
                relative.encode()
            except UnicodeEncodeError:
                raise ContentError(
                    "content_missing", f"the file name {relative!a} is not UTF-8"
                ) from None
            if entry.is_symlink():
                _check_link(path, root, relative)
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    raise ContentError("content_missing", f"{relative} is not a regular file")
                yield relative, path, status.st_size


def _check_link(path: Path, root: Path, relative: str) -> None:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise ContentError(
            "content_missing", f"the symbolic link {relative} leads nowhere"
        ) from None
    if not target.is_relative_to(root):
        raise ContentError(
            "content_missing",
            f"the symbolic link {relative} leads out of the folder",
            hint="links are not followed; copy the file into the folder",
        )


def _unreadable(name: str, error: OSError) -> ContentError:
    return ContentError("content_missing", f"{name}: {error.strerror or type(error).__name__}")
