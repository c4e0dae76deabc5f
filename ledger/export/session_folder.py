"""The session folder of a package (specs/11): copies of contents and lists, one purpose a folder.

One pass over the selection. A copy is written when its content is in the package; lists are
gathered beside it and written at the end.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from ledger.errors import ContentError, ExportError
from ledger.export.bag import Bag
from ledger.export.contents import PIECE_BYTES
from ledger.export.facts import group, reference, text
from ledger.export.listing import (
    FAULTS,
    PREFIX,
    SESSION_TYPES,
    Lists,
    chronolog_path,
    fault,
    project,
    project_path,
    safe_name,
    timing,
)
from ledger.export.selection import Selection
from ledger.formats.content import ContentRef
from ledger.reader import Entry, Reader

_SUFFIXES = {
    "application/json": ".json",
    "text/markdown": ".md",
    "text/event-stream": ".sse",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "text/html": ".html",
}
_FROZEN = {
    "experiment_snapshot": ("experiment_snapshot", ".md"),
    "framework_snapshot": ("framework_snapshot", ".md"),
    "corpus_manifest": ("corpus_manifest", ".json"),
}


def suffix(media_type: str) -> str:
    """Return the suffix of a file of this media type (specs/11 section 1)."""
    kind = media_type.partition(";")[0].strip(" \t").lower()
    if kind in _SUFFIXES:
        return _SUFFIXES[kind]
    if kind.endswith("+json"):
        return ".json"
    return ".txt" if kind.startswith("text/") else ".bin"


class SessionFolder:
    """Writes the folder of one session, or, of a whole ledger, only the lists of its projects."""

    def __init__(
        self, log: Reader, bag: Bag, lists: Lists, erased: Container[bytes] | None
    ) -> None:
        self._log = log
        self._bag = bag
        self._lists = lists
        self._erased = erased
        self._indices: dict[bytes, int] = {}
        self._unanswered: set[bytes] = set()
        self._outcomes: set[bytes] = set()
        self._runs: dict[str, int] = {}
        self._frozen: Any = ()

    def write(self, selection: Selection) -> None:
        """Go through the selection and write all files."""
        is_session = selection.kind == "session"
        for entry in selection.entries(self._log):
            session = entry.payload.session
            if session is not None and entry.payload.type in ("session_open", "session_close"):
                line = project(entry, self._indices.get)
                self._lists.add(project_path(session), line)
            if is_session:
                self._take(entry)
        self._copy_frozen()
        for path, pieces in self._lists:
            self._bag.add(path, pieces, compress=True)

    def _take(self, entry: Entry) -> None:
        payload, body = entry.payload, entry.payload.body
        if payload.type in ("intent", "outcome"):
            self._indices[entry.leaf_hash] = entry.index
        if payload.type == "session_open":
            self._runs[payload.stream_id] = body["run"]
            self._frozen = body["frozen"]
        if payload.type in SESSION_TYPES:
            run = self._runs.get(payload.stream_id)
            if run is not None:
                self._lists.add(chronolog_path(run), timing(entry, self._indices.get))
            self._lists.add(FAULTS, fault(entry, self._indices.get))
        if self._erased is not None:
            self._copies(entry)

    def _copies(self, entry: Entry) -> None:
        payload, body, index = entry.payload, entry.payload.body, entry.index
        if payload.type == "intent":
            self._unanswered.add(entry.leaf_hash)
            self._pair(index, "request", reference(body, "request"), {})
        elif payload.type == "outcome":
            self._outcomes.add(entry.leaf_hash)
            intent = payload.parents[0].leaf_hash
            if intent in self._unanswered:
                self._unanswered.discard(intent)
                headers = group(body, "response_headers")
                self._pair(self._indices[intent], "response", reference(body, "response"), headers)
        elif payload.type == "witness":
            output = reference(group(body, "output"), "output_hash")
            self._copy("analysis_results", f"{index:08}", output)
            if not payload.parents or payload.parents[0].leaf_hash not in self._outcomes:
                raw = group(body, "raw")
                self._pair(index, "request", reference(raw, "request"), {})
                headers = group(raw, "response_headers")
                self._pair(index, "response", reference(raw, "response"), headers)
        elif payload.type == "savepoint":
            self._copy("system_state", f"{index:08}", reference(body, "state"))

    def _pair(self, index: int, part: str, ref: ContentRef | None, headers: Any) -> None:
        encoded = (text(headers, "content-encoding") or "").lower() == "gzip"
        self._copy("llm_archive", f"{index:08}.{part}", ref, ".gz" if encoded else "")

    def _copy(self, folder: str, name: str, ref: ContentRef | None, after: str = "") -> None:
        if ref is not None:
            self._add(f"{PREFIX}{folder}/{name}{suffix(ref.media_type)}{after}", ref)

    def _copy_frozen(self) -> None:
        if self._erased is None:
            return
        seen: dict[str, int] = {}
        for item in self._frozen:
            ref = reference(item, "content")
            role = item["role"]
            number = seen[role] = seen.get(role, 0) + 1
            if ref is None:
                continue
            if role in _FROZEN:
                stem, end = _FROZEN[role]
                name = f"{stem}.{number}{end}" if number > 1 else f"{stem}{end}"
            else:
                name = f"files/{number:03}_{safe_name(item['name'])}"
            self._add(PREFIX + name, ref)

    def _add(self, path: str, ref: ContentRef) -> None:
        if self._erased is None or ref.blake3 in self._erased:
            return
        try:
            file = self._log.open_content(ref)
        except ContentError as error:
            raise ExportError(
                "export_failed",
                f"{path}: {error.message}; it was there a moment ago",
                hint="export again",
            ) from error
        with file:
            self._bag.add(path, _pieces(file), compress=True)


def write_session_folder(
    log: Reader,
    bag: Bag,
    selection: Selection,
    spool_folder: Path,
    erased: Container[bytes] | None,
) -> None:
    """Write what specs/11 asks for in a package of this selection; a range has nothing of it.

    `erased` are the addresses of contents that the package does not hold; None means that it holds
    none at all. Raises `ExportError` export_failed for content that went meanwhile.
    """
    if selection.kind == "range":
        return
    with Lists(spool_folder) as lists:
        SessionFolder(log, bag, lists, erased).write(selection)


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece
