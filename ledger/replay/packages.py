"""Witnesses to run again out of a package, without its ledger (specs/13 section 9).

A package comes from whoever is doubted. **`vif-verify` comes first**: signatures, proofs, lists and
seal are not looked at here. What is looked at is what a replay rests upon: statements are located
by the plan, each line is derived again from its statement and compared, and contents match the
digests by which they are named. Contents are found by digest alone, so that nothing in a package is
a path. An engine that nobody knows is refused when it comes to running, not here.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from ledger.errors import ContentError, FormatError, LogError, ReplayError
from ledger.export.contents import content_path
from ledger.formats import content as formats
from ledger.formats.content import SALT_BYTES, ContentRef
from ledger.formats.merkle import hash_leaf
from ledger.formats.values import parse_decimal
from ledger.reader import Entry
from ledger.replay.package_files import UNREADABLE, open_files, refuse
from ledger.replay.package_log import PackageLog, parse, with_body
from ledger.replay.plan import plan_bytes, plan_line
from ledger.replay.plan_lines import parse_line, read_lines

__all__ = ["PackageSource"]

CONTENT_MAX_BYTES: Final = 1 << 30
_PLAN: Final = "data/replay/plan.jsonl"
_SEAL: Final = "seal-sha256.txt"
_DIGEST_BYTES: Final = 32


class PackageSource:
    """A package made for replay, as a `ledger.replay.source.Source`; a context manager.

    Verifies no signatures: `vif-verify` comes first. Raises `ReplayError` package_invalid for what
    is malformed, edited or larger than allowed, and not_replayable for a package without a plan.
    """

    def __init__(self, path: Path | str) -> None:
        self._files = open_files(Path(path))
        try:
            if self._files.size(_PLAN) is None:
                raise ReplayError(
                    "not_replayable",
                    f"{path} has no replay plan",
                    hint="ask for a package made with `vif export --replay`",
                )
            self._log = PackageLog(self._files)
            genesis = self._log.get(0)
            if genesis is None:
                refuse("the package has no genesis")
            self.genesis = hash_leaf(genesis)
            self._read_plan()
        except BaseException:
            self._files.close()
            raise
        self._ids: dict[str, int] | None = None

    def __len__(self) -> int:
        """How many lines the plan has."""
        return len(self._indices)

    def witness(self, name: str) -> Entry:
        """A witness by id, or by index in decimal, whose line of the plan is what follows from it.

        Raises `LogError("not_found")`, `ReplayError("package_invalid")`.
        """
        index = parse_decimal(name)
        if index is None:
            index = self._by_id().get(name)
        entry = None if index is None else self._log.entry(index)
        if entry is None:
            raise LogError("not_found", f"the package has no statement {name}")
        if entry.payload.type != "witness":
            raise LogError("not_found", f"#{entry.index} is no witness: {entry.payload.type}")
        self._check(entry)
        return entry

    def witnesses(self, session: str | None = None) -> Iterator[Entry]:
        """All witnesses in order, of one session or of all, each with its line of the plan checked.

        Raises `ReplayError("package_invalid")` for a line that is not what follows, a witness
        without a line, and a line without a witness.
        """
        end, seen = self._end(), 0
        for index, statement in self._log.records():
            entry = parse(index, statement)
            if entry.payload.type != "witness" or index >= end:
                continue
            seen += 1
            if session is None or entry.payload.session == session:
                self._check(entry)
                yield entry
            elif self._number(index) is None:
                self._no_line(index)
        if seen != len(self._indices):
            refuse("the plan has lines that are of no witness in the package")

    def by_id(self, identifier: str) -> Entry | None:
        """A statement, None if it is not in the package."""
        index = self._by_id().get(identifier)
        return None if index is None else self._log.entry(index)

    def content(self, ref: ContentRef) -> bytes:
        """A content without salt, checked; raises as `archived`."""
        return self.archived(ref)[SALT_BYTES if ref.salted else 0 :]

    def archived(self, ref: ContentRef) -> bytes:
        """A content as it is archived, checked against its reference.

        Raises `ContentError` content_missing, content_mismatch, content_too_large.
        """
        path, name = content_path(ref.blake3), ref.blake3.hex()
        size = self._files.size(path)
        if size is None:
            raise ContentError("content_missing", f"content {name} is not in the package")
        if size != ref.archived_bytes:
            raise ContentError("content_mismatch", f"content {name} has {size} bytes")
        if size > CONTENT_MAX_BYTES:
            raise ContentError("content_too_large", f"content {name} has {size} bytes")
        data = self._files.read(path, CONTENT_MAX_BYTES)
        formats.check(ref, data)
        return data

    def close(self) -> None:
        """Give back what is open."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_plan(self) -> None:
        """Read all lines strictly, and keep of each its index and digest."""
        self._indices, self._digests = array("Q"), bytearray()
        for number, line in enumerate(self._lines(), 1):
            index = parse_line(line, number)["index"]
            if self._indices and index <= self._indices[-1]:
                refuse(f"line {number} of the plan: not in order of index")
            self._indices.append(index)
            self._digests += sha256(line).digest()

    def _lines(self) -> Iterator[bytes]:
        with self._files.open(_PLAN) as file:
            try:
                yield from read_lines(file)
            except UNREADABLE as error:
                refuse(f"{_PLAN} cannot be read: {error}")

    def _number(self, index: int) -> int | None:
        """The number of a witness's line, from 0, None without one."""
        at = bisect_left(self._indices, index)
        return at if at < len(self._indices) and self._indices[at] == index else None

    def _check(self, entry: Entry) -> None:
        """Refuse a witness whose line is not what follows from it and the contents at hand."""
        number = self._number(entry.index)
        if number is None:
            self._no_line(entry.index)
        try:
            line = plan_line(self, with_body(entry))
            written = plan_bytes(line)
        except FormatError as error:
            refuse(f"the witness #{entry.index} is malformed: {error.message}")
        at = number * _DIGEST_BYTES
        if sha256(written).digest() != self._digests[at : at + _DIGEST_BYTES]:
            self._differs(number, line)

    def _differs(self, number: int, line: dict[str, Any]) -> NoReturn:
        said = next(one for at, one in enumerate(self._lines()) if at == number)
        found = parse_line(said, number + 1)
        names = found.keys() | line.keys()
        other = sorted(name for name in names if found.get(name) != line.get(name))
        refuse(
            f"line {number + 1} of the plan, of #{line['index']}, is not what follows from the "
            f"record and its contents: {', '.join(other)}"
        )

    def _no_line(self, index: int) -> NoReturn:
        refuse(f"the plan has no line for the witness #{index}")

    def _end(self) -> int:
        """Where the selection ends: what was appended while the export ran has no line."""
        last = self._log.entry(self._log.size - 1)
        if last is None or last.payload.type != "export" or self._files.size(_SEAL) is None:
            return self._log.size
        return int(last.payload.body["selection"]["end"])

    def _by_id(self) -> dict[str, int]:
        if self._ids is None:
            self._ids = {parse(at, one).id: at for at, one in self._log.records()}
        return self._ids
