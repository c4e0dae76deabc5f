"""The forger's tools: takes a package apart and puts it together again with chosen keys.

Nothing is checked here. Statements are rewritten, cut out and put in; tiles, bundles, proofs, root
and head follow from whatever statements there are; lists, Oxum and seal follow from whatever files
there are. What the forger does not have are keys that he was not given.
"""

from __future__ import annotations

import copy
import hashlib
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ledger.formats import cbor, cose, merkle
from ledger.formats.note import Checkpoint, parse_checkpoint, sign_checkpoint
from ledger.formats.proof_file import write_consistency
from ledger.formats.values import format_time, parse_time, uuid7
from ledger.keys.signer import Ed25519Signer

Files = dict[str, bytes]
Signers = Iterable[Ed25519Signer]
CHECKPOINT = "data/log/checkpoint"
LISTS = ("manifest-sha256.txt", "tagmanifest-sha256.txt", "seal-sha256.txt")
UNSEALED = ("bag-info.txt", "bagit.txt", *LISTS)


# Files


def take(package: Path) -> Files:
    """All files of a folder or zip by their path in the package."""
    if package.is_dir():
        found = (path for path in package.rglob("*") if path.is_file())
        return {str(path.relative_to(package)): path.read_bytes() for path in found}
    with zipfile.ZipFile(package) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def put(files: Files, target: Path, *, zipped: bool = False) -> Path:
    """Write files as a package."""
    if zipped:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in sorted(files.items()):
                archive.writestr(f"package/{path}", data)
        return target
    for path, data in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)
    return target


def _list(files: Files, paths: Iterable[str]) -> bytes:
    lines = (f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(paths))
    return "".join(lines).encode()


def seal_again(files: Files) -> Files:
    """Write the seal anew, as for a new export; returns the same files."""
    sealed = [p for p in files if not p.startswith("data/log/") and p not in UNSEALED]
    files["seal-sha256.txt"] = _list(files, sealed)
    return files


def relist(files: Files) -> Files:
    """Make Oxum and manifests fit the files, as every careful attacker does; returns them."""
    payload = [path for path in files if path.startswith("data/")]
    oxum = f"{sum(len(files[path]) for path in payload)}.{len(payload)}"
    info = files["bag-info.txt"].decode()
    files["bag-info.txt"] = re.sub(r"Oxum: \S+", f"Oxum: {oxum}", info).encode()
    files["manifest-sha256.txt"] = _list(files, payload)
    tags = [p for p in files if not p.startswith("data/") and p != "tagmanifest-sha256.txt"]
    files["tagmanifest-sha256.txt"] = _list(files, tags)
    return files


# Log


def statements(files: Files) -> list[bytes]:
    """The statements of a whole ledger, for up to 1,000 bundles."""
    found = []
    for path in sorted(p for p in files if p.startswith("data/log/tile/entries/")):
        data = files[path]
        while data:
            size = int.from_bytes(data[:2])
            found.append(data[2 : 2 + size])
            data = data[2 + size :]
    return found


def leaves(log: Sequence[bytes]) -> list[bytes]:
    """The leaf hashes of statements."""
    return [merkle.hash_leaf(statement) for statement in log]


def tiles(hashes: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """All tiles over leaf hashes."""
    return merkle.tiles_after_append(0, hashes, lambda _level, _number: b"")


def head(log: Sequence[bytes], by: Ed25519Signer, *, origin: str | None = None) -> bytes:
    """A head over statements, signed by any key."""
    root = merkle.root_of(leaves(log))
    return sign_head(len(log), root, by, origin=origin)


def sign_head(size: int, root: bytes, by: Ed25519Signer, *, origin: str | None = None) -> bytes:
    """Any head, signed by any key."""
    checkpoint = Checkpoint(origin or by.name, size, root)
    return sign_checkpoint(checkpoint, checkpoint.origin, by.sign, by.public_key)


def known(note: bytes) -> str:
    """A head as SIZE:ROOT, the way an auditor writes it down."""
    checkpoint = parse_checkpoint(note)[0]
    return f"{checkpoint.size}:{checkpoint.root.hex()}"


def set_log(
    files: Files,
    log: Sequence[bytes],
    note: bytes | None = None,
    *,
    hashes: Sequence[bytes] | None = None,
) -> Files:
    """Replace the log of a whole ledger; without a new head the old one stays; returns the files.

    `hashes` are leaf hashes that the tiles are to show instead of those of the statements.
    """
    for path in [path for path in files if path.startswith("data/log/tile/")]:
        del files[path]
    for (level, number), tile in tiles(hashes or leaves(log)).items():
        files["data/log/" + merkle.tile_path(level, number, len(tile) // 32)] = tile
    for start in range(0, len(log), 256):
        bundle = log[start : start + 256]
        path = "data/log/" + merkle.entries_path(start // 256, len(bundle))
        files[path] = b"".join(len(one).to_bytes(2) + one for one in bundle)
    if note is not None:
        files[CHECKPOINT] = note
    return files


# Parts


def proved(files: Files) -> list[tuple[int, bytes, list[bytes]]]:
    """Index, statement and proof of the records of a part."""
    found = []
    for path in sorted(p for p in files if p.startswith("data/log/proved/")):
        data = files[path]
        while data:
            size = int.from_bytes(data[8:10])
            index, statement = int.from_bytes(data[:8]), data[10 : 10 + size]
            hashes = data[10 + size]
            end = 11 + size + 32 * hashes
            found.append((index, statement, [data[i : i + 32] for i in range(11 + size, end, 32)]))
            data = data[end:]
    return found


def set_proved(files: Files, records: Iterable[tuple[int, bytes, Sequence[bytes]]]) -> Files:
    """Replace the proved records of a part; returns the files."""
    for path in [path for path in files if path.startswith("data/log/proved/")]:
        del files[path]
    held = list(records)
    for start in range(0, len(held), 256):
        path = "data/log/proved/" + merkle.number_path(start // 256)
        files[path] = b"".join(
            index.to_bytes(8) + len(raw).to_bytes(2) + raw + bytes((len(proof),)) + b"".join(proof)
            for index, raw, proof in held[start : start + 256]
        )
    return files


def prove(log: Sequence[bytes], index: int) -> tuple[int, bytes, list[bytes]]:
    """A statement with its proof in the tree over a log."""
    held = tiles(leaves(log))
    proof = merkle.inclusion_proof(index, len(log), lambda level, number: held[level, number])
    return index, log[index], proof


def continuation(log: Sequence[bytes], old: int, note: bytes) -> bytes:
    """A consistency file from an earlier size to a head over a log."""
    held = tiles(leaves(log))
    hashes = merkle.consistency_proof(old, len(log), lambda level, number: held[level, number])
    return write_consistency(old, hashes, note)


# Statements


def read(statement: bytes) -> dict[str, Any]:
    """The payload of a statement as a value to be altered."""
    value: dict[str, Any] = cbor.decode(cose.parse(statement).payload)
    return value


def write(
    value: dict[str, Any], by: Ed25519Signer, *, iss: str | None = None, kid: bytes | None = None
) -> bytes:
    """A statement over any payload, signed by any key under any name."""
    sub = value["stream"]["id"]
    protected = cose.protected_header(kid or by.kid, iss or by.name, sub)
    payload = cbor.encode(value)
    return cose.assemble(protected, payload, by.sign(cose.signing_input(protected, payload)))


def alter(
    statement: bytes, change: Callable[[dict[str, Any]], Any], by: Ed25519Signer, **more: Any
) -> bytes:
    """A statement with a changed payload, signed again."""
    value = read(statement)
    change(value)
    return write(value, by, **more)


def relink(log: Sequence[bytes], signers: Signers, *, old: Sequence[bytes] = ()) -> list[bytes]:
    """Carry new leaf hashes into `prev` and `parents` of later statements, and sign those again.

    `old` are the statements as they were, where one was replaced; only statements whose key the
    forger has can be signed again.
    """
    mine = {signer.kid: signer for signer in signers}
    moved: dict[bytes, bytes] = {}
    linked: list[bytes] = []
    for number, statement in enumerate(log):
        value, signer = read(statement), mine.get(cose.parse(statement).kid)
        wanted = copy.deepcopy(value)
        stream = wanted["stream"]
        if "prev" in stream:
            stream["prev"] = moved.get(stream["prev"], stream["prev"])
        for parent in wanted.get("parents", ()):
            parent["leaf_hash"] = moved.get(parent["leaf_hash"], parent["leaf_hash"])
        now = statement
        if wanted != value and signer is not None:
            now = write(wanted, signer, iss=cose.parse(statement).iss)
        before = old[number] if number < len(old) else statement
        moved[merkle.hash_leaf(before)] = merkle.hash_leaf(now)
        moved[merkle.hash_leaf(statement)] = merkle.hash_leaf(now)
        linked.append(now)
    return linked


def following(
    log: Sequence[bytes],
    kind: str,
    body: dict[str, Any],
    by: Ed25519Signer,
    stream: str,
    **more: Any,
) -> bytes:
    """A statement that continues or begins a stream of a log; `more` are fields of its payload."""
    tail = [one for one in log if read(one)["stream"]["id"] == stream]
    place: dict[str, Any] = {"id": stream, "seq": len(tail)}
    if tail:
        place["prev"] = merkle.hash_leaf(tail[-1])
        if "session" in read(tail[-1]):
            more.setdefault("session", read(tail[-1])["session"])
    elif kind != "genesis":
        origin = read(log[0])["body"]["origin"]
        place["ledger"] = {"origin": origin, "genesis": merkle.hash_leaf(log[0])}
    # Times of several statements made one after the other differ by the length of the log.
    us = parse_time(read(log[-1])["created_at"]) + 1000 * (len(log) + 1)
    identity = uuid7(us, hashlib.sha256(b"".join(leaves(log))).digest())
    value = {"vif": 1, "type": kind, "id": identity, "created_at": format_time(us)}
    return write(value | {"stream": place, "body": body} | more, by)


def export_again(
    files: Files, log: Sequence[bytes], producer: Ed25519Signer, log_key: Ed25519Signer
) -> Files:
    """Seal and export forged statements as whoever holds producer and log key would; returns files.

    The last statement is the export statement to be replaced; it is brought up to date.
    """
    seal = seal_again(files)["seal-sha256.txt"]
    value = read(log[-1])
    end = len(log) - 1
    value["body"] |= {
        "seal": {"sha256": hashlib.sha256(seal).digest(), "size_bytes": len(seal)},
        "selection": {"kind": "ledger", "start": 0, "end": end},
        "statements": end,
        "streams": [],
    }
    whole = [*log[:-1], write(value, producer)]
    return relist(set_log(files, whole, head(whole, log_key)))
