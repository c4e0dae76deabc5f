"""`attachments/` of a package: packages of others that ran it again (specs/13 section 10).

A package is copied file by file as `ledger.replay.package_files` reads it, so that neither a link
nor an odd name comes in, and stands under its name only when it is whole. Whether it is right is
what `vif-verify` says of both together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ledger.errors import ExportError, FormatError
from ledger.export.sink import FileSink, FolderSink, check_path
from ledger.formats.merkle import hash_leaf
from ledger.replay.package_files import open_files, refuse
from ledger.replay.package_log import PackageLog, parse

__all__ = ["ATTACHMENTS_MAX", "FOLDER", "Attached", "attach"]

ATTACHMENTS_MAX: Final = 16
"""`BESIDE_MAX` of specs/08 section 5."""
FOLDER: Final = "attachments"
_PIECE_BYTES: Final = 1 << 20
_PARTIAL: Final = ".partial-"


@dataclass(frozen=True, slots=True)
class Attached:
    """What was attached: where, how many replays it has of the package's ledger, and whose."""

    path: Path
    replays: int
    succeeded: int
    genesis: bytes
    """Identity of the ledger that the replays were recorded in."""


def attach(package: Path | str, replays: Path | str, name: str | None = None) -> Attached:
    """Copy a package with replays into the folder `attachments/` of a package that is a folder.

    Raises `ExportError` attach_refused for what does not belong there, export_exists for a name
    that is taken, export_failed; `ReplayError` package_invalid for what is no package.
    """
    package, replays = Path(package), Path(replays)
    if not package.is_dir():
        raise ExportError(
            "attach_refused",
            f"{package} is no folder",
            hint="give both to the verifier instead: vif-verify PACKAGE --beside REPLAYS",
        )
    name = replays.resolve().name if name is None else name
    with open_files(package) as files:
        genesis = _genesis(PackageLog(files))
    theirs, found, succeeded = _replays(replays, genesis)
    target = _target(package, name, theirs)
    try:
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise ExportError("export_failed", f"{target.parent}: {error.strerror}") from error
    if replays.is_dir():
        _copy_folder(replays, target)
    else:
        with FileSink(target) as sink, replays.open("rb") as file:
            sink.add(target.name, _pieces(file))
            sink.finish()
    return Attached(target, found, succeeded, theirs)


def _replays(path: Path, genesis: bytes) -> tuple[bytes, int, int]:
    """Return the ledger of a package, and how many replays it has of witnesses of another."""
    found = succeeded = 0
    with open_files(path) as files:
        log = PackageLog(files)
        theirs = _genesis(log)
        if theirs == genesis:
            raise ExportError(
                "attach_refused", "both packages are of the same ledger, and none is beside it"
            )
        for index, statement in log.records():
            payload = parse(index, statement).payload
            if payload.type != "replay" or genesis not in [one.ledger for one in payload.parents]:
                continue
            found += 1
            succeeded += payload.body.get("success") is True
    if not found:
        raise ExportError(
            "attach_refused",
            f"{path} has no replay of an operation of ledger {genesis.hex()}",
            hint="replay into a ledger of your own and export that: vif replay --package",
        )
    return theirs, found, succeeded


def _genesis(log: PackageLog) -> bytes:
    statement = log.get(0)
    if statement is None:
        refuse("the package has no genesis")
    return hash_leaf(statement)


def _target(package: Path, name: str, genesis: bytes) -> Path:
    """Check a name and return its place, if nothing of that name or ledger is there."""
    try:
        check_path(name)
        if "/" in name:
            raise FormatError("name_invalid", f"{name!r} is a path and no name")
    except FormatError as error:
        raise ExportError(
            "attach_refused",
            error.message,
            hint="choose a name of letters, digits, dots, underscores and hyphens with --name",
        ) from None
    folder = package / FOLDER
    if folder.is_symlink():
        raise ExportError("attach_refused", f"{folder} is a link")
    there = [one.name for one in folder.iterdir()] if folder.exists() else []
    there = [one for one in there if _PARTIAL not in one]
    if name.lower() in {one.lower() for one in there}:
        raise ExportError(
            "export_exists", f"{folder / name} exists", hint="choose another name with --name"
        )
    if len(there) >= ATTACHMENTS_MAX:
        raise ExportError("attach_refused", f"a package has at most {ATTACHMENTS_MAX} attachments")
    for one in there:
        with open_files(folder / one) as files:
            if _genesis(PackageLog(files)) == genesis:
                raise ExportError(
                    "attach_refused",
                    f"{folder / one} is a package of the same ledger",
                    hint="a verifier takes one package of a ledger: remove the older one first",
                )
    return folder / name


def _copy_folder(source: Path, target: Path) -> None:
    with open_files(source) as files, FolderSink(target) as sink:
        for path in files.paths():
            with files.open(path) as file:
                sink.add(path, _pieces(file))
        sink.finish()


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece
