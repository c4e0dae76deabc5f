"""An Inspect AI `.eval` file: a zip of JSON documents, read member by member and never extracted.

    header.json          what was run, its status and totals; `_journal/start.json` until it ends
    samples/<name>.json  one sample and epoch, with its events, attachments and message pools
    summaries.json       a line for each sample; `_journal/summaries/<n>.json` until it ends

A file comes from elsewhere, so sizes are checked before anything is read: what the directory
declares, what a member then yields, and how far it was compressed. Zstandard members, which newer
versions of Inspect can write, are `source_unsupported`: Python's `zipfile` does not read them.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from ledger.capture import fitting
from ledger.errors import ImportSourceError
from ledger.formats.values import LABEL

MEMBERS_MAX = 1_000_000
MEMBER_MAX_BYTES = 256 << 20
RATIO_MAX = 1100
RATIO_FREE_BYTES = 1 << 20
VERSIONS = (1, 2)

_NOT_LABEL = re.compile(r"[^A-Za-z0-9._@:-]+")


class InspectFile:
    """An open `.eval` file; raises `ImportSourceError` (`source_unreadable`, `…_unsupported`)."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the directory and the header."""
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise _unreadable("not a zip file", error) from None
        self._members = self._directory()
        self.samples = sorted(
            (name for name in self._members if name.startswith("samples/")),
            key=lambda name: self._members[name].header_offset,
        )
        if any(not name.endswith(".json") for name in self.samples):
            raise ImportSourceError("source_unsupported", "samples are not kept as JSON")
        self.header = self._header()

    def _directory(self) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        listed = self._zip.infolist()
        if len(listed) > MEMBERS_MAX:
            raise ImportSourceError("source_unreadable", f"more than {MEMBERS_MAX} members")
        for member in listed:
            name = member.filename
            if member.is_dir():
                continue
            if name in members:
                raise ImportSourceError("source_unreadable", f"{_shown(name)} is there twice")
            members[name] = member
        return members

    def _header(self) -> dict[str, Any]:
        name = "header.json" if "header.json" in self._members else "_journal/start.json"
        if name not in self._members:
            raise ImportSourceError("source_unsupported", "no header.json: not an Inspect log")
        header = fitting.as_map(self.document(name))
        if header.get("version") not in VERSIONS or not isinstance(header.get("eval"), dict):
            raise ImportSourceError("source_unsupported", "an unknown version of Inspect logs")
        return header

    def document(self, name: str) -> Any:
        """Return the JSON document in a member."""
        data = self._read(self._members[name])
        try:
            return json.loads(data, parse_constant=str, parse_float=_number)
        except (ValueError, RecursionError) as error:
            raise _unreadable(f"{_shown(name)} is not JSON", error) from None

    def _read(self, member: zipfile.ZipInfo) -> bytes:
        name, size_bytes = _shown(member.filename), member.file_size
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ImportSourceError(
                "source_unsupported",
                f"{name} is compressed by a method that is not read here",
                hint="write the file anew as a zip with deflate compression",
            )
        if member.flag_bits & 1:
            raise ImportSourceError("source_unsupported", f"{name} is encrypted")
        squeezed = size_bytes > RATIO_MAX * max(member.compress_size, 1)
        if size_bytes > MEMBER_MAX_BYTES or (size_bytes > RATIO_FREE_BYTES and squeezed):
            raise ImportSourceError(
                "source_unreadable",
                f"{name} has {size_bytes} bytes in {member.compress_size}: beyond the bounds",
            )
        try:
            with self._zip.open(member) as stream:
                data = stream.read(size_bytes + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
            raise _unreadable(f"{name} cannot be read", error) from None
        if len(data) != size_bytes:
            raise ImportSourceError("source_unreadable", f"{name} is not as long as it says")
        return data

    def listed_samples(self) -> Iterator[tuple[str, int]]:
        """Yield id and epoch of each sample that the summaries list."""
        names = ["summaries.json"]
        if "summaries.json" not in self._members:
            names = [name for name in self._members if name.startswith("_journal/summaries/")]
        for name in names:
            for summary in fitting.as_list(self.document(name)):
                found = fitting.as_map(summary)
                yield str(found.get("id")), int(fitting.count(found.get("epoch")) or 0)

    def session_label(self) -> str:
        """Return `inspect/<task>/<eval_id>` as a label: other characters become `-`."""
        run = self.header["eval"]
        task = _NOT_LABEL.sub("-", str(run.get("task") or "task"))
        run_id = _NOT_LABEL.sub("-", str(run.get("eval_id") or run.get("run_id") or "run"))[:64]
        label = f"inspect/{task[: 128 - len('inspect//') - len(run_id)]}/{run_id}"
        if not LABEL.fullmatch(label):
            raise AssertionError("every other character was replaced")
        return label


def _number(text: str) -> float | str:
    """Return a number; NaN and infinities, which Inspect writes and JSON has not, stay text."""
    value = float(text)
    return value if math.isfinite(value) else text


def _shown(name: str) -> str:
    return ascii(name[:120])[1:-1]


def _unreadable(what: str, error: Exception) -> ImportSourceError:
    return ImportSourceError("source_unreadable", f"{what} ({type(error).__name__})")
