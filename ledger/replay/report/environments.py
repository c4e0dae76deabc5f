"""The environments that runs were made in, and what changed between them (specs/13 section 4).

Services change in the middle of a series of runs; what reproduced is therefore counted for each
environment by itself. Environments are named E1, E2, … by their digests, in order of use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from ledger.errors import FormatError
from ledger.formats.content import ContentRef, from_cbor
from ledger.formats.observation import parse_environment
from ledger.replay.report.counts import Few, Tally
from ledger.replay.report.inputs import Contents, Run
from ledger.replay.report.witness import RELATIONS, Relation, relation_of

__all__ = ["NOT_KNOWN", "Change", "EnvironmentRow", "Environments"]

NOT_KNOWN: Final = b""
"""Stands for the environment of a run that did not say."""

_ENVIRONMENTS_MAX: Final = 256
_PAIRS_MAX: Final = 256

Source = ContentRef | bytes


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """One environment and what reproduced in it."""

    name: str
    digest: bytes
    document: dict[str, Any] | None
    """None where it is not at hand."""
    tally: Tally
    relations: dict[Relation, int]
    """Runs by whether it is the environment of the recording."""
    recorded: int
    """Runs whose witness was recorded in it."""

    @property
    def fingerprint(self) -> str | None:
        """What a service calls it, None for others."""
        return self._text("system_fingerprint")

    @property
    def model(self) -> str | None:
        """The model that a service names with it."""
        return self._text("model")

    def _text(self, name: str) -> str | None:
        found = (self.document or {}).get(name)
        return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True)
class Change:
    """A member that is not what it was in the recorded environment, and in how many runs."""

    member: str
    old: Any
    new: Any
    runs: int


class Environments:
    """The environments of all runs; documents are kept by reference and read at the end."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._tallies: Few[tuple[bytes, Relation], Tally] = Few(_ENVIRONMENTS_MAX, Tally())
        self._recorded: Few[bytes, int] = Few(_ENVIRONMENTS_MAX, 0)
        self._pairs: Few[tuple[bytes, bytes], int] = Few(_PAIRS_MAX, 0)
        self._sources: dict[bytes, Source] = {}

    def add(self, run: Run) -> bytes:
        """Take a run and return the identity of what it ran in."""
        relation = relation_of(run.body)
        recorded = self._keep(run.subject.environment)
        if recorded:
            self._recorded.add(recorded, 1)
        if "replayed" not in run.body:
            return NOT_KNOWN
        given = run.body["replayed"].get("environment")
        digest = NOT_KNOWN if given is None else self._keep(from_cbor(dict(given)))
        self._tallies.add((digest, relation), Tally.of(run.body["levels"]))
        if relation == "changed" and recorded and digest:
            self._pairs.add((recorded, digest), 1)
        if len(self._sources) > 4 * _ENVIRONMENTS_MAX:
            used = set(self._used())
            self._sources = {key: ref for key, ref in self._sources.items() if key in used}
        return digest

    def _keep(self, source: Source | None) -> bytes:
        if source is None:
            return NOT_KNOWN
        if isinstance(source, bytes):
            digest = sha256(source).digest()
        else:
            digest = self._contents.identity(source)[0]
        self._sources.setdefault(digest, source)
        return digest

    def _used(self) -> Iterator[bytes]:
        for (digest, _), _ in self._tallies.items():
            yield digest
        for digest, _ in self._recorded.items():
            yield digest
        for pair, _ in self._pairs.items():
            yield from pair

    @property
    def more(self) -> int:
        """Runs in environments beyond those that are told apart."""
        return self._tallies.rest.runs

    def rows(self) -> list[EnvironmentRow]:
        """Every environment of a run or a recording, the most used first, not known last."""
        tallies: dict[bytes, Tally] = {}
        relations: dict[bytes, dict[Relation, int]] = {}
        none: dict[Relation, int] = dict.fromkeys(RELATIONS, 0)
        for (digest, relation), tally in self._tallies.items():
            tallies[digest] = tallies.get(digest, Tally()) + tally
            relations.setdefault(digest, dict(none))[relation] += tally.runs
        recorded = dict(self._recorded.items())
        empty = Tally()
        order = sorted(
            {*tallies, *recorded},
            key=lambda one: (
                one == NOT_KNOWN,
                -tallies.get(one, empty).runs,
                -recorded.get(one, 0),
                one,
            ),
        )
        return [
            EnvironmentRow(
                f"E{number}" if digest else "not known",
                digest,
                self.document(digest),
                tallies.get(digest, empty),
                relations.get(digest, none),
                recorded.get(digest, 0),
            )
            for number, digest in enumerate(order, 1)
        ]

    def document(self, digest: bytes) -> dict[str, Any] | None:
        """An environment as JSON, None where it is not at hand."""
        source = self._sources.get(digest)
        data = self._contents.read(source) if isinstance(source, ContentRef) else source
        try:
            return None if data is None else parse_environment(data)
        except FormatError:
            return None

    def changes(self) -> list[Change]:
        """The members that changed from recording to run, those of most runs first."""
        found: dict[tuple[str, str, str], Change] = {}
        for (old, new), runs in self._pairs.items():
            before, after = self.document(old), self.document(new)
            if before is None or after is None:
                continue
            for change in differences(before, after, runs):
                key = change.member, repr(change.old), repr(change.new)
                same = found.get(key)
                total = runs + (same.runs if same else 0)
                found[key] = Change(change.member, change.old, change.new, total)
        return [found[key] for key in sorted(found, key=lambda key: (-found[key].runs, key))]

    def unread_changes(self) -> int:
        """Runs in a changed environment of which it cannot be said what changed."""
        return self._pairs.rest + sum(
            runs
            for (old, new), runs in self._pairs.items()
            if self.document(old) is None or self.document(new) is None
        )


def differences(old: Mapping[str, Any], new: Mapping[str, Any], runs: int) -> Iterator[Change]:
    """Members that differ between two environments, nested ones as `libraries.numpy`."""
    before, after = dict(_members(old)), dict(_members(new))
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one != other or type(one) is not type(other):
            yield Change(name, one, other, runs)


def _members(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", one) for inner, one in value.items())
        else:
            yield name, value
