"""The first pass over the log: files, leaf hashes, tree, key events (specs/04, 07 sections 3, 4).

Whole ledger: every statement's leaf hash is recomputed and compared with the level-0 tile, and
the tree above is built from the recomputed hashes. When a bundle cannot be split, the tile's
hashes stand in so that the rest can be checked. Part: every record's inclusion proof is checked.

When the bundle that the head's size ends in is not there, but others that do not fit this size
are, the size may be what was altered: the log is then read by the size that the names of its
bundles imply, the extent. Such a log is not whole, and its head is compared with no root.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from . import layout, merkle
from .errors import Refused
from .note import Checkpoint
from .package import Package, ignore
from .records import Scan, Setting, Sheet, scan
from .report import Report
from .table import Rows
from .workers import ordered

BEYOND = 2**63


class Log:
    """The records of a package by position, and the tree that they make."""

    def __init__(self, package: Package, report: Report, head: Checkpoint | None) -> None:
        self._package = package
        self._report = report
        self.head = head
        self.part = package.has("data/log/proved") and not package.has("data/log/tile")
        self._present = array("Q")
        self._tiles = array("Q")
        self.numbers = array("Q")
        self.leaves = Rows(32)
        self.marks: list[bytes] = []
        self.erasures = array("Q")
        self.templates = array("Q")
        self.records = 0
        self._indices = array("Q")
        self._digests: dict[int, bytes] = {}
        self._level1: list[bytes] = []
        self.extent = head.size if head is not None else 0
        if self.part:
            self._list_part()
        else:
            self.extent = self._implied(self.extent)
            self._list_whole()
        self.size = head.size if head is not None else self.extent
        self.whole = not self.part and self._lacks_nothing()

    def _list_part(self) -> None:
        """Note which files of proved records are there."""
        for path, _ in self._package.walk("data/log/proved/", ignore):
            number = layout.parse_proved_path(path)
            if number is not None and number < BEYOND:
                self._present.append(number)
        self._present = array("Q", sorted(set(self._present)))
        if not self._present:
            # A log that nothing can be said about must not read like one that was checked.
            path = layout.proved_path(0)
            self._report.note("file_missing", "the package holds no record", path=path)

    def _names(self) -> Iterator[layout.TileName]:
        """Yield the names of bundles and level-0 tiles, whatever size they fit."""
        for path, _ in self._package.walk("data/log/tile/", ignore):
            name = layout.parse_tile_path(path)
            if name is not None and name.level <= 0 and name.number < BEYOND:
                yield name

    def _implied(self, size: int) -> int:
        """Return the size of the head, 0 without one, or the size that the bundles imply."""
        last = (size - 1) // layout.TILE_WIDTH
        width = layout.tile_width(size, 0, last)
        if size and self._package.has(layout.tile_path(layout.ENTRIES, last, width)):
            return size
        extent, fits = 0, size > 0
        for name in self._names():
            if name.level == layout.ENTRIES:
                extent = max(extent, name.number * layout.TILE_WIDTH + name.width)
                fits = fits and layout.tile_width(size, 0, name.number) == name.width
        return size if fits else extent

    def _list_whole(self) -> None:
        """Note which bundles and level-0 tiles of a tree of this extent are there."""
        for name in self._names():
            if self._wide(name.number) == name.width:
                (self._tiles if name.level == 0 else self._present).append(name.number)
        self._present = array("Q", sorted(set(self._present)))
        self._tiles = array("Q", sorted(set(self._tiles)))

    def _wide(self, number: int) -> int:
        return layout.tile_width(self.extent, 0, number)

    def _lacks_nothing(self) -> bool:
        """Report bundles and level-0 tiles that the size implies and that are not there."""
        expected = -(-self.size // layout.TILE_WIDTH)
        for level, numbers in ((layout.ENTRIES, self._present), (0, self._tiles)):
            self._gaps(level, numbers, expected)
        self.numbers = array("Q", sorted({*self._present, *self._tiles}))
        return len(self.numbers) == expected and self.extent == self.size

    def _gaps(self, level: int, numbers: array[int], expected: int) -> None:
        after = 0
        right = (n for n in numbers if self._wide(n) == layout.tile_width(self.size, 0, n))
        for number in (*right, expected):
            if number > after:
                width = layout.tile_width(self.size, 0, after)
                lost = number - after
                text = "missing" if lost == 1 else f"this and the {lost - 1} after it are missing"
                path = layout.tile_path(level, after, width)
                self._report.note("file_missing", text, path=path)
                self._report.count_more("file_missing", lost - 1)
            after = number + 1

    def belongs(self, path: str) -> bool:
        """Return whether a path below data/log/ is one that this log has."""
        if path == layout.CHECKPOINT:
            return True
        if self.part:
            if path.startswith("data/log/consistency/"):
                text = path.removeprefix("data/log/consistency/").removesuffix(".txt")
                return path.endswith(".txt") and text.isdigit() and str(int(text[:19])) == text
            number = layout.parse_proved_path(path) if path.startswith("data/log/proved/") else None
            return number is not None and number < BEYOND
        name = layout.parse_tile_path(path) if path.startswith("data/log/tile/") else None
        if name is None or name.number >= BEYOND:
            return False
        return layout.tile_width(self.size, name.level, name.number) == name.width

    def digest(self, path: str) -> bytes | None:
        """Return the SHA-256 of a file that the first pass has read."""
        if self.part:
            number = layout.parse_proved_path(path) if path.startswith("data/log/proved/") else None
            return None if number is None else self._digests.get(number)
        if not path.startswith("data/log/tile/entries/"):
            return None
        name = layout.parse_tile_path(path)
        if name is None or name.width != self._wide(name.number):
            return None
        return self._digests.get(name.number)

    def sheets(self) -> Iterator[Sheet]:
        """Yield the sheets of the log in order; those without a file have no mark later."""
        for n in range(len(self._present if self.part else self.numbers)):
            yield self.sheet(n)

    def sheet(self, n: int) -> Sheet:
        """Return the n-th sheet of those that are there."""
        if self.part:
            return Sheet(self._present[n], 0)
        return Sheet(self.numbers[n], self._wide(self.numbers[n]))

    def index_of(self, position: int) -> int:
        """Return the index of the record at a position (sheet by sheet, 256 each)."""
        if self.part:
            return self._indices[position]
        return self.numbers[position >> 8] * layout.TILE_WIDTH + (position & 255)

    def indices(self, n: int) -> Sequence[int]:
        """Return the indices of the records of the n-th sheet, at least as many as it has."""
        if self.part:
            return self._indices[256 * n : 256 * n + 256]
        first = self.numbers[n] * layout.TILE_WIDTH
        return range(first, first + layout.TILE_WIDTH)

    def positions(self) -> Iterator[int]:
        """Yield the positions of all records that could be read, in order."""
        for number, leaves in enumerate(self.leaves.chunks):
            if self.marks[number]:
                yield from range(256 * number, 256 * number + len(leaves) // 32)

    def position_of(self, index: int) -> int:
        """Return the position of the record with an index, or -1."""
        if self.part:
            at = bisect_left(self._indices, index)
            return at if at < len(self._indices) and self._indices[at] == index else -1
        at = bisect_right(self.numbers, index // layout.TILE_WIDTH) - 1
        found = at >= 0 and self.numbers[at] == index // layout.TILE_WIDTH and index < self.extent
        return at * 256 + index % layout.TILE_WIDTH if found else -1

    def read(
        self,
        setting: Setting,
        jobs: int,
        key_event: Callable[[int, bytes, bytes], None],
        progress: Callable[[int], None],
    ) -> None:
        """Make the first pass; `key_event` takes index, statement and leaf hash of candidates."""
        last = -1
        for n, found in enumerate(ordered(scan, setting, self.sheets(), jobs)):
            one = Scan(Sheet(*found[0]), *found[1:])
            leaves = one.leaves
            path = one.sheet.path()
            error = one.error
            if self.part and error is None:
                if any(a >= b for a, b in pairwise((last, *one.indices))):
                    error = ("entries_invalid", "records that are not in ascending order")
                elif one.sheet.number != n:
                    error = ("entries_invalid", "the files before it are not all there")
                elif n + 1 < len(self._present) and len(one.indices) != layout.TILE_WIDTH:
                    error = ("entries_invalid", "not the last file, and not 256 records")
            if error is not None and error[0] != "file_missing":
                self._report.note(*error, path=path)
            if one.sha256:
                self._digests[one.sheet.number] = one.sha256
            if self.part:
                if error is not None:
                    leaves = b""
                else:
                    self._indices.extend(one.indices)
                    last = one.indices[-1]
                self._indices.extend([max(last, 0)] * (256 * (n + 1) - len(self._indices)))
            else:
                leaves = self._against_tile(one, path)
            self.leaves.chunks.append(leaves)
            self.marks.append(b"" if error is not None else one.mark)
            if error is not None:
                continue
            self.records += len(leaves) // 32
            for index, ident, code, message, expected, actual in one.notes:
                self._report.note(code, message, index, ident, path, expected, actual)
            for index, statement in one.key_events:
                key_event(index, statement, merkle.leaf_hash(statement))
            self.erasures.extend([256 * n + k for k in one.erasures])
            self.templates.extend([256 * n + k for k in one.templates])
            progress(n)

    def _against_tile(self, one: Scan, path: str) -> bytes:
        """Compare leaf hashes with the level-0 tile; return those that the tree is made of."""
        sheet = one.sheet
        tile: bytes | None = None
        tile_at = layout.tile_path(0, sheet.number, sheet.width)
        try:
            tile = self._package.read(tile_at, layout.TILE_MAX_BYTES)
        except Refused as e:
            if e.code != "file_missing":
                self._report.add(e, path=tile_at)
        if tile is not None and len(tile) != 32 * sheet.width:
            self._report.note("tile_mismatch", f"not {sheet.width} hashes", path=tile_at)
            tile = None
        leaves = one.leaves if one.error is None else tile or b""
        if tile is not None and leaves != tile:
            for k in range(sheet.width):
                mine, theirs = leaves[32 * k : 32 * k + 32], tile[32 * k : 32 * k + 32]
                if mine != theirs:
                    self._report.note(
                        "leaf_mismatch",
                        "the leaf hash of the statement is not the one in the tile",
                        layout.TILE_WIDTH * sheet.number + k,
                        None,
                        path,
                        theirs.hex(),
                        mine.hex(),
                    )
        if not leaves:
            self.whole = False
        elif len(leaves) == layout.TILE_MAX_BYTES:
            self._level1.append(merkle.pack_root(leaves))
        return leaves

    def root_at(self, size: int) -> bytes | None:
        """Return the root of the first `size` leaves, or None if some are not known."""
        if not self.whole or not 0 < size <= self.size:
            return None
        full, rest = divmod(size, layout.TILE_WIDTH)
        edge = merkle.Frontier()
        for subtree in self._level1[:full]:
            edge.append(subtree, layout.TILE_HEIGHT)
        for k in range(rest):
            edge.append(self.leaves.get(full * 256 + k))
        return edge.root()

    def check_tree(self) -> None:
        """Check inner tiles and the root against the recomputed leaf hashes."""
        if not self.whole:
            return
        level, row = 1, self._level1
        while row:
            for number in range(-(-len(row) // layout.TILE_WIDTH)):
                hashes = row[256 * number : 256 * number + 256]
                path = layout.tile_path(level, number, len(hashes))
                try:
                    tile = self._package.read(path, layout.TILE_MAX_BYTES)
                except Refused as e:
                    self._report.add(e, path=path)
                    continue
                if tile != b"".join(hashes):
                    self._report.note("tile_mismatch", "not the recomputed hashes", path=path)
            full = len(row) // layout.TILE_WIDTH
            row = [merkle.pack_root(b"".join(row[256 * i : 256 * i + 256])) for i in range(full)]
            level += 1
        root = self.root_at(self.size)
        if self.head is not None and root is not None and root != self.head.root:
            self._report.note(
                "root_mismatch",
                "the recomputed root is not that of the head",
                path=layout.CHECKPOINT,
                expected=self.head.root.hex(),
                actual=root.hex(),
            )
