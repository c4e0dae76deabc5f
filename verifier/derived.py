"""The session folder derived again, and compared with what the package holds (specs/11)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from . import cbor, cose, folder
from .bodies import check_body
from .content import REF_MARK, SALT_BYTES, archived_size
from .contents import content_path, row
from .errors import Refused
from .judging import NO_ID
from .package import ignore
from .statement import SESSION_TYPES

if TYPE_CHECKING:
    from .audit import Audit

_DIGEST = 32


class Derived:
    """One derivation, for a signed package of a session or of a whole ledger."""

    def __init__(self, a: Audit) -> None:
        self._a = a
        self._files = a.derived
        self._lists: dict[str, Any] = {}
        self._runs: dict[str, int] = {}
        self._newest: dict[str, Any] | None = None
        self._check_bodies = a.report.has("body_invalid")
        self._skipped = False

    def run(self) -> None:
        """Derive every file, and report what is missing, too much or different."""
        a = self._a
        if a.selection.kind == "session":
            for position in a.log.positions():
                self._take(position)
        elif a.selection.kind == "ledger":
            for position in a.sessions.events():
                found = self._payload(position)
                if found is not None:
                    self._project(*found)
        if self._newest is not None:
            for path, ref in folder.frozen_copies(self._newest):
                self._copy(path, ref)
        for path, found in self._lists.items():
            self._whole_list(path, found.digest())
        self._unexpected()

    def _payload(self, position: int) -> tuple[int, dict[str, Any]] | None:
        """Return index and payload of a record of the selection, if it is valid."""
        a = self._a
        found = a.statement(position)
        if found is None or a.ids.get(position) == NO_ID:
            return None
        p = cbor.decode(cose.parse(found[1])[1])
        selection = a.selection
        if not selection.start <= found[0] < selection.end or (
            selection.kind == "session" and p.get("session") != selection.session
        ):
            return None
        if self._check_bodies:
            try:
                check_body(p, cbor.find_marked(p, REF_MARK), None)
            except Refused:
                self._skipped = True
                return None
        return found[0], p

    def _take(self, position: int) -> None:
        """Take a statement of a session."""
        found = self._payload(position)
        if found is None:
            return
        index, p = found
        kind = p["type"]
        if kind not in SESSION_TYPES and kind != "witness":
            return
        parents = [parent["leaf_hash"] for parent in p.get("parents", ())]
        intent, of_call = None, False
        if kind == "outcome":
            intent = self._a.sessions.index_of("intent", parents[0])
        elif kind == "witness":
            of_call = bool(parents) and self._is_outcome(parents[0])
        for path, ref in folder.copies(index, p, intent, of_call):
            self._copy(path, ref)
        if kind == "witness":
            return
        stream = p["stream"]["id"]
        if kind == "session_open":
            self._newest = p["body"]
            self._runs[stream] = p["body"]["run"]
        run = self._runs.get(stream)
        if run is not None:
            line = folder.chronolog_line(index, p, intent)
            self._list(folder.chronolog_path(run), line)
        outcomes = []
        if kind == "reuse":
            found_outcomes = [self._a.sessions.index_of("outcome", leaf) for leaf in parents]
            outcomes = [one for one in found_outcomes if one is not None]
        fault = folder.fault_line(index, p, intent, outcomes)
        if fault is not None:
            self._list(folder.FAULTS, fault)
        self._project(index, p)

    def _is_outcome(self, leaf: bytes) -> bool:
        return self._a.sessions.index_of("outcome", leaf) is not None

    def _project(self, index: int, p: dict[str, Any]) -> None:
        if p["type"] in ("session_open", "session_close"):
            self._list(folder.project_path(p["session"]), folder.project_line(index, p))

    def _list(self, path: str, line: bytes) -> None:
        if path not in self._lists:
            self._lists[path] = hashlib.sha256()
        self._lists[path].update(line)

    def _copy(self, path: str, ref: dict[str, Any]) -> None:
        """Check the copy of a content that is in the package; of two, the first is there."""
        contents = self._a.contents
        if not contents.present(ref["blake3"]):
            return
        found = self._files.claim(path)
        if not contents.holds(row(ref["blake3"], ref["sha256"], archived_size(ref))):
            return  # the content has a finding
        if not found:
            self._missing(path, found)
        elif int.from_bytes(found[_DIGEST:], "big") != ref["size_bytes"]:
            size = str(int.from_bytes(found[_DIGEST:], "big"))
            self._differs(path, "not the length of the content", str(ref["size_bytes"]), size)
        else:
            try:
                self._compare(path, found, self._plain(ref))
            except Refused as e:
                self._a.report.add(e, path=content_path(ref["blake3"]))

    def _plain(self, ref: dict[str, Any]) -> bytes:
        """Return the SHA-256 of a content without its salt."""
        if "salted" not in ref:
            digest: bytes = ref["sha256"]
            return digest
        plain, skip = hashlib.sha256(), SALT_BYTES
        for piece in self._a.package.stream(content_path(ref["blake3"])):
            plain.update(piece[skip:])
            skip = max(0, skip - len(piece))
        return plain.digest()

    def _whole_list(self, path: str, digest: bytes) -> None:
        found = self._files.claim(path)
        if found:
            self._compare(path, found, digest)
        else:
            self._missing(path, found)

    def _missing(self, path: str, found: bytes | None) -> None:
        if found is None:
            text = "the log implies this file, and it is not in the package"
            self._a.report.note("file_missing", text, path=path)

    def _compare(self, path: str, found: bytes, digest: bytes) -> None:
        if found[:_DIGEST] != digest:
            self._differs(path, "not what the log implies", digest.hex(), found[:_DIGEST].hex())

    def _differs(self, path: str, text: str, expected: str, actual: str) -> None:
        self._a.report.note("derived_mismatch", text, None, None, path, expected, actual)

    def _unexpected(self) -> None:
        """Report files of the folder that do not follow from the log."""
        if not self._files.open():
            return
        if self._skipped:
            text = "files of the session folder that only an invalid statement may imply"
            self._a.report.not_checked.append(text)
            return
        for path, _ in self._a.package.walk("data/", ignore):
            if folder.is_derived(path) and self._files.open(path):
                text = "not a file that follows from the log"
                self._a.report.note("file_unexpected", text, path=path)


def check_derived(a: Audit) -> None:
    """Check the session folder and the chronologs, or say why they were not checked."""
    if not a.selection.signed:
        if len(a.derived):
            a.report.not_checked.append("the session folder: the package is unsigned")
    elif a.sessions.uncertain() or a.report.has("stream_incomplete"):
        if len(a.derived) or a.sessions.opened():
            a.report.not_checked.append("the session folder: not all statements are valid")
    else:
        Derived(a).run()
