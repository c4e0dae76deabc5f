"""Small packages put together by hand from specs/07, wrong wherever a case wants them to be.

Nothing of `ledger.export` is used here. The readable files are a line each; nobody reads them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from ledger.formats import cbor, content, merkle, note
from ledger.formats.payload import KEY_STREAM
from ledger.keys.signer import Ed25519Signer
from tools.vectors import lab
from tools.vectors.case import Case

Files = dict[str, bytes]

GENESIS = lab.LEDGER.genesis.hex()

LISTS = {"manifest-sha256.txt", "tagmanifest-sha256.txt", "seal-sha256.txt"}
TAGS = LISTS | {"bagit.txt", "bag-info.txt"}
BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
PAGES = {
    "README.md": b"A package of the test vectors.\n",
    "data/summary.html": b"<!doctype html>\n<title>A package of the test vectors</title>\n",
    "data/ro-crate-metadata.json": b'{"@graph": []}\n',
}


class Log:
    """A log of the test ledger that grows; a statement may be anything."""

    def __init__(
        self,
        genesis: bytes = lab.GENESIS_STATEMENT,
        log_key: Ed25519Signer = lab.LOG,
        offset: int = 0,
    ) -> None:
        """Begin with a genesis; the moments of a log are counted from an offset."""
        self.statements = [genesis]
        self.log_key = log_key
        self.origin = log_key.name
        self.offset = offset
        self._streams: dict[str, list[bytes]] = {KEY_STREAM: [genesis]}
        self.sessions: list[str | None] = [None]
        self._said = 1

    def say(
        self,
        kind: str,
        body: dict[str, Any],
        stream: str,
        *,
        session: str | None = None,
        parents: Sequence[dict[str, Any]] = (),
        by: Ed25519Signer = lab.PRODUCER,
        genesis: bytes | None = None,
    ) -> int:
        """Append a statement chained to its stream; return its index."""
        before = self._streams.setdefault(stream, [])
        identity, created_at = lab.moment(self.offset + self._said)
        self._said += 1
        link: dict[str, Any] = {"id": stream, "seq": len(before)}
        if before:
            link["prev"] = merkle.hash_leaf(before[-1])
        else:
            named = genesis or merkle.hash_leaf(self.statements[0])
            link["ledger"] = {"origin": self.origin, "genesis": named}
        payload: dict[str, Any] = {"vif": 1, "type": kind, "id": identity, "body": body}
        payload |= {"created_at": created_at, "stream": link}
        if session is not None:
            payload["session"] = session
        if parents:
            payload["parents"] = list(parents)
        statement = lab.sign(cbor.encode(payload), by, stream)
        before.append(statement)
        self.statements.append(statement)
        self.sessions.append(session)
        return len(self.statements) - 1

    def parent(self, index: int) -> dict[str, Any]:
        """Return the link to a statement, while none was taken out of the log."""
        return {
            "id": lab.moment(self.offset + index)[0],
            "leaf_hash": merkle.hash_leaf(self.statements[index]),
        }

    def known_head(self, size: int | None = None) -> str:
        """Return SIZE:ROOT of the first statements, by default of all."""
        leaves = [merkle.hash_leaf(s) for s in self.statements[:size]]
        return f"{len(leaves)}:{merkle.root_of(leaves).hex()}"

    def export(self, sealed: Files, by: Ed25519Signer = lab.PRODUCER, **change: Any) -> None:
        """Append the export statement of a whole ledger over files that have a seal."""
        seal = sealed["seal-sha256.txt"]
        end = len(self.statements)
        body: dict[str, Any] = {
            "package_version": 1,
            "seal": {"sha256": sha256(seal).digest(), "size_bytes": len(seal)},
            "selection": {"kind": "ledger", "start": 0, "end": end},
            "contents": "included",
            "statements": end,
            "streams": [],
        }
        self.say("export", body | change, "exports", by=by)

    def export_session(
        self, sealed: Files, session: str, streams: dict[str, int], **change: Any
    ) -> None:
        """Append the export statement of a session."""
        selection = {
            "kind": "session", "start": 0, "end": len(self.statements), "session": session
        }  # fmt: skip
        counted = [{"id": name, "statements": streams[name]} for name in sorted(streams)]
        count = sum(one == session for one in self.sessions)
        self.export(sealed, selection=selection, streams=counted, statements=count, **change)

    def tiles(self) -> Files:
        """Return `data/log/` of the whole log."""
        size = len(self.statements)
        leaves = [merkle.hash_leaf(statement) for statement in self.statements]
        tiles = merkle.tiles_after_append(0, leaves, lambda level, number: b"")
        files = {
            f"data/log/{merkle.tile_path(level, number, len(data) // 32)}": data
            for (level, number), data in tiles.items()
        }
        bundle = b"".join(len(one).to_bytes(2) + one for one in self.statements)
        return files | {
            "data/log/checkpoint": self.checkpoint(),
            f"data/log/{merkle.entries_path(0, size)}": bundle,
        }

    def proved(self, indices: Collection[int]) -> Files:
        """Return `data/log/` of a part."""
        leaves = [merkle.hash_leaf(statement) for statement in self.statements]
        tiles = merkle.tiles_after_append(0, leaves, lambda level, number: b"")
        records = bytearray()
        for index in sorted(indices):
            statement = self.statements[index]
            proof = merkle.inclusion_proof(index, len(leaves), lambda *at: tiles[at])
            records += index.to_bytes(8) + len(statement).to_bytes(2) + statement
            records += len(proof).to_bytes(1) + b"".join(proof)
        return {"data/log/checkpoint": self.checkpoint(), "data/log/proved/000": bytes(records)}

    def checkpoint(self) -> bytes:
        """Return the head over all statements, signed with the log key."""
        leaves = [merkle.hash_leaf(statement) for statement in self.statements]
        head = note.Checkpoint(self.origin, len(leaves), merkle.root_of(leaves))
        key = self.log_key
        return note.sign_checkpoint(head, self.origin, key.sign, key.public_key)


def whole(log: Log, content: Files, **change: Any) -> Files:
    """Return the signed package of a whole log; appends the export statement."""
    files = sealed(PAGES | content)
    log.export(files, **change)
    return bag(files | log.tiles(), log.origin)


def package_case(
    name: str,
    told: str,
    files: Files,
    known_head: str | None,
    expect: str = "ok",
    *,
    exit_code: int | None = None,
    genesis: str | None = GENESIS,
    codes: tuple[str, ...] = (),
    notes: tuple[str, ...] | None = None,
    beside: Sequence[Files] = (),
    also: Sequence[str] = (),
) -> Case:
    """Make a case; `codes` are findings of severity limit, which a package may have and be good.

    `notes` are those of severity note, None when they are not looked at. `beside` are packages of
    other ledgers, `also` their pins.
    """
    code = (0 if expect == "ok" else 1) if exit_code is None else exit_code
    arguments: dict[str, Any] = {
        "trust": genesis,
        "known_head": known_head,
        "exit_code": code,
        "codes": list(codes),
    }
    if notes is not None:
        arguments["notes"] = list(notes)
    if beside:
        arguments["beside"] = [f"beside-{number}" for number in range(len(beside))]
        arguments["trust"] = [pin for pin in (genesis, *also) if pin is not None]
    zip_file = files.pop("package.zip", None)
    put = {f"package/{path}": data for path, data in files.items()}
    if zip_file is not None:
        put["package.zip"] = zip_file
    for number, other in enumerate(beside):
        put |= {f"beside-{number}/{path}": data for path, data in other.items()}
    return Case(f"package_{name}", "package", told, expect, arguments, put)


def archive(*texts: str) -> Files:
    """Return the content files of texts."""
    files = {}
    for text in texts:
        reference, archived = content.refer(text.encode(), "text/plain")
        name = reference.blake3.hex()
        files[f"data/content/{name[:2]}/{name}"] = archived
    return files


def sealed(files: Files) -> Files:
    """Return files with their seal; without those of the log, which it does not cover."""
    covered = {p: d for p, d in files.items() if not p.startswith("data/log/") and p not in TAGS}
    return covered | {"seal-sha256.txt": _lines(covered)}


def bag(files: Files, origin: str = lab.ORIGIN) -> Files:
    """Return files with all tag files but the seal as they have to be."""
    files = {p: d for p, d in files.items() if p not in TAGS - {"seal-sha256.txt"}}
    payload = {path: data for path, data in files.items() if path.startswith("data/")}
    date = lab.moment(0)[1][:10]
    info = (
        f"Bagging-Date: {date}\nExternal-Identifier: {origin}\n"
        f"Payload-Oxum: {sum(map(len, payload.values()))}.{len(payload)}\n"
        "Bag-Software-Agent: vif-ledger\n"
    )
    files |= {"bagit.txt": BAGIT, "bag-info.txt": info.encode()}
    files["manifest-sha256.txt"] = _lines(payload)
    tags = {p: d for p, d in files.items() if not p.startswith("data/")}
    return files | {"tagmanifest-sha256.txt": _lines(tags)}


def zipped(members: Sequence[tuple[str, bytes]], links: Collection[str] = ()) -> bytes:
    """Return a zip of members as they are named; those in `links` are marked as symbolic links."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive_file:
        for name, data in members:
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            mode = 0o040755 if name.endswith("/") else 0o120777 if name in links else 0o100644
            member.external_attr = mode << 16
            archive_file.writestr(member, data)
    return buffer.getvalue()


def in_zips(case: Case) -> Case:
    """Return a case with its packages as zips: one file each, where there are many cases."""
    packages: dict[str, list[tuple[str, bytes]]] = {}
    for path, data in sorted(case.files.items()):
        packages.setdefault(path.partition("/")[0], []).append((path, data))
    files = {f"{name}.zip": zipped(members) for name, members in packages.items()}
    arguments = dict(case.arguments)
    if "beside" in arguments:
        arguments["beside"] = [f"{name}.zip" for name in arguments["beside"]]
    return replace(case, arguments=arguments, files=files)


def _lines(files: Files) -> bytes:
    return b"".join(
        sha256(files[path]).hexdigest().encode() + b"  " + path.encode() + b"\n"
        for path in sorted(files, key=str.encode)
    )
