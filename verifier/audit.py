"""The course of a verification (specs/08): what is read in which order, and what follows.

1. The head, then a first pass over the log: hashes, tree, key events.
2. All files against manifests and seal; contents are hashed once, on the way.
3. A second pass: every record by itself (in worker processes when there are many), then in
   log order against its stream, its parents, its contents and all ids.
4. What the whole says: export, completeness, anchoring, trust.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import cbor, cose, ed25519, layout, note
from .bag import Bag
from .chain import Chains
from .contents import Contents
from .errors import CODES, Fatal, Refused
from .events import take_key_event
from .judging import NO_ID, TAG_CLOSE, TAG_WITNESS, judge, judge_sheet
from .keys import Judge, KeyBook
from .lineage import Lineage
from .log import Log
from .package import Package, open_package
from .records import Setting, Sheet, statements
from .report import Report
from .selection import Selection
from .summary import check_consistency_files, check_seal, conclude, finish
from .table import Rows, Table
from .trust import KnownHead, Trust
from .workers import ordered

Progress = Callable[[str, int, int], None]
JOBS_FROM = 20_000


class Audit:
    """One verification of one package; holds what the steps hand on."""

    def __init__(
        self, report: Report, trust: Trust | None, known: KnownHead | None, progress: Progress
    ) -> None:
        self.report = report
        self.trust = trust
        self.known = known
        self.progress = progress
        self.contents = Contents()
        self.chains = Chains()
        self.book = KeyBook()
        self.judge = Judge({})
        self.ids = Rows(16)
        self.log: Log
        self.lineage: Lineage
        self.bag: Bag
        self.selection = Selection()
        self.package: Package
        self.readable = False
        self.below_end = 0
        self._held: tuple[int, list[int], list[bytes]] = (-1, [], [])

    def run(self, path: str, jobs: int) -> None:
        """Verify the package at a path; findings go to the report, Fatal is raised."""
        ed25519.self_test()
        try:
            self.package = open_package(path)
        except Refused as e:
            self.report.add(e)
            return
        try:
            self._steps(jobs)
        finally:
            self.package.close()

    def _steps(self, jobs: int) -> None:
        report, package = self.report, self.package
        head = self._head()
        log = self.log = Log(package, report, head)
        if log.size < JOBS_FROM and jobs < 0:
            jobs = 1
        jobs = abs(jobs)
        self.lineage = Lineage(log.leaves, self.ids, log.index_of, log.part)
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
        self.judge = self.book.compile()
        setting = self._setting()
        self.selection = self._export(setting)
        self.bag = Bag(package, report, self.contents, log.digest, log.belongs)
        self.bag.check(lambda n: self.progress("files", n, 0))
        check_seal(self)
        check_consistency_files(self)
        self._erasures(setting)
        self._records(setting, jobs, total)
        conclude(self)
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

    def _statement(self, position: int) -> tuple[int, bytes] | None:
        """Return index and bytes of the record at a position, or None if it cannot be read."""
        number = position >> 8
        if position < 0 or not self.log.marks[number]:
            return None
        if self._held[0] != number:
            sheet = self.log.sheet(number)
            try:
                _, indices, entries = statements(self.package, sheet)
            except Refused:
                raise Fatal(
                    "input_unreadable", f"{sheet.path()} changed while it was read"
                ) from None
            self._held = (number, indices, entries)
        return self._held[1][position & 255], self._held[2][position & 255]

    def _export(self, setting: Setting) -> Selection:
        """Return what the export statement says, if the last leaf is a valid one."""
        last = self._statement(self.log.position_of(self.log.size - 1))
        if last is None:
            return Selection()
        payload = self.valid(setting, *last, "export")
        return Selection(payload, last[0])

    def _erasures(self, setting: Setting) -> None:
        """Collect valid erasure statements, wherever in the log they are."""
        for position in self.log.erasures:
            found = self._statement(position)
            if found is None:
                continue
            payload = self.valid(setting, *found, "erasure")
            if payload is not None:
                self.contents.add_erasure(payload["body"]["content"]["blake3"], found[0])

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
                continue
            ids, facts, notes = next(results)
            self.ids.chunks.append(ids)
            for one in notes:
                self._note(*one)
            self._take(n, sheets[n], facts, table)
            self.progress("records", n, total)
        if self.contents.untold:
            self.report.count_more("content_withheld", self.contents.untold)

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

    def _take(self, n: int, sheet: Sheet, facts: list[Any], table: Table) -> None:
        """Take the records of a sheet in order: ids, stream, parents, contents."""
        log, report, ids = self.log, self.report, self.ids.chunks[n]
        counts = report.counts
        leaves = log.leaves.chunks[n]
        selection, contents = self.selection, self.contents
        for k, fact in enumerate(facts):
            position = n * 256 + k
            index = log.index_of(position)
            counts["statements"] += 1
            ident = ids[16 * k : 16 * k + 16]
            if ident != NO_ID:
                earlier = table.add(ident, position)
                if earlier >= 0:
                    message = f"the statement at index {log.index_of(earlier)} has the same id"
                    report.note("id_duplicate", message, index, uuid_text(ident))
            if fact is None:
                continue
            stream, issuer, seq, prev, session, tag, parents, refs = fact
            leaf = leaves[32 * k : 32 * k + 32]
            found = self.chains.add(
                index,
                leaf,
                stream,
                issuer,
                seq,
                prev,
                session,
                tag == TAG_CLOSE,
                index < selection.end,
            )
            if found is not None:
                for e in found:
                    if e.code != "stream_partial" or (log.part and not selection.signed):
                        report.add(e, index=index, ident=uuid_text(ident))
            self.below_end += index < selection.end
            selected = selection.holds(index, session)
            if selected:
                selection.found += 1
            elif log.part and selection.signed and not selection.admits(index, stream):
                report.note(
                    "export_invalid",
                    "a record that does not belong to the selection",
                    index,
                    uuid_text(ident),
                )
            if tag == TAG_WITNESS:
                counts["witnesses"] += 1
            elif tag == TAG_CLOSE and (not log.part or selection.kind == "session"):
                seen = self.chains.seen(stream)
                if seen != seq + 1:
                    message = f"stream {stream} is closed with {seq + 1} statements"
                    report.note(
                        "stream_incomplete",
                        message,
                        index,
                        uuid_text(ident),
                        None,
                        str(seq + 1),
                        str(seen),
                    )
            if parents:
                for e in self.lineage.check(index, parents):
                    report.add(e, index=index, ident=uuid_text(ident))
            if refs:
                for e in contents.check(
                    refs, selected, selection.withheld, report.has_room("limit")
                ):
                    report.add(e, index=index, ident=uuid_text(ident))


def uuid_text(raw: bytes) -> str | None:
    """Return 16 bytes as the text of a UUID; None for a record without an id."""
    if raw == NO_ID:
        return None
    h = raw.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
