"""One operation examined: every rule of specs/12, at every statement that belongs to it.

What a joined stage is found to be counts for the chain that names it, and so its findings as a
member of its own operation do; `elsewhere` tells these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from ledger.formats.payload import STAGE_TYPES, Parent
from ledger.operations.chain import chain_findings, is_joined
from ledger.operations.computed import claim_findings, compute
from ledger.operations.contexts import context_findings
from ledger.operations.membership import Members, membership_findings
from ledger.operations.numbers import stage_numbers
from ledger.operations.report import (
    Computed,
    Finding,
    Judged,
    NotJudged,
    OperationName,
    OperationReport,
    StagePart,
)
from ledger.operations.sound import own_findings, parent_findings
from ledger.operations.stages import stage_findings
from ledger.operations.statements import Resolved, Seen, Statements
from ledger.operations.whole import whole_findings
from ledger.reader import Reader

__all__ = ["Examination"]

KEPT = 1024

Elsewhere = Callable[[Seen], Iterable[Finding]]
"""Findings of a joined stage as a member of its own operation."""


class Examination:
    """Examines operations of one ledger, and remembers the latest statements it looked at."""

    def __init__(self, log: Reader, elsewhere: Elsewhere) -> None:
        self.statements = Statements(log)
        self._elsewhere = elsewhere
        self._judged = lru_cache(KEPT)(self._judge)
        self._names = {key.kid: key.name for key in log.keys().keys}

    def members(self, indices: Iterable[int]) -> Members:
        """The statements at these indices as those of one operation."""
        return Members(self.statements, indices)

    def report(self, name: OperationName, indices: Sequence[int]) -> OperationReport:
        """Examine the operation that has statements at these indices, given in order."""
        members = self.members(indices)
        together = list(membership_findings(members))
        judged: list[Judged] = list(together)
        for index in indices:
            judged += self._judged(index)
        computed = None
        for index in self._chains(members):
            found, claims = self._compute(members.at(index), together)
            computed = computed or found
            judged += claims
        findings = [one for one in judged if isinstance(one, Finding)]
        return replace(
            self._outline(name, members, indices),
            computed=computed,
            findings=tuple(sorted(findings, key=lambda one: one.index)),
            not_judged=tuple(one for one in judged if isinstance(one, NotJudged)),
        )

    def outline(self, name: OperationName, indices: Sequence[int]) -> OperationReport:
        """Only what an operation consists of: no rule is judged and nothing is computed."""
        return self._outline(name, self.members(indices), indices)

    def _outline(
        self, name: OperationName, members: Members, indices: Sequence[int]
    ) -> OperationReport:
        return OperationReport(
            name=name,
            parts=tuple(self._parts(members)),
            provenance=None if members.provenance is None else members.at(members.provenance).entry,
            combined=None if members.combined is None else members.at(members.combined).entry,
            computed=None,
            findings=(),
            not_judged=(),
            first_index=indices[0],
        )

    def stray(self, index: int) -> list[Finding]:
        """What is wrong with a statement that does not say which operation it is of."""
        return [one for one in self._judged(index) if isinstance(one, Finding)]

    def _judge(self, index: int) -> tuple[Judged, ...]:
        """All that can be said at one statement by itself and its parents."""
        seen = self.statements.at(index)
        if seen is None:
            return ()  # whoever looks at entries reports that
        judged: list[Judged] = [*own_findings(self.statements, seen)]
        judged += parent_findings(self.statements, seen)
        if seen.fault:
            return tuple(judged)
        kind = seen.payload.type
        if kind in STAGE_TYPES:
            judged += stage_findings(self.statements, seen)
            judged += stage_numbers(self.statements, seen)
            if kind == "execution":
                judged += context_findings(self.statements, seen)
        elif kind == "provenance":
            judged += chain_findings(self.statements, seen)
        elif kind == "cross_model":
            judged += whole_findings(self.statements, seen)
        return tuple(judged)

    def _chains(self, members: Members) -> list[int]:
        """All provenances of an operation, which is one unless something is wrong."""
        others = [
            index
            for index in members.others
            if members.at(index).payload.type == "provenance" and not members.at(index).fault
        ]
        return [] if members.provenance is None else [members.provenance, *others]

    def _compute(self, chain: Seen, together: list[Finding]) -> tuple[Computed, list[Finding]]:
        parents = self.statements.parents(chain)

        def findings_at(seen: Seen) -> list[Finding]:
            found = [one for one in self._judged(seen.index) if isinstance(one, Finding)]
            found += [one for one in together if one.index == seen.index]
            if seen.payload.session != chain.payload.session or not _same(seen, chain):
                found += self._elsewhere(seen)
            return found

        computed = compute(chain, parents, findings_at, lambda kid: self._names.get(kid, ""))
        return computed, list(claim_findings(chain, parents, computed))

    def _parts(self, members: Members) -> Iterable[StagePart]:
        """Its stages in the order of its chain, then those that are not in it."""
        chain = members.chain()
        named: set[bytes] = set()
        if chain is not None:
            steps = chain.body["steps"]
            for one, step in zip(self.statements.parents(chain), steps, strict=True):
                named.add(one.parent.leaf_hash)
                yield _part(one, step["stage"], step["label"], is_joined(chain, one))
        for index in members.stages:
            seen = members.at(index)
            if seen.entry.leaf_hash not in named:
                parent = _named(seen)
                yield _part(parent, seen.payload.type, seen.body["label"], joined=False)


def _same(seen: Seen, chain: Seen) -> bool:
    return bool(seen.body.get("operation") == chain.body["operation"])


def _named(seen: Seen) -> Resolved:
    return Resolved(Parent(seen.entry.id, seen.entry.leaf_hash), "here", seen.index, seen)


def _part(one: Resolved, kind: str, label: str, joined: bool) -> StagePart:
    known = one.kind if one.kind in STAGE_TYPES else kind
    body = one.body if one.kind in STAGE_TYPES else None
    return StagePart(known or kind, label, one.parent, one.state, joined, one.index, body)
