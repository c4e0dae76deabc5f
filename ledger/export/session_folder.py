"""The session folder of a package (specs/11): copies of contents and lists, one purpose a folder.

One pass over the selection. A copy is written when its content is in the package; lists are
gathered beside it and written at the end.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
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

PARTS = (
    *("experiment_snapshot.md", "framework_snapshot.md", "corpus_manifest.json", "files"),
    *("sessions", "llm_archive", "analysis_results", "system_state", "fault_recovery"),
)
"""What may stand right below `data/session/`, in the order of the page."""


@dataclass(frozen=True, slots=True)
class Laid:
    """What a package has of specs/11: which of `PARTS`, and whether lists of projects."""

    parts: tuple[str, ...] = ()
    projects: bool = False


def suffix(media_type: str) -> str:
    """Return the suffix of a file of this media type (specs/11 section 1)."""
    kind = media_type.partition(";")[0].strip(" \t").lower()
    if kind.endswith("+json"):
        return ".json"
    return _SUFFIXES.get(kind) or (".txt" if kind.startswith("text/") else ".bin")


class SessionFolder:
    """Writes the folder of one session, or, of a whole ledger, only the lists of its projects."""

    def __init__(
        self, log: Reader, bag: Bag, lists: Lists, erased: Container[bytes] | None
    ) -> None:
        self._log = log
        self._bag = bag
        self._lists = lists
        self._erased = erased
        self._indices: dict[str, dict[bytes, int]] = {"intent": {}, "outcome": {}}
        self._responses: set[str] = set()
        self._runs: dict[str, int] = {}
        self._frozen: Any = ()
        self._parts: set[str] = set()
        self._has_projects = False

    def write(self, selection: Selection) -> Laid:
        """Go through the selection, write all files, and say what there is."""
        is_session = selection.kind == "session"
        for entry in selection.entries(self._log):
            session = entry.payload.session
            if session is not None and entry.payload.type in ("session_open", "session_close"):
                self._lists.add(project_path(session), project(entry, self._index_of))
            if is_session:
                self._take(entry)
        self._copy_frozen()
        for path, pieces in self._lists:
            self._put(path, pieces)
        parts = tuple(part for part in PARTS if part in self._parts)
        return Laid(parts, self._has_projects)

    def _take(self, entry: Entry) -> None:
        payload, body = entry.payload, entry.payload.body
        if payload.type in self._indices:
            self._indices[payload.type][entry.leaf_hash] = entry.index
        if payload.type == "session_open":
            self._runs[payload.stream_id] = body["run"]
            self._frozen = body["frozen"]
        if payload.type in SESSION_TYPES:
            run = self._runs.get(payload.stream_id)
            if run is not None:
                self._lists.add(chronolog_path(run), timing(entry, self._index_of))
            self._lists.add(FAULTS, fault(entry, self._index_of))
        if self._erased is not None:
            self._copies(entry)

    def _copies(self, entry: Entry) -> None:
        payload, body, index = entry.payload, entry.payload.body, entry.index
        if payload.type == "intent":
            self._copy("llm_archive", f"{index:08}.request", reference(body, "request"))
        elif payload.type == "outcome":
            intent = self._index_of("intent", payload.parents[0].leaf_hash)
            headers = group(body, "response_headers")
            if intent is not None:
                self._response(intent, reference(body, "response"), headers)
        elif payload.type == "witness":
            output = reference(group(body, "output"), "output_hash")
            self._copy("analysis_results", f"{index:08}", output)
            first = payload.parents[0] if payload.parents else None
            own = first.leaf_hash if first is not None and first.ledger is None else b""
            if self._index_of("outcome", own) is None:
                raw = group(body, "raw")
                name = f"{index:08}"
                self._copy("llm_archive", f"{name}.request", reference(raw, "request"))
                after = _gz(group(raw, "response_headers"))
                self._copy("llm_archive", f"{name}.response", reference(raw, "response"), after)
        elif payload.type == "savepoint":
            self._copy("system_state", f"{index:08}", reference(body, "state"))

    def _index_of(self, kind: str, leaf_hash: bytes) -> int | None:
        return self._indices[kind].get(leaf_hash)

    def _response(self, index: int, ref: ContentRef | None, headers: Mapping[str, object]) -> None:
        if ref is not None:
            path = _path("llm_archive", f"{index:08}.response", ref, _gz(headers))
            # an intent with a second outcome is a finding, and its export must not end here
            if path not in self._responses and self._add(path, ref):
                self._responses.add(path)

    def _copy(self, folder: str, name: str, ref: ContentRef | None, after: str = "") -> None:
        if ref is not None:
            self._add(_path(folder, name, ref, after), ref)

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

    def _add(self, path: str, ref: ContentRef) -> bool:
        """Write a copy unless the package does not hold the content; say whether it was written."""
        if self._erased is None or ref.blake3 in self._erased:
            return False
        try:
            file = self._log.open_content(ref)
        except ContentError as error:
            raise ExportError(
                "export_failed",
                f"{path}: {error.message}; it was there a moment ago",
                hint="export again",
            ) from error
        with file:
            self._put(path, _pieces(file))
        return True

    def _put(self, path: str, pieces: Iterable[bytes]) -> None:
        self._bag.add(path, pieces, compress=True)
        if path.startswith(PREFIX):
            self._parts.add(path.removeprefix(PREFIX).partition("/")[0])
        else:
            self._has_projects = True


def write_session_folder(
    log: Reader,
    bag: Bag,
    selection: Selection,
    spool_folder: Path,
    erased: Container[bytes] | None,
) -> Laid:
    """Write what specs/11 asks for in a package of this selection; a range has nothing of it.

    `erased` are the addresses of contents that the package does not hold; None means that it holds
    none at all. Raises `ExportError` export_failed for content that went meanwhile.
    """
    if selection.kind == "range":
        return Laid()
    with Lists(spool_folder) as lists:
        return SessionFolder(log, bag, lists, erased).write(selection)


def _path(folder: str, name: str, ref: ContentRef, after: str) -> str:
    return f"{PREFIX}{folder}/{name}{suffix(ref.media_type)}{after}"


def _gz(headers: Mapping[str, object]) -> str:
    """Return what is added to the name of a body that came with these headers."""
    return ".gz" if (text(headers, "content-encoding") or "").lower() == "gzip" else ""


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece
