"""Finding statements by what they say (specs/09 section 4).

One view, `index`, takes each statement apart once and files it under:

    l  leaf hash | u64 index
    c  SHA-256 or BLAKE3 of a content it references | u64 index
    e  BLAKE3 of the content it erases | u64 index
    p  u64 index of a parent | u64 index
    t  type | 00 | u64 index
    s  session | 00 | u64 index
    m  model | 00 | u64 index                       model_id, requested_model, actual_model
    n  data.context_snapshot_id | 00 | u64 index
    f  a context or retrieved atom's id | 00 | u64 index
    a  u64 index | u8 part | up to 32 u64 parents   see `edges`
    w  u64 index | numbers and names of it          see `facts`
    d  u64 first index | u64 stop | u64 earliest | u64 latest      created_at, microseconds

A stream's statements are found in the table `chain`. Several conditions are met by leapfrogging
over the sorted lists. Every hit is compared with the statement itself, so a damaged view can hide a
statement and never show a wrong one; what the view has not read yet is looked through. Walks over
`a` and sums over `w` are not compared: `ledger.doctor` is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.errors import FormatError, StoreError
from ledger.formats import cose
from ledger.formats.content import references
from ledger.formats.cose import CoseSign1
from ledger.formats.merkle import hash_leaf
from ledger.formats.payload import Payload, decode_payload
from ledger.formats.values import is_name, parse_time
from ledger.store import Snapshot, Store, View
from ledger.store.rows import from_u64, u64
from ledger.views.edges import MISSING, adjacency, outside_parents, parent_indices
from ledger.views.facts import facts_of, map_of

__all__ = ["INDEX", "Query", "indices"]

ZONE = 256
_ATOM_FIELDS = ("context_atom_ids", "retrieved_atom_ids")
_MODEL_FIELDS = ("model_id", "requested_model", "actual_model")


def source_size(snapshot: Snapshot) -> int:
    """How many entries there are to read."""
    last = snapshot.last_entry()
    return 0 if last is None else last + 1


def take_apart(index: int, statement: bytes) -> Payload:
    """The payload of a stored statement; raises `StoreError("tree_damaged")`."""
    return take_both(index, statement)[1]


def take_both(index: int, statement: bytes) -> tuple[CoseSign1, Payload]:
    """The frame and the payload of a stored statement; raises `StoreError("tree_damaged")`."""
    try:
        sign1 = cose.parse(statement)
        return sign1, decode_payload(sign1.payload, sign1.sub)
    except FormatError as error:
        raise StoreError("tree_damaged", f"entries {index}: {error}") from error


def _index_keys(snapshot: Snapshot, start: int, stop: int) -> list[bytes]:
    keys: list[bytes] = []
    times: dict[int, list[int]] = {}
    for index, statement in snapshot.entries(start, stop):
        sign1, payload = take_both(index, statement)
        at = u64(index)
        keys.append(b"l" + hash_leaf(statement) + at)
        keys.append(b"t" + payload.type.encode() + b"\0" + at)
        if payload.session is not None:
            keys.append(b"s" + payload.session.encode() + b"\0" + at)
        keys.extend(b"m" + name.encode() + b"\0" + at for name in models(payload))
        keys.extend(b"c" + digest + at for digest in digests(payload))
        erased = erases(payload)
        if erased is not None:
            keys.append(b"e" + erased + at)
        snapshot_id = snapshot_of(payload)
        if snapshot_id is not None:
            keys.append(b"n" + snapshot_id.encode() + b"\0" + at)
        keys.extend(b"f" + name.encode() + b"\0" + at for name in atoms(payload))
        parents = parent_indices(snapshot, index, payload)
        keys.extend(adjacency(index, parents))
        keys.extend(b"p" + u64(parent) + at for parent in parents if parent != MISSING)
        outside = len(outside_parents(payload))
        keys.append(facts_of(sign1, payload, outside).to_row(index))
        times.setdefault(index // ZONE, []).append(parse_time(payload.created_at))
    for number, zone in times.items():
        first = max(start, number * ZONE)
        # Times before 1970 cannot occur: a UUIDv7 could not hold them.
        keys.append(b"d" + u64(first) + u64(first + len(zone)) + u64(min(zone)) + u64(max(zone)))
    return keys


def zone_bounds(snapshot: Snapshot, start: int, stop: int) -> tuple[int, int]:
    """The earliest and the latest time of entries `start` … `stop` - 1, microseconds since 1970."""
    times = [
        parse_time(take_apart(index, statement).created_at)
        for index, statement in snapshot.entries(start, stop)
    ]
    return min(times, default=0), max(times, default=0)


INDEX = View("index", _index_keys, source_size, shape=2)


def models(payload: Payload) -> set[str]:
    """The names of the model that a witness is about."""
    model = payload.body.get("model") if payload.type == "witness" else None
    if not isinstance(model, dict):
        return set()
    names = (model.get(field) for field in _MODEL_FIELDS)
    return {name for name in names if isinstance(name, str) and len(name.encode()) <= 256}


def snapshot_of(payload: Payload) -> str | None:
    """The frozen context that a witness names."""
    if payload.type != "witness":
        return None
    name = map_of(payload.body, "data").get("context_snapshot_id")
    return name if is_name(name) else None


def atoms(payload: Payload) -> set[str]:
    """The parts of a context that a witness used or that a retriever added."""
    if payload.type != "witness":
        return set()
    data = map_of(payload.body, "data")
    lists = (data.get(field) for field in _ATOM_FIELDS)
    return {name for names in lists if isinstance(names, list) for name in names if is_name(name)}


def digests(payload: Payload) -> set[bytes]:
    """Both hashes of every content that a statement references."""
    try:
        return {digest for ref in references(payload.body) for digest in (ref.sha256, ref.blake3)}
    except FormatError:
        return set()


def erases(payload: Payload) -> bytes | None:
    """BLAKE3 of the content that an `erasure` erases."""
    content: Any = payload.body.get("content") if payload.type == "erasure" else None
    digest = content.get("blake3") if isinstance(content, dict) else None
    return digest if isinstance(digest, bytes) and len(digest) == 32 else None


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that all have to hold; None for any."""

    type: str | None = None
    session: str | None = None
    stream: str | None = None
    model: str | None = None
    digest: bytes | None = None
    snapshot_id: str | None = None
    atom_id: str | None = None
    since_us: int | None = None
    until_us: int | None = None

    def holds(self, payload: Payload) -> bool:
        """Whether a statement meets every condition."""
        if self.type is not None and payload.type != self.type:
            return False
        if self.session is not None and payload.session != self.session:
            return False
        if self.stream is not None and payload.stream_id != self.stream:
            return False
        if self.since_us is not None or self.until_us is not None:
            created = parse_time(payload.created_at)
            if self.since_us is not None and created < self.since_us:
                return False
            if self.until_us is not None and created >= self.until_us:
                return False
        if self.model is not None and self.model not in models(payload):
            return False
        if self.snapshot_id is not None and snapshot_of(payload) != self.snapshot_id:
            return False
        if self.atom_id is not None and self.atom_id not in atoms(payload):
            return False
        return self.digest is None or self.digest in digests(payload)


class _Sorted(Protocol):
    """A sorted list of indices."""

    def seek(self, target: int) -> int | None:
        """The smallest index in the list that is not below the target."""


class _Filed:
    def __init__(self, snapshot: Snapshot, prefix: bytes) -> None:
        self._snapshot, self._prefix = snapshot, prefix

    def seek(self, target: int) -> int | None:
        for key in INDEX.keys(self._snapshot, self._prefix, u64(target)):
            return from_u64(key)
        return None


class _Chained:
    def __init__(self, snapshot: Snapshot, stream: str) -> None:
        self._snapshot = snapshot
        self._tail = snapshot.stream(stream)

    def seek(self, target: int) -> int | None:
        if self._tail is None or target > self._tail.index:
            return None
        low, high = 0, self._tail.seq
        while low < high:
            middle = (low + high) // 2
            found = self._snapshot.chain(self._tail.no, middle)
            if found is None or found < target:
                low = middle + 1
            else:
                high = middle
        return self._snapshot.chain(self._tail.no, low)


class _Timed:
    def __init__(self, snapshot: Snapshot, since_us: int | None, until_us: int | None) -> None:
        self._snapshot = snapshot
        self._since = since_us if since_us is not None else 0
        self._until = until_us if until_us is not None else 1 << 63

    def seek(self, target: int) -> int | None:
        # A zone begins at a multiple of ZONE or where an update of the view began.
        for key in INDEX.keys(self._snapshot, b"d", u64(target - target % ZONE)):
            first, stop, earliest, latest = (from_u64(key[at : at + 8]) for at in (0, 8, 16, 24))
            if stop > target and latest >= self._since and earliest < self._until:
                return max(first, target)
        return None


def _lists(snapshot: Snapshot, query: Query) -> list[_Sorted]:
    lists: list[_Sorted] = []
    for letter, text in (
        (b"m", query.model),
        (b"n", query.snapshot_id),
        (b"f", query.atom_id),
        (b"s", query.session),
        (b"t", query.type),
    ):
        if text is not None:
            lists.append(_Filed(snapshot, letter + text.encode() + b"\0"))
    if query.digest is not None:
        lists.append(_Filed(snapshot, b"c" + query.digest))
    if query.stream is not None:
        lists.append(_Chained(snapshot, query.stream))
    if query.since_us is not None or query.until_us is not None:
        lists.append(_Timed(snapshot, query.since_us, query.until_us))
    return lists


def candidates(snapshot: Snapshot, query: Query, start: int, limit: int) -> tuple[list[int], int]:
    """Up to `limit` indices from `start` on that may meet the query, and where to go on."""
    size = source_size(snapshot)
    filed = min(INDEX.size(snapshot), size)
    lists = _lists(snapshot, query)
    if not lists:
        filed = 0
    found: list[int] = []
    at = start
    while at < filed and len(found) < limit:
        # Leapfrog: whoever is behind jumps to whoever is ahead, until all stand together.
        highest = at
        for one in lists:
            reached = one.seek(highest)
            if reached is None:
                highest = filed
                break
            highest = max(highest, reached)
        if highest >= filed:
            at = filed
            break
        if highest == at:
            found.append(at)
            at += 1
        else:
            at = highest
    # What the view has not read yet is all to be looked at.
    while at < size and len(found) < limit and at >= filed:
        found.append(at)
        at += 1
    return found, at


def indices(store: Store, query: Query) -> Iterator[tuple[int, bytes, CoseSign1, Payload]]:
    """Statements that meet a query, in log order and constant memory."""
    bring_up_to_date(store)
    with store.reading() as snapshot:
        size = source_size(snapshot)
    at = 0
    while at < size:
        with store.reading() as snapshot:
            found, at = candidates(snapshot, query, at, 64)
            statements = [(index, snapshot.entry(index)) for index in found]
        for index, statement in statements:
            if index >= size:
                return
            if statement is None:
                raise StoreError("tree_damaged", f"entries {index}: missing")
            sign1, payload = take_both(index, statement)
            if query.holds(payload):
                yield index, statement, sign1, payload


def bring_up_to_date(store: Store) -> None:
    """Let the view read on, where this handle may write."""
    if not store.read_only:
        INDEX.update(store.environment)
