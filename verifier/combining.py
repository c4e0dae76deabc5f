"""The audit's operations: which statements the rules need, and what they report (specs/08, 12).

While the records are read, only marks are made. When all were read, those that are needed are
picked out of the sheets, those of other ledgers first, and judged in log order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .chain import TAG_CROSS_MODEL, TAG_INSIGHT, TAG_PROVENANCE, TAG_WITNESS, Fact
from .claims import Claims
from .combination_rules import CombinationRules, away
from .lineage import NOWHERE, OUTSIDE_BYTES, PARENT_BYTES
from .part_ground import AWAY, STAGES, PartGround
from .part_tables import Witness
from .parts import pick
from .report import plural
from .stage_rules import StageRules, made_with
from .table import CHUNK_ROWS

if TYPE_CHECKING:
    from .audit import Audit

_NAMED, _SUBJECT = 1, 2
_NO_STREAM = -1


class Combining:
    """Follows the operations of a whole ledger or a session; in other parts it only counts."""

    def __init__(self, a: Audit) -> None:
        self._a = a
        part, selection = a.log.part, a.selection
        self.checked = not part or (selection.signed and selection.kind == "session")
        self._only = selection.session if part else None
        self._lost = not part and not a.log.whole
        self._audits = [a, *a.beside.values()]
        self._numbers = {genesis: n for n, genesis in enumerate(a.beside, 1)}
        self._wanted = [bytearray() for _ in self._audits]
        self._unsure: set[int] = set()
        self.seen = 0
        self._ground = PartGround(a.emit, self._audits)
        self._stages = StageRules(self._ground)
        self._combinations = CombinationRules(self._ground)
        self._claims = Claims(self._ground)

    def lose(self) -> None:
        """Note that a record could not be read."""
        self._lost = True

    def take(self, position: int, fact: Fact) -> None:
        """Take a record of one of the five types, or one that cannot be read."""
        session, tag, parents, foreign = fact[4], fact[5], fact[6], fact[9]
        if tag < TAG_INSIGHT:
            self._lost = True
            return
        self.seen += 1
        if not self.checked or (self._only is not None and session != self._only):
            return
        if not self._ground.valid(0, position):
            self._unsure.add(self._ground.names.of(session))
            return
        self._mark(0, position, _SUBJECT)
        self._mark_parents(0, position, parents, foreign)

    def _mark_parents(self, package: int, position: int, parents: bytes, foreign: bytes) -> None:
        """Mark the parents of a record, wherever they are."""
        a, other = self._audits[package], 0
        for at in range(0, len(parents), PARENT_BYTES):
            if parents[at + 32 : at + PARENT_BYTES] != NOWHERE:
                place = a.lineage.position(parents[at : at + 32])
                if 0 <= place < position:
                    self._mark(package, place, _NAMED)
                continue
            genesis, leaf = foreign[other : other + 32], foreign[other + 32 : other + 64]
            other += OUTSIDE_BYTES
            number = self._numbers.get(genesis, 0)
            if number and package == 0:
                place = self._audits[number].lineage.position(leaf)
                if place >= 0:
                    self._mark(number, place, _NAMED)

    def _mark(self, package: int, position: int, mark: int) -> None:
        wanted = self._wanted[package]
        if position >= len(wanted):
            more = self._audits[package].log.leaves
            wanted += bytes(-(-len(more) // CHUNK_ROWS) * CHUNK_ROWS - len(wanted))
        wanted[position] |= mark

    def _picked(self, package: int) -> Iterator[tuple[int, int, bytes, Any]]:
        """Yield position, tag, kid and what is needed of the marked records of a package."""
        a, wanted = self._audits[package], self._wanted[package]
        for n in range(0, len(wanted), CHUNK_ROWS):
            marks = wanted[n : n + CHUNK_ROWS]
            mark = a.log.marks[n // CHUNK_ROWS]
            if not mark or not any(marks):
                continue
            for k in range(CHUNK_ROWS):
                if marks[k] and not self._ground.valid(package, n + k):
                    marks[k] = 0
            sheet = a.log.sheet(n // CHUNK_ROWS)
            for k, tag, kid, what in pick(a.package, sheet, mark, bytes(marks)):
                yield n + k, tag, kid, what

    def _other_ledgers(self) -> None:
        """Make the rows of what is named in other ledgers, with the witnesses of their stages."""
        for package in range(1, len(self._audits)):
            for position, tag, _, p in self._picked(package):
                if tag in STAGES:
                    for parent in made_with(p["body"], p.get("parents", ())):
                        at, place = self._ground.located(package, parent)
                        if at == package and 0 <= place < position:
                            self._mark(package, place, _NAMED)
            for position, tag, kid, what in self._picked(package):
                self._keep(package, position, tag, kid, what)

    def _keep(self, package: int, position: int, tag: int, kid: bytes, what: Any) -> None:
        """Keep the row of a record of another ledger, or of a witness."""
        g = self._ground
        key = g.names.raw(kid)
        if tag == TAG_WITNESS:
            call, *models, prompt, cost, tokens = what
            first, second, third, fourth = (g.names.of(one) for one in models)
            handle = g.shelf.handle(package, prompt)
            row: Any = Witness(
                tag,
                key,
                call,
                (first, second, third, fourth),
                g.names.ref(prompt),
                handle,
                cost,
                tokens,
            )
        elif tag in STAGES:
            row = self._stages.own_row(package, _NO_STREAM, tag, key, what)
            made = made_with(what["body"], what.get("parents", ()))
            prompts, sure, lacking = [], True, False
            for parent in made:
                if "ledger" in parent:
                    continue
                _, place = g.located(package, parent)
                known = place >= 0 and g.valid(package, place) and place < position
                sure = sure and known
                lacking = lacking or place == AWAY
                found = g.rows[package].find(place) if known else None
                if found is not None and found[0] == TAG_WITNESS:
                    prompts.append(Witness(*found).prompt)
            row = row._replace(sure=sure, lacking=lacking, contexts=(*row.contexts, *prompts))
        else:
            row = self._combinations.row(tag, package, key, what)
        g.rows[package].add(position, row)

    def _judge(self, position: int, tag: int, kid: bytes, p: dict[str, Any]) -> None:
        """Judge a statement of one of the five types, and keep its row."""
        g, body = self._ground, p["body"]
        key, session = g.names.raw(kid), g.names.of(p.get("session"))
        number = g.operations.number(session, body["operation"], position)
        parts = [g.part(parent, position) for parent in p.get("parents", ())]
        label = g.names.of(body.get("label"))
        if not g.operations.claim(number, tag, label):
            what = f"{p['type']} {body['label']}" if label else p["type"]
            text = f"the operation has a {what} already"
            g.emit("operation_duplicate", position, text)
        if tag in STAGES:
            stream = self._a.chains.number(p["stream"]["id"])
            own = self._stages.own_row(0, stream, tag, key, p)
            row: Any
            row, lacking = self._stages.take(position, p, parts, own)
            if g.operations.combined[number]:
                text = "a stage of an operation that was combined before"
                g.emit("part_dropped", position, text)
            g.operations.add_stage(number, position)
        else:
            row = self._combinations.row(tag, 0, key, p)
            lacking = away(parts)
            if tag == TAG_PROVENANCE:
                self._combinations.take_chain(position, body, parts, row)
                if "claims" in body:
                    self._claims.add(position)
            else:
                self._combinations.take_whole(position, body, parts, row)
        g.rows[0].add(position, row)
        g.operations.unjudged[number] |= lacking
        if tag == TAG_CROSS_MODEL and not g.operations.combined[number]:
            g.operations.combined[number] = 1
            for at in self._combinations.dropped(number, parts):
                text = "a stage that is not in the combination of its operation, or its provenance"
                g.emit("part_dropped", at, text)

    def finish(self) -> None:
        """Judge the operations, report what the whole says of them, and count."""
        report = self._a.report
        report.counts["parents_outside"] = report.finding_counts.get("parent_outside", 0)
        if not self.checked:
            if self.seen:
                why = "a range" if self._a.selection.signed else "an unsigned part"
                text = f"operations over several statements: the package is {why}"
                report.not_checked.append(text)
            return
        self._other_ledgers()
        for position, tag, kid, what in self._picked(0):
            if tag == TAG_WITNESS or not self._wanted[0][position] & _SUBJECT:
                self._keep(0, position, tag, kid, what)
            else:
                self._judge(position, tag, kid, what)
        self._count()
        self._claims.finish()

    def _count(self) -> None:
        report, operations = self._a.report, self._ground.operations
        combined = sum(operations.combined)
        report.counts["operations"] = combined
        report.counts["operations_open"] = len(operations) - combined
        report.counts["stages"] = operations.count()
        for number, first in enumerate(operations.first):
            if not operations.combined[number] and not self._uncertain(first):
                text = "an operation that was not combined: interrupted, or still going on"
                self._ground.emit("operation_open", first, text)
        unjudged = sum(operations.unjudged)
        if unjudged:
            text = f"rules of operations over statements that are not at hand ({unjudged})"
            report.not_checked.append(text)
        report.not_checked += self._stages.handing.sentences()

    def _uncertain(self, position: int) -> bool:
        """Return whether a combination may be among what could not be read."""
        if self._lost:
            return True
        row = self._ground.rows[0].find(position)
        return bool(self._unsure) and row is not None and row[2] in self._unsure

    def summary(self) -> str:
        """Return what the summary of the axis says of operations; empty if there are none."""
        counts = self._a.report.counts
        number, still = counts["operations"] + counts["operations_open"], counts["operations_open"]
        if not number:
            return ""
        text = f"{plural(number, 'operation')} of {plural(counts['stages'], 'stage')}"
        return text + (f", {still} open" if still else "")
