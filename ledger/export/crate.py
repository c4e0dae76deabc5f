"""`data/ro-crate-metadata.json`: the package as RO-Crate 1.1 with Process Run Crate 0.5 (specs/07
§7).

Each witness is a `CreateAction`: the model its instrument (a `SoftwareApplication`), the producer
its agent, prompt and other inputs its `object`, output its `result`. A content that lies in the
package is a `File`; one that does not is a `PropertyValue` with the recorded hash, since a `File`
that is not there would break the crate. With more than `CRATE_MAX_ACTIONS` witnesses there is one
action a session (or, without session, a stream), whose objects and results are the folders.

What the log does not know is left out rather than invented: no licence is claimed, and models and
organisations have no web address. Strings are written in ASCII with JSON escapes, so that no
character of a name or media type can mislead whoever looks at the file.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ledger.export.crate_replay import replay_entities, replay_ids
from ledger.export.facts import Named, Operation
from ledger.formats.content import SALT_BYTES, ContentRef

CRATE_MAX_ACTIONS = 1000
CONTEXT = (
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
)
CRATE_VERSION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_COMPLETED = "http://schema.org/CompletedActionStatus"
_FAILED = "http://schema.org/FailedActionStatus"
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9]+/[A-Za-z0-9][A-Za-z0-9.+_-]*(;[A-Za-z0-9_]+=[^;\s]+)*")

Entity = dict[str, object]


@dataclass(slots=True)
class _Group:
    """The operations of one session, or of one stream outside all sessions."""

    number: int
    label: str
    first: str
    last: str
    operations: int = 0
    completed: int = 0
    models: set[int] = field(default_factory=set)
    agents: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class CrateFacts:
    """What the crate says about the package as a whole; times as in specs/00."""

    origin: str
    genesis: str
    description: str
    published_at: str
    has_content: bool
    absent: frozenset[bytes]
    replay: tuple[str, ...] = ()
    """Paths in the package of the files of specs/13 section 9."""


class Crate:
    """Gathers the operations of a selection and writes the metadata file.

    Memory is bounded by `CRATE_MAX_ACTIONS` operations and one small row a session.
    """

    def __init__(self) -> None:
        self._operations: list[Operation] | None = []
        self._groups: dict[tuple[str, str], _Group] = {}
        self._models: dict[tuple[str, str, str], int] = {}
        self._agents: dict[tuple[str, str], int] = {}

    def add(self, op: Operation) -> None:
        """Take one witness of the selection."""
        model_key = (op.model_id, op.provider or "", op.model_version or "")
        model = self._models.setdefault(model_key, len(self._models))
        agent = self._agents.setdefault((op.producer, op.producer_kid.hex()), len(self._agents))
        key = ("session", op.session) if op.session is not None else ("stream", op.stream)
        group = self._groups.get(key)
        if group is None:
            label = f"{key[0]} {key[1]}"
            group = _Group(len(self._groups), label, _ended(op), _ended(op))
            self._groups[key] = group
        group.first = min(group.first, _ended(op))
        group.last = max(group.last, _ended(op))
        group.operations += 1
        group.completed += bool(op.results)
        group.models.add(model)
        group.agents.add(agent)
        if self._operations is not None:
            self._operations.append(op)
            if len(self._operations) > CRATE_MAX_ACTIONS:
                self._operations = None

    def write(self, facts: CrateFacts) -> Iterator[bytes]:
        """Yield the metadata file in pieces, one entity each."""
        yield b'{\n"@context": ' + _json(list(CONTEXT)) + b',\n"@graph": [\n'
        for number, entity in enumerate(self._entities(facts)):
            yield (b",\n" if number else b"") + _json(entity)
        yield b"\n]\n}\n"

    def _entities(self, facts: CrateFacts) -> Iterator[Entity]:
        files = _Files(facts)
        # the root names the actions, so they are made first; there are at most CRATE_MAX_ACTIONS of
        # them, or one a session
        if self._operations is not None:
            actions = [self._action(op, files) for op in self._operations]
        else:
            actions = [self._session_action(group, facts) for group in self._groups.values()]
        yield {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": CRATE_VERSION},
        }
        yield _root(facts, [str(action["@id"]) for action in actions])
        yield from _fixed(facts, files)
        for (model_id, provider, version), number in self._models.items():
            yield _without_none(
                {
                    "@id": f"#model-{number}",
                    "@type": "SoftwareApplication",
                    "name": model_id,
                    "softwareVersion": version or model_id,
                    "description": f"AI model served by {provider}" if provider else "AI model",
                }
            )
        for (name, kid), number in self._agents.items():
            yield {
                "@id": f"#producer-{number}",
                "@type": "Organization",
                "name": name,
                "identifier": kid,
                "description": "holder of the producer key with this COSE key thumbprint",
            }
        yield from files.entities.values()
        yield from actions

    def _action(self, op: Operation, files: _Files) -> Entity:
        provider = op.provider or ""
        model = self._models[(op.model_id, provider, op.model_version or "")]
        started = None if op.occurred_at else _iso(op.created_at, op.response_time_ms)
        return _without_none(
            {
                "@id": f"#{op.id}",
                "@type": "CreateAction",
                "name": f"{op.operation} with {op.model_id}",
                "description": f"witness at index {op.index} of the log, taken by {op.vantage}",
                "identifier": op.leaf_hash.hex(),
                "instrument": {"@id": f"#model-{model}"},
                "agent": {"@id": f"#producer-{self._agents[(op.producer, op.producer_kid.hex())]}"},
                "object": _links(files.link(named) for named in op.inputs),
                "result": _links(files.link(named) for named in op.results),
                "startTime": started if op.response_time_ms is not None else None,
                "endTime": _iso(_ended(op)),
                "actionStatus": _COMPLETED if op.results else _FAILED,
            }
        )

    def _session_action(self, group: _Group, facts: CrateFacts) -> Entity:
        return _without_none(
            {
                "@id": f"#actions-{group.number}",
                "@type": "CreateAction",
                "name": f"{group.operations} operations of {group.label}",
                "description": "one action for all witnesses of the session or stream; the log "
                "holds each of them",
                "instrument": _links(f"#model-{number}" for number in sorted(group.models)),
                "agent": _links(f"#producer-{number}" for number in sorted(group.agents)),
                "object": {"@id": "content/"} if facts.has_content else None,
                "result": {"@id": "log/"},
                "startTime": _iso(group.first),
                "endTime": _iso(group.last),
                "actionStatus": _COMPLETED if group.completed else _FAILED,
            }
        )


class _Files:
    """The entities for content: made when an action first names one."""

    def __init__(self, facts: CrateFacts) -> None:
        self._facts = facts
        self.entities: dict[str, Entity] = {}
        self.present: list[str] = []

    def link(self, named: Named) -> str:
        ref = named.ref
        here = self._facts.has_content and ref.blake3 not in self._facts.absent
        name = ref.blake3.hex()
        identifier = f"content/{name[:2]}/{name}" if here else f"#{name}"
        if identifier not in self.entities:
            if here:
                self.present.append(identifier)
            self.entities[identifier] = (_file if here else _hash_only)(identifier, named)
        return identifier


def _file(identifier: str, named: Named) -> Entity:
    ref = named.ref
    entity: Entity = {
        "@id": identifier,
        "@type": "File",
        "name": named.role,
        "encodingFormat": _media_type(ref),
        "contentSize": str(ref.archived_bytes),
        "sha256": ref.sha256.hex(),
    }
    if ref.salted:
        entity["description"] = f"{SALT_BYTES} random bytes, then content of type {ref.media_type}"
    return entity


def _hash_only(identifier: str, named: Named) -> Entity:
    return {
        "@id": identifier,
        "@type": "PropertyValue",
        "name": f"SHA-256 of {named.role} (not in this package)",
        "propertyID": "sha256",
        "value": named.ref.sha256.hex(),
    }


def _root(facts: CrateFacts, actions: list[str]) -> Entity:
    parts = ["summary.html", "log/"] + (["content/"] if facts.has_content else [])
    parts += replay_ids(facts.replay)
    return _without_none(
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"AI operations recorded by {facts.origin}",
            "description": facts.description,
            "identifier": facts.genesis,
            "datePublished": _iso(facts.published_at),
            "license": {"@id": "#licence"},
            "author": {"@id": "#ledger"},
            "publisher": {"@id": "#ledger"},
            "conformsTo": {"@id": PROFILE},
            "hasPart": _links(parts),
            "mentions": _links(actions),
        }
    )


def _fixed(facts: CrateFacts, files: _Files) -> Iterator[Entity]:
    yield {
        "@id": PROFILE,
        "@type": "CreativeWork",
        "name": "Process Run Crate",
        "version": "0.5",
    }
    yield {
        "@id": "#licence",
        "@type": "CreativeWork",
        "name": "No licence stated",
        "description": "The ledger records no licence. Ask the publisher before reusing the data.",
    }
    yield {
        "@id": "#ledger",
        "@type": "Organization",
        "name": facts.origin,
        "identifier": facts.genesis,
        "description": "keeper of the ledger with this genesis hash",
    }
    yield {
        "@id": "summary.html",
        "@type": "File",
        "name": "Summary for readers",
        "encodingFormat": "text/html",
    }
    yield {
        "@id": "log/",
        "@type": "Dataset",
        "name": "Log",
        "description": "signed statements, Merkle tree and signed tree head",
    }
    yield from replay_entities(facts.replay)
    if facts.has_content:
        yield _without_none(
            {
                "@id": "content/",
                "@type": "Dataset",
                "name": "Content",
                "description": "prompts, outputs and other bytes by BLAKE3 hash",
                "hasPart": _links(files.present),
            }
        )


def _media_type(ref: ContentRef) -> str:
    if ref.salted:
        return "application/octet-stream"
    compact = re.sub(r"\s*;\s*", ";", ref.media_type)
    return compact if _MEDIA_TYPE.fullmatch(compact) else "application/octet-stream"


def _links(identifiers: Iterable[str]) -> object:
    """References to entities, each once; a single one stands alone, as RO-Crate wants it."""
    links = [{"@id": identifier} for identifier in dict.fromkeys(identifiers)]
    if not links:
        return None
    return links[0] if len(links) == 1 else links


def _ended(op: Operation) -> str:
    return op.occurred_at or op.created_at


def _iso(time: str, before_ms: float | None = None) -> str:
    """Times in the form that the profile asks for: milliseconds, numeric offset."""
    moment = datetime.fromisoformat(time)
    # a running time of centuries is nonsense, but may have been recorded
    with contextlib.suppress(OverflowError):
        moment -= timedelta(milliseconds=before_ms or 0.0)
    return moment.isoformat(timespec="milliseconds")


def _without_none(entity: Mapping[str, object]) -> Entity:
    return {key: value for key, value in entity.items() if value is not None}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=1).encode("ascii")
