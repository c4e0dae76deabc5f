"""The BagIt frame of a package (specs/07 §2): which file is in which list, and the lists
themselves.

| list | files |
|---|---|
| `manifest-sha256.txt` | everything below `data/` |
| `tagmanifest-sha256.txt` | the other tag files: `README.md`, `bag-info.txt`, `bagit.txt`, … |
| `seal-sha256.txt` | `README.md` and everything below `data/` but `data/log/` |

A line is 64 hex digits, two spaces, the path and a newline; lines are in bytewise order of path.
The seal is written before the export statement that signs it, the rest after it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from ledger.export.sink import Sink, Written
from ledger.export.spool import SortedSpool

BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
SOFTWARE_AGENT = "vif-ledger"
PAYLOAD_PREFIX = "data/"
LOG_PREFIX = "data/log/"
_JOIN_BYTES = 1 << 16


class Bag:
    """A package under construction: files go in, lists come out.

    Payload files may come in any order; the lists are sorted on disk, so that memory does not grow
    with their number. A context manager, because sorting uses temporary files.
    """

    def __init__(self, sink: Sink, spool_folder: Path) -> None:
        self._sink = sink
        self._sealed = SortedSpool(spool_folder)
        self._log = SortedSpool(spool_folder)
        self._tags: dict[str, bytes] = {}
        self._payload_files = 0
        self._payload_bytes = 0

    def add(self, path: str, chunks: Iterable[bytes], *, compress: bool = False) -> Written:
        """Write one file of the payload, or `README.md`."""
        written = self._sink.add(path, chunks, compress=compress)
        key, value = path.encode("ascii"), written.sha256.hex().encode("ascii")
        if path.startswith(LOG_PREFIX):
            self._log.add(key, value)
        else:
            self._sealed.add(key, value)
        if path.startswith(PAYLOAD_PREFIX):
            self._payload_files += 1
            self._payload_bytes += written.size_bytes
        else:
            self._tags[path] = written.sha256
        return written

    def seal(self) -> Written:
        """Write `seal-sha256.txt` over all files so far and say what an export statement signs."""
        return self._add_tag("seal-sha256.txt", _joined(self._sealed))

    def close(self, *, date: str, origin: str) -> None:
        """Write the tag files; `date` is YYYY-MM-DD, `origin` that of the ledger."""
        self._add_tag("bagit.txt", [BAGIT])
        info = (
            f"Bagging-Date: {date}\n"
            f"External-Identifier: {origin}\n"
            f"Payload-Oxum: {self._payload_bytes}.{self._payload_files}\n"
            f"Bag-Software-Agent: {SOFTWARE_AGENT}\n"
        )
        self._add_tag("bag-info.txt", [info.encode("ascii")])
        prefix = PAYLOAD_PREFIX.encode("ascii")
        payload = (item for item in self._sealed if item[0].startswith(prefix))
        self._add_tag("manifest-sha256.txt", _joined(heapq.merge(payload, self._log)))
        tags = sorted((path.encode(), digest.hex().encode()) for path, digest in self._tags.items())
        self._sink.add("tagmanifest-sha256.txt", _joined(tags), compress=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sealed.__exit__()
        self._log.__exit__()

    def _add_tag(self, path: str, chunks: Iterable[bytes]) -> Written:
        written = self._sink.add(path, chunks, compress=True)
        self._tags[path] = written.sha256
        return written


def _joined(lines: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """List lines in pieces of a size worth a write."""
    held = bytearray()
    for path, digest in lines:
        held += digest + b"  " + path + b"\n"
        if len(held) >= _JOIN_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
