"""The course of a verification (specs/08): what is read in which order, and what follows.

1. The head, then a first pass over the log: hashes, tree, key events.
2. All files against manifests and seal; contents are hashed once, on the way.
3. A second pass: every record by itself (in worker processes when there are many), then in
   log order against its stream, its parents, its contents and all ids.
4. What the whole says: export, completeness, anchoring, trust.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blake3 import blake3

from . import cbor, cose, ed25519, layout, note
from .ancestors import Edges
from .bag import Bag
from .chain import (
    FOLLOWED,
    TAG_CLOSE,
    TAG_CROSS_MODEL,
    TAG_ERASURE,
    TAG_INSIGHT,
    TAG_REPLAY,
    TAG_WITNESS,
    UNREADABLE,
    Chains,
)
from .combining import Combining
from .contents import ROW_BYTES, Contents
from .derived import check_derived
from .derived_files import DerivedFiles
from .endpoint import Asking
from .errors import CODES, Fatal, Refused
from .events import take_key_event
from .faults import INVALID, Faults
from .following import Following
from .judging import NO_ID, judge, judge_sheet, uuid_text
from .keys import Judge, KeyBook
from .lineage import Lineage
from .log import Log
from .package import Package, open_package
from .records import Setting, Sheet, statements
from .replay_axis import check_replay
from .replaying import Replaying
from .report import Report
from .selection import Selection
from .summary import check_consistency_files, check_seal, conclude, finish
from .table import CHUNK_ROWS, Rows, Table
from .trust import KnownHead, Trust
from .workers import ordered

Progress = Callable[[str, int, int], None]
JOBS_FROM = 20_000
SHEETS_HELD = 6
"""How many sheets are kept for those who ask for single records."""


class Audit:
    """One verification of one package; holds what the steps hand on."""

    def __init__(
        self,
        report: Report,
        trust: Sequence[Trust],
        progress: Progress,
        beside: Mapping[bytes, Audit] | None = None,
        edges: bool = False,
        asking: Asking | None = None,
    ) -> None:
        """Take what is pinned; of the first package also the audits of those beside it.

        `edges`: parents are kept for `--lineage`. `asking`: requests are sent again.
        """
        self.report = report
        self.trust = trust
        self.first = beside is not None
        self.beside: Mapping[bytes, Audit] = beside if beside is not None else {}
        self.known: KnownHead | None = None
        self.head: note.Checkpoint | None = None
        self.progress = progress
        self.asking = asking
        self.edges = Edges() if edges else None
        self.contents = Contents()
        self.derived = DerivedFiles()
        self.chains = Chains()
        self.book = KeyBook()
        self.judge = Judge({})
        self.ids = Rows(16)
        self.log: Log
        self.lineage: Lineage
        self.bag: Bag
        self.selection = Selection()
        self.package: Package
        self.opened = False
        self.readable = False
        self.below_end = 0
        self.sessions: Following
        self.operations: Combining
        self.replays: Replaying
        self.judged = False
        self._erasing: dict[int, bytes] = {}
        self._added: list[tuple[int, str | None]] = []
        self._held: dict[int, tuple[list[int], list[bytes]]] = {}

    def open(self, path: str) -> bool:
        """Open the package at a path and read its head; return whether it can be verified.

        Findings go to the report, Fatal is raised.
        """
        ed25519.self_test()
        try:
            self.package = open_package(path)
        except Refused as e:
            self.report.add(e)
            return False
        self.opened = True
        self.head = self._head()
        return True

    def close(self) -> None:
        """Release what is open."""
        if self.opened:
            self.opened = False
            self.package.close()

    def records(self) -> int:
        """Return the number of positions that the package has."""
        return len(self.ids)

    def verify(self, jobs: int) -> None:
        """Verify the opened package; findings go to the report, Fatal is raised."""
        report, package, head = self.report, self.package, self.head
        log = self.log = Log(package, report, head)
        report.faults = Faults(log.position_of)
        if log.size < JOBS_FROM and jobs < 0:
            jobs = 1
        jobs = abs(jobs)
        self.lineage = Lineage(
            log.leaves, self.ids, log.index_of, log.part, self.beside, self.edges
        )
        total = len(list(log.sheets()))
        if head is not None or not log.part:
            setting = self._setting()
            log.read(
                setting,
                jobs,
                lambda i, raw, leaf: take_key_event(self.book, report, i, raw, leaf),
                lambda n: self.progress("hashes", n, total),
            )
            log.check_tree()
        self.readable = log.records > 0
        if self.book.genesis in self.beside:
            raise Fatal("usage", "two packages of one ledger")
        self.lineage.genesis = self.book.genesis
        self.judge = self.book.compile()
        setting = self._setting()
        self.selection = self._export(setting)
        self.bag = Bag(package, report, self.contents, self.derived, log.digest, log.belongs)
        self.bag.check(lambda n: self.progress("files", n, 0))
        check_seal(self)
        check_consistency_files(self)
        self._erasures(setting)
        self.sessions = Following(self, setting.salted)
        self.operations = Combining(self)
        self.replays = Replaying(self)
        self.replays.judge_others()
        self._records(setting, jobs, total)
        conclude(self)
        check_derived(self)
        check_replay(self)
        finish(self)

    def _setting(self) -> Setting:
        head = self.log.head
        book = self.book
        return Setting(
            self.package,
            self.log.size,
            head.root if head is not None else b"",
            self.judge,
            book.origin,
            book.genesis,
            book.salted,
        )

    def _head(self) -> note.Checkpoint | None:
        """Return the packaged head, or None after a finding."""
        try:
            raw = self.package.read(layout.CHECKPOINT, note.NOTE_MAX_BYTES)
            return note.parse_checkpoint(raw)
        except Refused as e:
            self.report.add(e, path=layout.CHECKPOINT)
            return None

    def valid(self, setting: Setting, index: int, raw: bytes, kind: str) -> Any:
        """Return the payload of a valid statement of this type, or None."""
        if any(CODES[one[2]][0] == "fail" for one in judge(setting, index, raw)):
            return None
        payload = cbor.decode(cose.parse(raw)[1])
        return payload if payload["type"] == kind else None

    def statement(self, position: int) -> tuple[int, bytes] | None:
        """Return index and bytes of the record at a position, or None if it cannot be read."""
        number = position >> 8
        if position < 0 or not self.log.marks[number]:
            return None
        held = self._held.pop(number, None)
        if held is None:
            sheet = self.log.sheet(number)
            try:
                raw, indices, entries = statements(self.package, sheet)
            except Refused:
                raw, indices, entries = b"", [], []
            if blake3(raw).digest(16) != self.log.marks[number]:
                raise Fatal("input_unreadable", f"{sheet.path()} changed while it was read")
            held = indices, entries
            if len(self._held) == SHEETS_HELD:
                del self._held[next(iter(self._held))]
        self._held[number] = held  # the last one asked for is the last one to go
        return held[0][position & 255], held[1][position & 255]

    def valid_body(self, position: int) -> bool:
        """Return whether a record, once all were judged, could be read and has a valid body."""
        if self.ids.get(position) in (NO_ID, b""):
            return False
        return self.report.faults is None or not self.report.faults.at(position) & INVALID

    def _export(self, setting: Setting) -> Selection:
        """Return what the export statement says, if the last leaf is a valid one."""
        last = self.statement(self.log.position_of(self.log.size - 1))
        if last is None:
            return Selection()
        payload = self.valid(setting, *last, "export")
        return Selection(payload, last[0])

    def _erasures(self, setting: Setting) -> None:
        """Collect valid erasure statements, wherever in the log they are."""
        for position in self.log.erasures:
            found = self.statement(position)
            if found is None:
                continue
            payload = self.valid(setting, *found, "erasure")
            if payload is not None:
                address = payload["body"]["content"]["blake3"]
                self.contents.add_erasure(address, found[0])
                if self.log.part:
                    self._erasing[found[0]] = address

    def _records(self, setting: Setting, jobs: int, total: int) -> None:
        """Judge all records, and take what they say in log order."""
        log = self.log
        table = Table(self.ids.get, len(log.leaves))
        sheets = list(log.sheets())
        tasks = [(s, m) for s, m in zip(sheets, log.marks, strict=False) if m]
        results = iter(ordered(judge_sheet, setting, tasks, jobs))
        for n, mark in enumerate(log.marks):
            if not mark:
                self.ids.chunks.append(bytes(len(log.leaves.chunks[n]) // 2))
                self.sessions.lose(CHUNK_ROWS)
                self.operations.lose()
                continue
            ids, facts, notes = next(results)
            self.ids.chunks.append(ids)
            for one in notes:
                self._note(*one)
            self._take(n, sheets[n], facts, table)
            self.progress("records", n, total)
        self._added_erasures()
        self.judged = True
        self.sessions.finish()
        self.operations.finish()
        self.replays.finish()

    def _note(
        self,
        index: int,
        ident: str | None,
        code: str,
        message: str,
        expected: str | None,
        actual: str | None,
    ) -> None:
        self.report.note(code, message, index, ident, None, expected, actual)

    def emit(
        self,
        code: str,
        position: int,
        message: str,
        expected: object = None,
        actual: object = None,
    ) -> None:
        """Report a finding on the record at a position."""
        self.report.note(
            code,
            message,
            self.log.index_of(position),
            uuid_text(self.ids.get(position), 0),
            None,
            None if expected is None else str(expected),
            None if actual is None else str(actual),
        )

    def _take(self, n: int, sheet: Sheet, facts: list[Any], table: Table) -> None:
        """Take the records of a sheet in order: ids, stream, parents, contents."""
        log, report, ids = self.log, self.report, self.ids.chunks[n]
        counts, chains, lineage, contents = report.counts, self.chains, self.lineage, self.contents
        leaves = log.leaves.chunks[n]
        selection = self.selection
        start, end, session_only = selection.start, selection.end, selection.kind == "session"
        signed_part = log.part and selection.signed
        absent = 0
        quiet = selection.withheld and contents.nothing_known() and not report.has_room("limit")
        counts["statements"] += len(facts)
        for position, earlier in table.add_all(ids, 16, n * CHUNK_ROWS, NO_ID):
            message = f"the statement at index {log.index_of(earlier)} has the same id"
            ident = uuid_text(ids, position % CHUNK_ROWS)
            report.note("id_duplicate", message, log.index_of(position), ident)
        for k, (index, fact) in enumerate(zip(log.indices(n), facts, strict=False)):
            if fact is None:
                self.sessions.lose(1)
                self.operations.lose()
                continue
            stream, _, seq, _, session, tag, parents, refs, _, foreign = fact
            selected = start <= index < end and not (session_only and session != selection.session)
            stray = signed_part and not selected and not selection.admits(index, stream)
            added = stray and tag == TAG_ERASURE and index < end
            counted = index < end and not added
            found = chains.add(index, leaves[32 * k : 32 * k + 32], fact, counted)
            broken = False
            if found is not None:
                broken = self._chain(index, uuid_text(ids, k), found, selected)
            self.below_end += counted
            selection.found += selected
            if added:
                self._added.append((index, uuid_text(ids, k)))
            elif stray:
                self._stray(index, uuid_text(ids, k))
            if tag == TAG_WITNESS:
                counts["witnesses"] += 1
            elif tag == TAG_CLOSE and (not log.part or session_only):
                seen = chains.seen(stream)
                if seen != seq + 1:
                    message = f"stream {stream} is closed with {seq + 1} statements"
                    report.note(
                        "stream_incomplete",
                        message,
                        index,
                        uuid_text(ids, k),
                        None,
                        str(seq + 1),
                        str(seen),
                    )
            if parents:
                for e in lineage.check(n * CHUNK_ROWS + k, index, parents, foreign):
                    report.add(e, index=index, ident=uuid_text(ids, k))
            if broken or seq == UNREADABLE or tag in FOLLOWED:
                self.sessions.take(n * CHUNK_ROWS + k, fact, broken)
            if seq == UNREADABLE or TAG_INSIGHT <= tag <= TAG_CROSS_MODEL:
                self.operations.take(n * CHUNK_ROWS + k, fact)
            elif tag >= TAG_REPLAY:
                self.replays.take(n * CHUNK_ROWS + k, tag)
            if not refs:
                continue
            if quiet:
                absent += len(refs) * selected
                continue
            for e in contents.check(refs, selected, selection.withheld):
                report.add(e, index=index, ident=uuid_text(ids, k))
        if absent:
            contents.count_withheld(absent // ROW_BYTES)
            report.count_more("content_withheld", absent // ROW_BYTES)

    def _chain(self, index: int, ident: str | None, found: list[Refused], selected: bool) -> bool:
        """Report what breaks a stream; return whether records are missing before this one."""
        signed, missing = self.selection.signed, False
        for e in found:
            missing = missing or e.code in ("stream_gap", "stream_partial")
            if e.code != "stream_partial" or (self.log.part and not signed):
                self.report.add(e, index=index, ident=ident)
            elif selected and self.selection.kind == "session":
                self.report.note("stream_incomplete", e.message, index, ident)
        return missing

    def _stray(self, index: int, ident: str | None) -> None:
        why = "a record that does not belong to the selection"
        self.report.note("export_invalid", why, index, ident)

    def _added_erasures(self) -> None:
        """Refuse erasures outside the selection that name no content of it (07 section 4).

        Only now is it known what the selection refers to, for it may come before or after.
        """
        for index, ident in self._added:
            address = self._erasing.get(index)
            if address is None or address not in self.contents.erased_and_named:
                self._stray(index, ident)
