"""Opening a ledger for a command, and finding the statement that was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import ledger
from ledger import Entry, Ledger
from ledger.cli.keyfiles import find_key, folder_of
from ledger.cli.secret import ask_passphrase
from ledger.errors import LogError
from ledger.formats.values import parse_decimal

__all__ = ["find_statement", "reading", "writing"]

_ID_PREFIX = re.compile(r"[0-9a-f]{4,8}|[0-9a-f]{8}-[0-9a-f-]{0,27}")
_LEAF_HASH = re.compile(r"[0-9a-f]{64}")
_TIME_DIGITS = 12


@contextmanager
def reading(path: Path) -> Iterator[Ledger]:
    """Open a ledger to read: no key is needed, and nothing is written but its look-up tables."""
    with ledger.open(path) as log:
        yield log


@contextmanager
def writing(
    path: Path,
    keys: Path | None,
    signer: str | None = None,
    *,
    stream: str | None = None,
    session: str | None = None,
) -> Iterator[Ledger]:
    """Open a ledger to append, with the private keys of a folder, or one chosen from it."""
    producer = None if signer is None else f"file:{find_key(folder_of(keys), signer).path}"
    with ledger.open(
        path,
        keys=keys,
        producer=producer,
        stream=stream,
        session=session,
        passphrase=ask_passphrase,
    ) as log:
        yield log


def find_statement(log: Ledger, typed: str) -> Entry:
    """Find a statement by index, id, unique beginning of an id, leaf hash, or `last`.

    An id begins with 0 and an index does not, so a bare number is always an index. Raises LogError
    `not_found`, also when several statements could be meant.
    """
    if typed == "last":
        return log[-1]
    index = parse_decimal(typed.removeprefix("#"))
    if index is not None:
        return log.get(index)
    wanted = typed.lower()
    if _LEAF_HASH.fullmatch(wanted):
        return log.by_leaf_hash(bytes.fromhex(wanted))
    if not _ID_PREFIX.fullmatch(wanted):
        raise LogError(
            "not_found",
            f"{typed!r} names no statement",
            hint="give an index (12 or '#12'), an id or its beginning, or 'last'",
        )
    if len(wanted) == 36:
        return log.by_id(wanted)
    found = list(islice(_beginning_with(log, wanted), 2))
    if not found:
        raise LogError("not_found", f"no statement has an id that begins with {wanted}")
    if len(found) > 1:
        several = " and ".join(f"#{entry.index} ({entry.id})" for entry in found)
        raise LogError(
            "not_found",
            f"several ids begin with {wanted}, such as those of {several}",
            hint="ids made within a minute begin alike: give more digits, or the index",
        )
    return found[0]


def _beginning_with(log: Ledger, prefix: str) -> Iterator[Entry]:
    # The first 48 bits of an id are its creation time in milliseconds, which is indexed.
    digits = prefix.replace("-", "")[:_TIME_DIGITS]
    first = int(digits.ljust(_TIME_DIGITS, "0"), 16)
    last = int(digits.ljust(_TIME_DIGITS, "f"), 16)
    near = log.find(since=first * 1000, until=(last + 1) * 1000)
    return (entry for entry in near if entry.id.startswith(prefix))
