"""Finding, lineage, proofs, and reading without writing (specs/04, specs/09)."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger import Draft, Ledger, LogError
from ledger.formats.proof_file import parse_consistency, parse_inclusion
from ledger.views import index as index_module
from ledger.views import lineage
from tests.helpers.places import Place, drafts, note, witness


@pytest.fixture
def mixed(place: Place) -> Place:
    """Five hundred statements of two sessions, three models and several types."""
    place.init()
    rng = random.Random(7)
    clock = itertools.count(1_795_171_260_000_000, 1_000_000)
    handles = [
        place.open(session=session, clock=lambda: next(clock)) for session in ("one", "two", None)
    ]
    for _ in range(60):
        log = rng.choice(handles)
        made = log.append_many(drafts(rng.randrange(1, 12), f"model-{rng.randrange(3)}"))
        log.append("annotation", note(), parents=[rng.choice(made)])
    for log in handles:
        log.close()
    return place


CONDITIONS: list[dict[str, Any]] = [
    {},
    {"type": "witness"},
    {"type": "annotation", "session": "one"},
    {"session": "two", "model": "model-1"},
    {"stream": "one", "model": "model-2"},
    {"stream": "main", "type": "annotation"},
    {"stream": "nobody"},
    {"model": "model"},
    {"since": "2026-11-20T10:42:00.000000Z"},
    {"until": "2026-11-20T10:41:30.000000Z", "type": "witness"},
    {"since": "2026-11-20T10:41:20.000000Z", "until": "2026-11-20T10:41:25.000000Z"},
    {"content": b"\1" * 32, "session": "one"},
    {"content": b"\2" * 32, "model": "model-0", "session": "two", "since": 1_795_171_280_000_000},
]


def plainly(log: Ledger, conditions: dict[str, Any]) -> list[int]:
    """The same question asked of every statement."""
    found = []
    for entry in log:
        payload, model = entry.payload, entry.payload.body.get("model", {})
        holds = {
            "type": payload.type,
            "session": payload.session,
            "stream": payload.stream_id,
            "model": model.get("model_id"),
        }
        if any(holds.get(key, value) != value for key, value in conditions.items()):
            continue
        if "content" in conditions and payload.type != "witness":
            continue
        since, until = conditions.get("since", ""), conditions.get("until", "9")
        if isinstance(since, int):
            since = index_module.parse_time("2026-11-20T10:41:20.000000Z") and (
                "2026-11-20T10:41:20.000000Z"
            )
        if since <= payload.created_at < until:
            found.append(entry.index)
    return found


@pytest.mark.parametrize("conditions", CONDITIONS, ids=str)
@pytest.mark.parametrize("how", ["filed", "half filed", "unfiled"])
def test_finding_is_the_same_as_looking_at_everything(
    mixed: Place, conditions: dict[str, Any], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of the view has been read, and for readers that cannot bring it up to date."""
    if how == "half filed":
        with mixed.open() as log:
            monkeypatch.setattr("ledger.store.views.STEP", 100)
            size = index_module.source_size
            monkeypatch.setattr(index_module.INDEX, "_source_size", lambda _: 130)
            index_module.INDEX.update(log.store.environment)
            monkeypatch.setattr(index_module.INDEX, "_source_size", size)
    with mixed.open(read_only=how != "filed") as log:
        expected = plainly(log, conditions)
        assert [entry.index for entry in log.find(**conditions)] == expected
        if how == "half filed":
            with log.store.reading() as snapshot:
                assert index_module.INDEX.size(snapshot) == 130


def test_single_statements_are_found_by_every_name(mixed: Place) -> None:
    for read_only in (True, False):
        with mixed.open(read_only=read_only) as log:
            entry = log[-1]
            assert entry.index == len(log) - 1
            assert log.by_id(entry.id) == log.by_leaf_hash(entry.leaf_hash) == entry
            for missing in (
                lambda log=log: log.get(len(log)),
                lambda log=log: log.get(-1),
                lambda log=log: log.by_id("x"),
                lambda log=log: log.by_leaf_hash(bytes(32)),
                lambda log=log: next(log.stream("nobody")),
                lambda log=log: log.prove_inclusion(len(log)),
                lambda log=log: log.prove_consistency(0),
                lambda log=log: log.root_at(len(log) + 1),
            ):
                with pytest.raises(LogError) as caught:
                    missing()
                assert caught.value.code == "not_found"


def test_proofs_come_as_files(mixed: Place) -> None:
    with mixed.open() as log:
        receipt = parse_inclusion(log.proof(5))
        assert receipt.checkpoint == log.head_note()
        assert list(receipt.hashes) == log.prove_inclusion(5)
        consistency = parse_consistency(log.consistency_file(7))
        assert (consistency.old, list(consistency.hashes)) == (7, log.prove_consistency(7))


@pytest.mark.parametrize("read_only", [False, True])
def test_lineage_agrees_with_the_graph(place: Place, *, read_only: bool) -> None:
    place.init()
    rng = random.Random(3)
    parents: dict[int, list[int]] = {}
    with place.open() as log:
        receipts = [log.append("witness", witness())]
        for number in range(2, 80):
            chosen = rng.sample(receipts, min(len(receipts), rng.randrange(1, 4)))
            receipts.append(log.append("annotation", note(number), parents=chosen))
            parents[number] = [receipt.index for receipt in chosen]
    reach: dict[int, set[int]] = {1: set()}
    for number, direct in parents.items():
        reach[number] = set(direct).union(*(reach[one] for one in direct))
    with place.open(read_only=read_only) as log:
        for number in (1, 2, 40, 79):
            name = log.get(number).id
            assert [e.index for e in log.parents(name)] == parents.get(number, [])
            assert [e.index for e in log.ancestors(name)] == sorted(reach[number], reverse=True)
            assert [e.index for e in log.children(name)] == [
                child for child, direct in parents.items() if number in direct
            ]
            assert [e.index for e in log.descendants(name)] == [
                later for later in reach if number in reach[later]
            ]


def test_a_deep_chain_needs_no_recursion(log: Ledger) -> None:
    first = Draft("witness", witness())
    chain = [first]
    for number in range(3000):
        chain.append(Draft("annotation", note(number), parents=[chain[-1]]))
    receipts = log.append_many(chain)
    assert sum(1 for _ in lineage.ancestors(log.store, receipts[-1].index)) == 3000
    assert sum(1 for _ in lineage.descendants(log.store, receipts[0].index)) == 3000


def test_reading_only_changes_no_byte(mixed: Place) -> None:
    def state() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in sorted(mixed.path.rglob("*"))
            if path.is_file() and path.name != "lock.mdb"
        }

    (mixed.path / "checkpoint").write_bytes(b"torn")
    before = state()
    with mixed.open(read_only=True) as log:
        list(log.find(type="witness"))
        with pytest.raises(LogError) as caught:
            log.append("witness", witness())
        assert caught.value.code == "read_only"
    assert state() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be")
def test_a_user_without_write_permission_can_read(mixed: Place, tmp_path: Path) -> None:
    script = (
        "import os, sys, ledger\n"
        # Everything is imported by a first open: the other user may not see the libraries.
        "ledger.open(sys.argv[1]).close(); os.setgid(65534); os.setuid(65534)\n"
        "log = ledger.open(sys.argv[1])\n"
        "assert sum(1 for _ in log.find(type='annotation')) == 60\n"
        "try: log.append('witness', {})\n"
        "except ledger.LogError as error: print(error.code, len(log))\n"
    )
    folder = tmp_path
    while folder != Path("/tmp") and folder != Path("/"):
        folder.chmod(0o755)
        folder = folder.parent
    for path in [mixed.path, *mixed.path.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    with mixed.open(read_only=True) as log:
        size = len(log)
    root = Path(ledger.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", script, str(mixed.path)],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(root)}, check=False,
    )  # fmt: skip
    assert done.stdout == f"read_only {size}\n", done.stderr


def test_iterating_needs_constant_memory(log: Ledger) -> None:
    """Statements are read a few at a time, and what was appended meanwhile is not waited for."""
    log.append_many(drafts(300))
    seen = 0
    for entry in log.entries():
        if entry.index == 5:
            log.append_many(drafts(10))
        seen += 1
    assert seen == 301
