"""How a command says that it could not do what was asked: one shape, no traceback, exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import typer

from ledger.cli import output
from ledger.errors import LedgerError

__all__ = [
    "CALL_ERROR",
    "as_ledger_error",
    "bad_call",
    "check_readable",
    "interrupted",
    "read_file",
    "show_error",
    "wants_json",
    "write_new",
    "write_pieces",
]

# The class is named by where Typer keeps its click, which has moved between versions.
CALL_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def bad_call(message: str, *, hint: str | None = None) -> NoReturn:
    """Refuse a call whose arguments make no sense together; raises LedgerError `usage`."""
    raise LedgerError("usage", message, hint=hint)


def wants_json(arguments: list[str]) -> bool:
    """Tell whether errors are to be JSON, also when the call is too wrong to be parsed."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def as_ledger_error(error: Exception) -> LedgerError | None:
    """Return the error in this program's shape, or None if it is a defect of this program."""
    if isinstance(error, LedgerError):
        return error
    if isinstance(error, CALL_ERROR):
        return _of_call(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        return LedgerError("system", f"{place}{error.strerror}")
    return None


def show_error(
    error: LedgerError, *, as_json: bool, extra: Mapping[str, Any] | None = None, where: str = ""
) -> None:
    """Print an error to standard error; `extra` are further JSON members, `where` goes before."""
    if as_json:
        members = {"code": error.code, "message": error.message, "hint": error.hint}
        output.emit_error({"error": members | dict(extra or {})})
        return
    output.note(where, (f"error[{error.code}]", "bold red"), ": ", error.message)
    if error.hint:
        output.note(("  hint: ", "bold"), error.hint)


def read_file(path: Path) -> bytes:
    """Return the bytes of a file that the caller named; raises LedgerError `file_unreadable`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise LedgerError("file_unreadable", f"{path}: {error.strerror}") from None


def check_readable(path: Path) -> None:
    """Refuse a file that cannot be opened, under its name; LedgerError `file_unreadable`."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise LedgerError("file_unreadable", f"{path}: {error.strerror}") from None


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet; raises LedgerError `file_exists`, `file_unwritable`."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise LedgerError(
            "file_exists", f"{path} exists already", hint="choose another name or remove it first"
        ) from None
    except OSError as error:
        raise LedgerError("file_unwritable", f"{path}: {error.strerror}") from None


def write_pieces(path: Path | None, pieces: Iterable[str]) -> None:
    """Write a text that comes in pieces to a new file, or to standard output; as `write_new`.

    A file that could not be finished is removed again.
    """
    encoded = (piece.encode("utf-8", "backslashreplace") for piece in pieces)
    if path is None:
        output.write_bytes(encoded)
        return
    try:
        with path.open("xb") as file:
            try:
                file.writelines(encoded)
            except BaseException:
                path.unlink()
                raise
    except FileExistsError:
        raise LedgerError(
            "file_exists", f"{path} exists already", hint="choose another name or remove it first"
        ) from None
    except OSError as error:
        raise LedgerError("file_unwritable", f"{path}: {error.strerror}") from None


def _of_call(error: Any) -> LedgerError:
    message = error.format_message().strip()
    options = getattr(error, "possibilities", None)
    if options and "Did you mean" not in message and "ossible options" not in message:
        message += f" Did you mean {' or '.join(options)}?"
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "vif"
    return LedgerError("usage", message, hint=f"see `{command} --help`")


def interrupted() -> None:
    """Say on standard error that the user stopped the command."""
    if sys.stderr.isatty():
        output.note("")
    output.note(("interrupted", "bold"))
