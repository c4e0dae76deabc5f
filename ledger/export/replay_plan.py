"""`data/replay/` and `REPLAY.md`: what of a package can be run again, and how (specs/13 section 9).

The plan is derived while it is written, one line a witness, in constant memory. Weights are
gathered on the way, sorted on disk. What is at hand is what the package has: statements of the
selection, and contents that were not erased.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from ledger.errors import ContentError, ExportError
from ledger.export.bag import Bag
from ledger.export.replay_pages import Weights, replay_md, requirements_txt
from ledger.export.selection import Selection
from ledger.export.spool import SortedSpool
from ledger.formats.call import canonical
from ledger.formats.content import ContentRef, from_cbor
from ledger.reader import Entry, Reader
from ledger.replay.plan import plan_bytes, plan_line
from ledger.replay.source import LedgerSource

__all__ = ["PREFIX", "Planned", "check_whereabouts", "write_replay_plan"]

PREFIX: Final = "data/replay/"
AT_MAX: Final = 16
AT_MAX_BYTES: Final = 4096
INDICES_SHOWN: Final = 10
MODELS_SHOWN: Final = 5
_PIECE_BYTES: Final = 1 << 16

Whereabouts = Mapping[str, Iterable[str]]
"""Where weights are to be had, by their digest in hex or by the name of a model."""


@dataclass(slots=True)
class Planned:
    """What a plan came to: numbers for people, and which files there are."""

    planned: int = 0
    not_planned: int = 0
    by_engine: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many lines by engine and what it needs."""
    models: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """The first models by the same."""
    more_models: set[tuple[str, str]] = field(default_factory=set)
    """Of which engines and needs there are others."""
    by_level: dict[str, int] = field(default_factory=dict)
    """How many lines by the last level that can be observed."""
    by_reason: dict[str, int] = field(default_factory=dict)
    first: dict[str, list[int]] = field(default_factory=dict)
    """The first indices by reason."""
    weights: list[Weights] = field(default_factory=list)
    weights_number: int = 0
    has_environment: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files in the package, in the order of the page."""
        there = {
            "plan.jsonl": True,
            "weights.json": self.weights_number > 0,
            "environment.json": self.has_environment,
            "requirements.txt": self.has_environment,
        }
        return tuple(PREFIX + name for name, is_there in there.items() if is_there)

    def needs(self, need: str) -> bool:
        """Whether a line needs this."""
        return any(kind[1] == need for kind in self.by_engine)

    def count(self, line: Mapping[str, Any]) -> None:
        """Take one line."""
        reason = line.get("reason")
        if reason is not None:
            self.not_planned += 1
            self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
            indices = self.first.setdefault(reason, [])
            if len(indices) < INDICES_SHOWN:
                indices.append(line["index"])
            return
        self.planned += 1
        kind = (line["engine"], line["needs"])
        self.by_engine[kind] = self.by_engine.get(kind, 0) + 1
        models = self.models.setdefault(kind, [])
        if line["model"] not in models:
            if len(models) < MODELS_SHOWN:
                models.append(line["model"])
            else:
                self.more_models.add(kind)
        level = line["levels"][-1]
        self.by_level[level] = self.by_level.get(level, 0) + 1


class _Packaged(LedgerSource):
    """A ledger as far as it is in the package."""

    def __init__(self, log: Reader, selection: Selection, erased: Mapping[bytes, int]) -> None:
        super().__init__(log, selection.start, selection.end)
        self._session = selection.session
        self._erased = erased

    def by_id(self, identifier: str) -> Entry | None:
        entry = super().by_id(identifier)
        if entry is None or self._session is None or entry.payload.session == self._session:
            return entry
        return None

    def content(self, ref: ContentRef) -> bytes:
        if ref.blake3 in self._erased:
            raise ContentError("content_erased", f"content {ref.blake3.hex()} was erased")
        try:
            return super().content(ref)
        except ContentError as error:
            raise ExportError(
                "export_failed",
                f"{error.message}; it was there a moment ago",
                hint="export again",
            ) from error


def check_whereabouts(weights_at: Whereabouts) -> dict[str, list[str]]:
    """Return them as lists without repetition; ValueError for what weights.json cannot hold."""
    found = {name: list(dict.fromkeys(texts)) for name, texts in weights_at.items()}
    for name, texts in found.items():
        if not 1 <= len(texts) <= AT_MAX:
            raise ValueError(f"1 to {AT_MAX} texts say where the weights of {name} are to be had")
        if not all(0 < len(text.encode()) <= AT_MAX_BYTES for text in texts):
            raise ValueError(f"a text of 1 to {AT_MAX_BYTES} bytes says where weights are")
    return found


def write_replay_plan(
    log: Reader,
    bag: Bag,
    selection: Selection,
    spool_folder: Path,
    erased: Mapping[bytes, int],
    weights_at: Mapping[str, list[str]],
) -> Planned:
    """Write the plan of a selection with what belongs to it.

    `erased` are the addresses of contents that the package does not hold. Raises `ExportError`
    export_failed for content that went meanwhile, weights_unknown for whereabouts of weights that
    no witness names.
    """
    planned = Planned()
    source = _Packaged(log, selection, erased)
    with SortedSpool(spool_folder) as models:
        newest: list[ContentRef] = []
        lines = _lines(source, selection, planned, models, newest)
        bag.add(f"{PREFIX}plan.jsonl", _joined(lines), compress=True)
        _check_all_used(models, weights_at)
        if models.count:
            pieces = _weights(models, weights_at, planned)
            bag.add(f"{PREFIX}weights.json", pieces, compress=True)
    if newest and newest[-1].blake3 not in erased:
        environment = source.content(newest[-1])
        planned.has_environment = True
        bag.add(f"{PREFIX}environment.json", (environment,), compress=True)
        listed = requirements_txt(environment)
        bag.add(f"{PREFIX}requirements.txt", (listed,), compress=True)
    bag.add("REPLAY.md", replay_md(planned, log.origin, log.genesis.hex()), compress=True)
    return planned


def _lines(
    source: _Packaged,
    selection: Selection,
    planned: Planned,
    models: SortedSpool,
    newest: list[ContentRef],
) -> Iterator[bytes]:
    for entry in selection.entries(source.log):
        if entry.payload.type == "session_open":
            newest[:] = [from_cbor(entry.payload.body["environment"])]
        if entry.payload.type != "witness":
            continue
        line = plan_line(source, entry)
        planned.count(line)
        if "weights" in line:
            models.add(line["weights"].encode(), canonical(line["model"]))
        yield plan_bytes(line)


def _weights(
    models: SortedSpool, weights_at: Mapping[str, list[str]], planned: Planned
) -> Iterator[bytes]:
    """Yield `weights.json`, and tell of its first entries."""
    yield b'{"weights":['
    for digest, group in groupby(models, key=lambda item: item[0]):
        names: set[str] = set()
        statements = 0
        for _, name in group:
            names.add(_text(name))
            statements += 1
        one: dict[str, Any] = {
            "blake3": digest.decode(),
            "models": sorted(names),
            "statements": statements,
        }
        at = _at(one["blake3"], one["models"], weights_at)
        if at:
            one["at"] = at
        if planned.weights_number < INDICES_SHOWN:
            shown = tuple(one["models"][:MODELS_SHOWN])
            more = len(names) - len(shown)
            planned.weights.append(Weights(one["blake3"], shown, more, statements, tuple(at)))
        yield (b"," if planned.weights_number else b"") + canonical(one)
        planned.weights_number += 1
    yield b"]}"


def _at(digest: str, names: Iterable[str], weights_at: Mapping[str, list[str]]) -> list[str]:
    texts = [text for key in (digest, *names) for text in weights_at.get(key, ())]
    found = list(dict.fromkeys(texts))
    if len(found) > AT_MAX:
        raise ExportError(
            "weights_unknown", f"more than {AT_MAX} texts say where the weights {digest} are"
        )
    return found


def _check_all_used(models: SortedSpool, weights_at: Mapping[str, list[str]]) -> None:
    unused = set(weights_at)
    for digest, name in models if unused else ():
        unused -= {digest.decode(), _text(name)}
    if unused:
        raise ExportError(
            "weights_unknown",
            f"no line of the plan is of weights {min(unused)}",
            hint="name the digest in hex, or the model, as it was recorded",
        )


def _text(name: bytes) -> str:
    return str(json.loads(name))


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Put lines into pieces of a size worth a write."""
    held = bytearray()
    for line in lines:
        held += line
        if len(held) >= _PIECE_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
