"""Whether a replay says what it compared (specs/13 section 7); the ledger's own look at it.

A replay is a claim of whoever signed it, and claims are not believed because they are written down.
What is at hand is compared again; what is not, such as a witness in another ledger or a content
that was erased, is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ledger.errors import ContentError, FormatError, RecordError, ReplayError
from ledger.formats.content import from_cbor
from ledger.formats.observation import parse
from ledger.formats.payload import Payload
from ledger.model import from_body
from ledger.model.archive import Media
from ledger.model.replay import LEVELS, ReplayRun
from ledger.reader import Entry
from ledger.replay.answers import read_answer
from ledger.replay.levels import EPSILON, Seen, compare
from ledger.replay.recipe import HTTP_ENGINES, Recipe, expectation, recipe
from ledger.replay.running import EMBEDDED, expected_of, numbers
from ledger.replay.source import Source

__all__ = ["judge"]


def judge(source: Source, entry: Entry) -> list[str]:
    """Return the names of what a `replay` says otherwise than what follows; `parent`, `expected`,
    a level, or a field of its body.
    """
    try:
        body = from_body("replay", entry.payload.body)
    except RecordError:
        return []  # has its own finding
    parent = entry.payload.parents[0] if entry.payload.parents else None
    if parent is None or parent.ledger is not None or not isinstance(body, ReplayRun):
        return []
    witness = source.by_id(parent.id)
    if witness is None:
        return []
    if witness.payload.type != "witness":
        return ["parent"]
    wrong = [] if body.expected == expected_of(witness.payload.body) else ["expected"]
    if body.replayed is None:
        return wrong
    try:
        how = _recipe(source, witness.payload)
        expected = expectation(source, witness.payload, how)
        replayed = _replayed(source, entry.payload.body["replayed"])
        answered = _answered(source, entry.payload.body, how)
    except FormatError:
        return [*wrong, "replayed"]
    except (ContentError, ReplayError):
        return wrong
    if answered is not None and not _agree(replayed, answered):
        wrong.append("replayed")
    return [*wrong, *_compared(body, expected, replayed)]


def _recipe(source: Source, witness: Payload) -> Recipe | None:
    try:
        return recipe(source, witness)
    except ReplayError:
        return None


def _replayed(source: Source, said: Mapping[str, Any]) -> Seen:
    contents = {
        name: Media(source.content(from_cbor(said[name])), said[name]["media_type"])
        for name in ("output", "observation", "environment")
        if name in said
    }
    observation, environment = contents.get("observation"), contents.get("environment")
    return Seen(
        contents.get("output"),
        None if observation is None else parse(observation.data),
        None if environment is None else environment.data,
    )


def _answered(source: Source, body: Mapping[str, Any], how: Recipe | None) -> Seen | None:
    """What follows from the response of an engine that speaks a protocol."""
    protocol = how.protocol.name if how is not None and how.protocol is not None else None
    if protocol is None or body["engine"] not in (*HTTP_ENGINES, EMBEDDED):
        return None
    response = body["replayed"].get("response")
    return None if response is None else read_answer(protocol, source.content(from_cbor(response)))


def _agree(one: Seen, other: Seen) -> bool:
    same = compare(one, other).levels["text"]
    outputs = same == "match" or (one.output is None and other.output is None)
    rest = (one.observation, one.environment) == (other.observation, other.environment)
    return outputs and rest


def _compared(body: ReplayRun, expected: Seen, replayed: Seen) -> Iterator[str]:
    """What was found by comparing, and is said otherwise."""
    epsilon = EPSILON if body.epsilon is None else body.epsilon
    found = compare(expected, replayed, epsilon)
    states = body.levels.by_name()
    for level in LEVELS[1:]:
        if states[level] != found.levels[level] and body.levels.archive == "match":
            yield level
    for name, value in numbers(found, epsilon).items():
        if getattr(body, name) != value:
            yield name
