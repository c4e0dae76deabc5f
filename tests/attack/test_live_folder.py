"""Somebody has the ledger's own folder, or its key files: what the ledger and its doctor notice."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

import ledger
from ledger.doctor import examine
from ledger.errors import KeyFileError, LedgerError, LogError, RecordError, StoreError
from ledger.export.package import export
from ledger.formats.merkle import root_of
from ledger.keys import keyfile
from ledger.keys.signer import open_signer
from ledger.model import SECRET_HEADERS
from tests.attack.conftest import Scene
from tests.helpers import forge
from tests.helpers.damage import damage_bytes
from tests.helpers.keys import private, signer
from tests.helpers.world import ORIGIN, World, body, draft, tell

TABLES = ("entries", "tiles", "ids", "streams", "chain", "blobs", "meta")


@pytest.fixture
def live(tmp_path: Path) -> World:
    """A ledger of its own, told about, sound, and closed."""
    made = World(tmp_path)
    tell(made)
    assert list(examine(made.path)) == []
    return made


def refusal(world: World) -> str:
    """The code with which opening for writing and for reading is refused."""
    codes = set()
    for read_only in (True, False):
        with pytest.raises(StoreError) as refused:
            world.open(read_only=read_only).close()
        codes.add(refused.value.code)
    (code,) = codes
    return code


def grow(world: World, number: int = 1) -> None:
    """Append more, in a new session."""
    with world.open(session="later") as log:
        log.append_many([draft(log, 100 + n) for n in range(number)])


# Roll-back


def test_an_older_copy_of_the_database_is_restored(live: World, tmp_path: Path) -> None:
    """A backup of the database is put back: the published head remembers more, nothing is lost."""
    shutil.copytree(live.path / "db", tmp_path / "backup")
    grow(live)
    newest = (live.path / "checkpoint").read_bytes()
    shutil.rmtree(live.path / "db")
    shutil.copytree(tmp_path / "backup", live.path / "db")
    assert refusal(live) == "rolled_back"
    assert "rolled_back" in {problem.code for problem in examine(live.path)}
    assert (live.path / "checkpoint").read_bytes() == newest


def test_a_database_with_another_history(live: World, tmp_path: Path) -> None:
    """After a roll-back somebody appended as much again: the published head contradicts it."""
    shutil.copytree(live.path, tmp_path / "fork.vif")
    grow(live)
    fork = World.__new__(World)
    fork.__dict__ |= live.__dict__ | {"path": tmp_path / "fork.vif"}
    grow(fork, 2)
    shutil.rmtree(live.path / "db")
    shutil.copytree(fork.path / "db", live.path / "db")
    assert refusal(live) == "rolled_back"
    assert "rolled_back" in {problem.code for problem in examine(live.path)}


@pytest.mark.parametrize(
    "damage",
    [lambda file: file.unlink(), lambda file: file.write_bytes(b""),
     lambda file: file.write_bytes(file.read_bytes()[:40]),
     lambda file: file.write_bytes(bytes(200))],
    ids=["deleted", "empty", "torn", "zeros"],
)  # fmt: skip
def test_the_published_head_is_gone(live: World, damage: Callable[[Path], object]) -> None:
    """A head that is missing or torn is noted, and published again from the database."""
    file = live.path / "checkpoint"
    honest = file.read_bytes()
    damage(file)
    assert {(p.code, p.severity) for p in examine(live.path)} == {("head_unpublished", "note")}
    with live.open() as log:
        assert log.head_note() == honest
    assert file.read_bytes() == honest
    assert list(examine(live.path)) == []


def test_the_published_head_is_of_another_ledger(live: World, scene: Scene) -> None:
    """A head of another log, or of a larger one, in the folder stops the ledger."""
    file = live.path / "checkpoint"
    honest = file.read_bytes()
    other = signer("other log", "example.org/other", "log")
    for note in (
        forge.sign_head(3, bytes(32), other),
        forge.sign_head(500, bytes(32), other),
        forge.sign_head(500, bytes(32), live.log_key),
        forge.sign_head(3, bytes(32), live.log_key),
        scene.foreign.files["data/log/checkpoint"],
    ):
        file.write_bytes(note)
        assert refusal(live) == "rolled_back"
        assert "rolled_back" in {problem.code for problem in examine(live.path)}
    file.write_bytes(honest)
    live.open().close()


# Damage


def rows(world: World, table: str) -> dict[bytes, bytes]:
    """All rows of a table."""
    with lmdb.open(str(world.path / "db"), max_dbs=16, readonly=True, lock=False) as store:
        found = store.open_db(table.encode(), create=False)
        with store.begin(db=found) as txn:
            return dict(txn.cursor())


def overwrite(world: World, table: str, key: bytes, value: bytes | None) -> None:
    """Put a value into the database behind the ledger's back, or take the row away."""
    with lmdb.open(str(world.path / "db"), max_dbs=16) as store:
        found = store.open_db(table.encode(), create=False)
        with store.begin(db=found, write=True) as txn:
            if value is None:
                txn.delete(key)
            else:
                txn.put(key, value)


def failures(world: World) -> set[str]:
    """The tables in which the doctor finds failures, or that there is nothing it can read."""
    try:
        return {problem.table for problem in examine(world.path) if problem.severity == "fail"}
    except StoreError:
        return {"unreadable"}


@pytest.mark.parametrize("table", TABLES)
def test_a_bit_flips_in_any_row(live: World, table: str) -> None:
    """Every row of every table: a flipped bit in its value is found by the doctor, and where."""
    found = rows(live, table)
    assert found
    for key, value in found.items():
        for at in (0, len(value) // 2, len(value) - 1):
            flipped = value[:at] + bytes((value[at] ^ 4,)) + value[at + 1 :]
            overwrite(live, table, key, flipped)
            tables = failures(live)
            assert tables & {table, "unreadable"}, (table, key, at, tables)
            overwrite(live, table, key, value)
    assert list(examine(live.path)) == []


@pytest.mark.parametrize("table", ["entries", "tiles", "ids", "streams", "chain", "blobs"])
def test_a_row_is_taken_away(live: World, table: str) -> None:
    """Every row of every table: its absence is found by the doctor."""
    for key, value in rows(live, table).items():
        overwrite(live, table, key, None)
        assert failures(live), (table, key)
        overwrite(live, table, key, value)
    assert list(examine(live.path)) == []


@pytest.mark.parametrize("seed", range(3))
def test_any_damage_to_any_row(live: World, seed: int) -> None:
    """Whatever is in the tables, doctor and ledger answer with a finding or a refusal of theirs."""
    rng = random.Random(seed)
    held = {table: rows(live, table) for table in TABLES}
    for _ in range(40):
        table = rng.choice(TABLES)
        key = rng.choice(list(held[table]))
        bad = damage_bytes(held[table][key], rng)
        if bad == held[table][key]:
            continue
        overwrite(live, table, key, bad)
        assert failures(live), (table, key, bad)
        with contextlib.suppress(LedgerError), live.open(read_only=True) as log:
            for entry in log:
                log.by_id(entry.id)
                log.parents(entry.id)
        overwrite(live, table, key, held[table][key])
    assert list(examine(live.path)) == []


def test_the_end_of_the_log_is_damaged(live: World) -> None:
    """What appending builds on is checked at every open: last records, tiles, head, size."""
    last = max(rows(live, "entries"))
    entry, tile = rows(live, "entries")[last], rows(live, "tiles")
    head = rows(live, "meta")[b"head"]
    top = max(key for key in tile if key[0] == 0)
    longer = last[:-1] + bytes((last[-1] + 1,))
    for table, key, good, bad in (
        ("entries", last, entry, entry[:-1] + bytes((entry[-1] ^ 1,))),
        ("entries", last, entry, None),
        ("entries", longer, None, entry),
        ("tiles", top, tile[top], tile[top][:-1] + bytes((tile[top][-1] ^ 1,))),
        ("tiles", top, tile[top], tile[top][:-32]),
        ("meta", b"head", head, head[:-5] + b"AAA=\n"),
        (
            "meta",
            b"head",
            head,
            forge.head(list(rows(live, "entries").values()), signer("x", ORIGIN, "log")),
        ),
    ):
        overwrite(live, table, key, bad)
        assert refusal(live) == "tree_damaged", (table, bad)
        overwrite(live, table, key, good)
    grow(live)
    assert list(examine(live.path)) == []


def test_a_head_signed_over_other_records(live: World) -> None:
    """Somebody rewrites a record, its tiles and root, but has no log key: the head tells."""
    entries = list(rows(live, "entries").values())
    before = rows(live, "tiles")
    forged = list(entries)
    forged[6] = forge.alter(
        forged[6], lambda v: v["body"]["meta"].update(writer="x"), live.producer
    )
    overwrite(live, "entries", (6).to_bytes(8), forged[6])
    for (level, number), tile in forge.tiles(forge.leaves(forged)).items():
        overwrite(live, "tiles", bytes((level,)) + number.to_bytes(8), tile)
    assert rows(live, "tiles") != before
    assert refusal(live) == "tree_damaged"
    assert {p.code for p in examine(live.path)} >= {"root_mismatch", "stream_prev"}
    assert root_of(forge.leaves(forged)) != root_of(forge.leaves(entries))


def test_content_files_are_damaged(live: World) -> None:
    """A large content changed, cut, or gone is never given out, exported or passed over."""
    big = os.urandom(200_000)
    with live.open(session="big") as log:
        value, contents = body(log, 50)
        large = log.archive(big, "application/octet-stream")
        value["output"]["output_hash"] = large.ref.to_cbor()
        log.append("witness", value, contents=[*contents, large])
        assert log.content(large.ref) == big
    (file,) = (p for p in (live.path / "content").rglob("*") if p.is_file())
    flipped = bytes([big[0] ^ 1]) + big[1:]
    for damaged, code in (
        (big[:-1], "content_mismatch"),
        (flipped, "content_mismatch"),
        (None, "content_missing"),
    ):
        file.unlink(missing_ok=True)
        if damaged is not None:
            file.write_bytes(damaged)
        with live.open() as log:
            with pytest.raises(LedgerError) as refused:
                log.content(large.ref)
            assert refused.value.code == code
            with pytest.raises(LedgerError) as refused:
                export(log, live.folder / "package")
            assert refused.value.code == code
        assert not (live.folder / "package").exists()
        assert code in {problem.code for problem in examine(live.path)}


@pytest.mark.parametrize("size", [100, 80_000], ids=["small", "large"])
def test_erased_content_that_is_recorded_again(live: World, size: int) -> None:
    """A content that was erased and comes up again is kept again, and is in the next package."""
    for _ in range(2):
        with live.open(session="again") as log:
            value, contents = body(log, 1, text="x" * size)
            log.append("witness", value, contents=contents)
            ref = contents[1].ref
            assert log.content(ref) == b"x" * size
            log.erase(ref, "asked to")
            with pytest.raises(LedgerError) as refused:
                log.content(ref)
            assert refused.value.code == "content_erased"
            assert not any(b"x" * 100 in p.read_bytes() for p in (live.path / "content").rglob("*")
                           if p.is_file())  # fmt: skip
    with live.open(session="again") as log:
        value, contents = body(log, 1, text="x" * size)
        log.append("witness", value, contents=contents)
        assert log.content(ref) == b"x" * size
    assert list(examine(live.path)) == []


# Keys


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o601, 0o700 | 0o077])
def test_a_key_file_that_others_can_read(tmp_path: Path, mode: int) -> None:
    """A private key that group or others can reach is not used before that is mended."""
    file = keyfile.store(private("file"), "producer", "lab", tmp_path / "keys")
    assert open_signer(f"file:{file}").name == "lab"
    file.chmod(mode)
    with pytest.raises(KeyFileError) as refused:
        open_signer(f"file:{file}")
    assert refused.value.code == "key_permissions"
    file.chmod(0o600)
    assert open_signer(f"file:{file}").name == "lab"


def test_keys_inside_the_ledger_folder(tmp_path: Path) -> None:
    """Whoever gets a ledger must not get its keys: no key folder is accepted inside it."""
    path = tmp_path / "lab.vif"
    (tmp_path / "link").symlink_to(path)
    for keys in (
        path / "keys",
        path,
        tmp_path / "other" / ".." / "lab.vif" / "k",
        tmp_path / "link" / "k",
    ):
        with pytest.raises(KeyFileError) as refused:
            ledger.init(path, origin=ORIGIN, keys=keys)
        assert refused.value.code == "key_permissions"
        assert not path.exists()


def test_a_private_key_is_nowhere_but_in_its_file(tmp_path: Path) -> None:
    """No byte of a private key is in the ledger, in a package, in a page, or in what is printed."""
    world = World(tmp_path)
    tell(world)
    keys = tmp_path / "made-keys"
    made = ledger.init(tmp_path / "made.vif", origin="example.org/made", keys=keys)
    with ledger.open(made.path, keys=keys, session="s") as log:
        log.append_many([draft(log, n) for n in range(3)])
        export(log, tmp_path / "made-package")
        shown = repr(log) + repr(log.keys().keys) + repr(made)
    for number, more in enumerate(({}, {"session": "run-1"}, {"start": 1, "end": 5})):
        world.package(tmp_path / f"package-{number}", **more)
    world.package(tmp_path / "package.zip")
    secrets = [(seed, "seed") for seed in world.seeds]
    for file in keys.iterdir():
        loaded = keyfile.load(file)
        raw = loaded._private.private_bytes_raw()
        secrets += [(raw, file.name), (raw.hex().encode(), file.name)]
        assert raw in _pem_bytes(file.read_bytes())
        shown += repr(loaded) + str(loaded)
    secrets.append((b"PRIVATE KEY", "PEM"))
    seen = 0
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.parent != keys:
            held = path.read_bytes()
            if path.suffix == ".zip":
                held += b"".join(forge.take(path).values())
            seen += 1
            for secret, name in secrets:
                assert secret not in held, (path, name)
    assert seen > 60
    for secret, _ in secrets:
        assert secret.hex() not in shown
        assert repr(secret) not in shown


def _pem_bytes(data: bytes) -> bytes:
    import base64

    text = data.partition(b"-----BEGIN PRIVATE KEY-----")[2].partition(b"-----END")[0]
    return base64.b64decode(text)


@pytest.mark.parametrize("how", ["rotate", "enrol"])
def test_a_new_log_key_alone_is_enough(live: World, how: str) -> None:
    """Once the log key is replaced, appending needs the new one and not the old."""
    new = signer("new log", ORIGIN, "log")
    with live.open() as log:
        if how == "rotate":
            log.rotate(new, old=live.log_key)
        else:
            log.enrol(new, authority=live.authority)
    with live.open(log_key=new, session="after") as log:
        log.append_many([draft(log, 1)])
        log.enrol(signer("more", "lab-producer", "producer"), authority=live.authority)
        export(log, live.folder / "package")
    assert list(examine(live.path)) == []


def test_a_key_of_the_wrong_role_or_ledger_signs_nothing(live: World) -> None:
    """Keys that the ledger does not know, or knows for something else, append nothing."""
    before = live.state()
    stranger = signer("stranger", "lab-producer", "producer")
    for more in (
        {"producer": stranger}, {"producer": live.log_key}, {"producer": live.authority},
        {"log_key": signer("stranger", ORIGIN, "log")}, {"log_key": live.producer},
    ):  # fmt: skip
        with live.open(session="x", **more) as log, pytest.raises(LogError) as refused:
            log.append_many([draft(log, 1)])
        assert refused.value.code == "no_signer"
    for authority in (live.producer, live.log_key, stranger):
        with live.open() as log, pytest.raises(LogError) as refused:
            log.enrol(stranger, authority=authority)
        assert refused.value.code in ("no_signer", "key_event_invalid")
    assert live.state() == before


# Records


def test_secrets_in_headers(live: World) -> None:
    """No header that carries a secret is recorded, whatever its letters or side."""
    before = live.state()
    with live.open(session="x") as log:
        for name in [*SECRET_HEADERS, "Authorization", "X-API-KEY"]:
            for side in ("request_headers", "response_headers"):
                value, contents = body(log, 1)
                value["raw"] = {side: {"content-type": "text/plain", name: "Bearer s3cr3t"}}
                with pytest.raises(RecordError) as refused:
                    log.append("witness", value, contents=contents)
                assert refused.value.code == "body_invalid"
                assert "s3cr3t" not in str(refused.value)
        assert len(log) == 10
    assert live.state() == before
    assert not any(b"s3cr3t" in p.read_bytes() for p in live.path.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("band_mismatch", lambda v: v["uncertainty"].update(confidence_band="A")),
        ("gate_mismatch", lambda v: v["meta"].update(kappa_gate_passed=False)),
        ("total_mismatch", lambda v: v["output"].update(total_tokens=11)),
        ("threshold_mismatch", lambda v: v["meta"].update(kappa_threshold=0.6)),
        ("body_invalid", lambda v: v["data"].update(prompt_tokens=True)),
        ("body_invalid", lambda v: v["data"]["prompt_hash"].update(salted=True)),
    ],
)
def test_false_records_are_not_taken(live: World, code: str, change: Callable[..., object]) -> None:
    """The ledger itself refuses what an auditor would refuse, and keeps nothing of it."""
    before = live.state()
    with live.open(session="x") as log:
        good, contents = body(log, 1)
        bad, _ = body(log, 2)
        change(bad)
        with pytest.raises(RecordError) as refused:
            log.append_many([
                ledger.Draft("witness", good, (), contents), ledger.Draft("witness", bad),
            ])  # fmt: skip
        assert refused.value.code == code
        assert len(log) == 10
    assert live.state() == before
