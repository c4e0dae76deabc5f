"""A small builder of ledgers and packages, written from the pages for these tests."""

from __future__ import annotations

import base64
import hashlib
import random
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blake3 import blake3
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from tests.verifier.derive import Derivation
from verifier.cbor import encode, head

ORIGIN = "example.org/lab"
EPOCH = datetime(2026, 11, 20, 9, 0, 0, tzinfo=UTC)
COSE_KEY = bytes.fromhex("a301012006215820")


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf_hash(statement: bytes) -> bytes:
    return sha(b"\0" + statement)


def mth(leaves: list[bytes]) -> bytes:
    """The root by the recursive definition of RFC 9162 section 2.1.1."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1" + mth(leaves[:k]) + mth(leaves[k:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The inclusion proof by the definition of RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if index < k:
        return [*path(index, leaves[:k]), mth(leaves[k:])]
    return [*path(index - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """The consistency proof by the definition of RFC 9162 section 2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


class Key:
    """A key from a seed of one byte."""

    def __init__(self, byte: int, name: str) -> None:
        self.public, self.secret = crypto_sign_seed_keypair(bytes([byte]) * 32)
        self.name = name
        self.kid = sha(COSE_KEY + self.public)

    def sign(self, message: bytes) -> bytes:
        return crypto_sign(message, self.secret)[:64]

    def entry(self, role: str, origin: str = ORIGIN) -> dict[str, Any]:
        claim = encode(["vif-key-proof", origin, role, self.name, self.public])
        return {"name": self.name, "public_key": self.public, "proof": self.sign(claim)}


AUTHORITY, LOG, PRODUCER = Key(1, "lab-authority"), Key(2, ORIGIN), Key(3, "lab-producer")


def text(value: str) -> bytes:
    return head(3, len(value.encode())) + value.encode()


def frame(key: Key, stream: str, payload: bytes, alg: bytes = b"\x32") -> bytes:
    """Sign a payload as a statement."""
    protected = b"\xa4\x01" + alg + b"\x03" + text("application/vif-statement+cbor")
    protected += (
        b"\x04\x58\x20" + key.kid + b"\x0f\xa2\x01" + text(key.name) + b"\x02" + text(stream)
    )
    protected = head(2, len(protected)) + protected
    bstr = head(2, len(payload)) + payload
    signature = key.sign(b"\x84\x6aSignature1" + protected + b"\x40" + bstr)
    return b"\xd2\x84" + protected + b"\xa0" + bstr + b"\x58\x40" + signature


def ref(content: bytes, media_type: str = "text/plain") -> dict[str, Any]:
    return {
        "sha256": sha(content),
        "blake3": blake3(content).digest(),
        "media_type": media_type,
        "size_bytes": len(content),
    }


def witness(prompt: bytes = b"hello", score: float = 0.9, **change: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "version": 1,
        "operation": "chat",
        "model": {"model_id": "m-1", "model_provider": "acme", "provider_source": "endpoint"},
        "data": {"prompt_hash": ref(prompt), "prompt_tokens": 7},
        "uncertainty": {
            "confidence_score": score,
            "confidence_band": "A" if score >= 0.95 else "B" if score >= 0.8 else "C",
            "confidence_method": "logprobs",
        },
        "output": {"output_tokens": 5, "total_tokens": 12, "token_source": "provider"},
        "meta": {
            "writer": "tests",
            "task_criticality": "routine",
            "kappa_threshold": 0.7,
            "kappa_gate_passed": score >= 0.7,
        },
        "capture": {"vantage": "manual"},
    }
    for name, value in change.items():
        group, _, key = name.partition("__")
        body[group][key] = value
    return body


class Ledger:
    """Statements in order, as a producer would have made them; every step can be bent."""

    def __init__(
        self,
        producers: Iterable[Key] = (PRODUCER,),
        salted: bool = False,
        origin: str = ORIGIN,
        seed: int = 7,
    ) -> None:
        self.origin = origin
        self.entries: list[bytes] = []
        self.ids: list[str] = []
        self.streams: dict[str, tuple[int, bytes]] = {}
        self.contents: dict[bytes, bytes] = {}
        self._rng = random.Random(seed)
        self.log_key = LOG if origin == ORIGIN else Key(2, origin)
        self.add(
            "genesis",
            {
                "origin": origin,
                "salted": salted,
                "authority": AUTHORITY.entry("authority", origin),
                "log": self.log_key.entry("log", origin),
                "producers": [key.entry("producer", origin) for key in producers],
            },
            stream="keys",
            key=AUTHORITY,
        )

    @property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(entry) for entry in self.entries]

    @property
    def genesis(self) -> bytes:
        return leaf_hash(self.entries[0])

    def add(
        self,
        kind: str,
        body: dict[str, Any],
        *,
        stream: str = "run-1/main",
        key: Key = PRODUCER,
        session: str | None = None,
        parents: Sequence[int | dict[str, Any]] | None = None,
        change: Callable[[dict[str, Any]], None] | None = None,
    ) -> int:
        """Append a statement and return its index."""
        index = len(self.entries)
        moment = EPOCH + timedelta(milliseconds=index)
        ms = int(moment.timestamp() * 1000)
        rest = f"{self._rng.getrandbits(74):019x}"
        ident = f"{ms:012x}"
        ident = f"{ident[:8]}-{ident[8:]}-7{rest[:3]}-8{rest[3:6]}-{rest[6:18]}"
        seq, prev = self.streams.get(stream, (0, b""))
        place: dict[str, Any] = {"id": stream, "seq": seq}
        if seq:
            place["prev"] = prev
        elif kind != "genesis":
            place["ledger"] = {"origin": self.origin, "genesis": self.genesis}
        payload: dict[str, Any] = {
            "vif": 1,
            "type": kind,
            "id": ident,
            "created_at": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "stream": place,
            "body": body,
        }
        if session is not None:
            payload["session"] = session
        if parents is not None:
            payload["parents"] = [p if isinstance(p, dict) else self.named(p) for p in parents]
        if change is not None:
            change(payload)
        self.entries.append(frame(key, stream, encode(payload)))
        self.ids.append(ident)
        self.streams[stream] = (seq + 1, leaf_hash(self.entries[-1]))
        return index

    def named(self, index: int, ledger: Ledger | None = None) -> dict[str, Any]:
        """A statement as a parent; with another ledger, as a parent in that one."""
        there = ledger if ledger is not None else self
        leaf = leaf_hash(there.entries[index])
        found: dict[str, Any] = {"id": there.ids[index], "leaf_hash": leaf}
        return found | {"ledger": there.genesis} if ledger is not None else found

    def content(self, data: bytes) -> bytes:
        """Keep archived bytes and return them."""
        self.contents[blake3(data).digest()] = data
        return data

    def root(self, size: int | None = None) -> bytes:
        return mth(self.leaves[: size or len(self.entries)])

    def checkpoint(self, size: int | None = None, key: Key | None = None) -> bytes:
        key = key or self.log_key
        size = size or len(self.entries)
        body = f"{self.origin}\n{size}\n{base64.b64encode(self.root(size)).decode()}\n".encode()
        key_id = sha(key.name.encode() + b"\n\x01" + key.public)[:4]
        line = base64.b64encode(key_id + key.sign(body)).decode()
        return body + f"\n\u2014 {key.name} {line}\n".encode()


def sample(witnesses: int = 6) -> Ledger:
    """A ledger with two streams, parents and contents."""
    ledger = Ledger()
    prompt = ledger.content(b"hello")
    first = ledger.add("witness", witness(prompt), session="run-1")
    for i in range(witnesses - 1):
        name = "run-2/main" if i % 3 == 2 else "run-1/main"
        session = name.split("/")[0]
        ledger.add("witness", witness(prompt), stream=name, session=session, parents=[first])
    ledger.add("annotation", {"kind": "note", "value": "fine"}, session="run-1", parents=[first])
    count = ledger.streams["run-1/main"][0] + 1
    ledger.add("stream_close", {"statements": count}, session="run-1")
    return ledger


def number_path(n: int) -> str:
    out = f"{n % 1000:03d}"
    while n >= 1000:
        n //= 1000
        out = f"x{n % 1000:03d}/{out}"
    return out


def log_files(ledger: Ledger) -> dict[str, bytes]:
    """The files below data/log/ of a whole ledger."""
    entries, leaves = ledger.entries, ledger.leaves
    files = {"data/log/checkpoint": ledger.checkpoint()}
    for n in range(0, len(entries), 256):
        part = entries[n : n + 256]
        tail = "" if len(part) == 256 else f".p/{len(part)}"
        raw = b"".join(len(e).to_bytes(2, "big") + e for e in part)
        files[f"data/log/tile/entries/{number_path(n // 256)}{tail}"] = raw
    level, row = 0, leaves
    while row:
        for n in range(0, len(row), 256):
            part = row[n : n + 256]
            tail = "" if len(part) == 256 else f".p/{len(part)}"
            files[f"data/log/tile/{level}/{number_path(n // 256)}{tail}"] = b"".join(part)
        row = [mth(row[n : n + 256]) for n in range(0, len(row) - 255, 256)]
        level += 1
    return files


def proved_files(
    ledger: Ledger, indices: list[int], consistency: Iterable[int] = ()
) -> dict[str, bytes]:
    """The files below data/log/ of a part."""
    leaves = ledger.leaves
    files = {"data/log/checkpoint": ledger.checkpoint()}
    for n in range(0, len(indices), 256):
        raw = b""
        for i in indices[n : n + 256]:
            proof = path(i, leaves)
            entry = ledger.entries[i]
            raw += i.to_bytes(8, "big") + len(entry).to_bytes(2, "big") + entry
            raw += bytes([len(proof)]) + b"".join(proof)
        files[f"data/log/proved/{number_path(n // 256)}"] = raw
    for size in consistency:
        lines = [base64.b64encode(h).decode() for h in subproof(size, leaves)]
        body = f"old {size}\n" + "".join(f"{line}\n" for line in lines) + "\n"
        files[f"data/log/consistency/{size}.txt"] = body.encode() + ledger.checkpoint()
    return files


def listing(files: dict[str, bytes]) -> bytes:
    lines = sorted((p.encode(), sha(data).hex()) for p, data in files.items())
    return b"".join(digest.encode() + b"  " + p + b"\n" for p, digest in lines)


def package(
    ledger: Ledger,
    *,
    kind: str = "ledger",
    session: str | None = None,
    start: int = 0,
    signed: bool = True,
    withheld: bool = False,
    consistency: Iterable[int] = (),
    change: Callable[[dict[str, Any]], None] | None = None,
    drop: Iterable[int] = (),
    extra: Iterable[int] = (),
    more: dict[str, bytes] | None = None,
) -> dict[str, bytes]:
    """The files of a package; a signed one appends its export statement to the ledger.

    `more` are other files that it has, such as those of a plan.
    """
    end = len(ledger.entries)
    files = {
        "README.md": b"# package\n",
        "data/summary.html": b"<!DOCTYPE html>\n",
        "data/ro-crate-metadata.json": b"{}\n",
        **(more or {}),
    }
    if not withheld:
        for address, data in ledger.contents.items():
            files[f"data/content/{address.hex()[:2]}/{address.hex()}"] = data
    payloads = [payload(e) for e in ledger.entries]
    chosen = [
        i
        for i, p in enumerate(payloads)
        if i >= start and (kind != "session" or p.get("session") == session)
    ]
    if signed and kind != "range":
        found = Derivation(payloads, ledger.leaves, chosen, {} if withheld else ledger.contents)
        found.project()
        if kind == "session":
            found.session()
        files |= found.files
    named = {address for i in chosen for address in addresses(payloads[i]["body"])}
    erasing = [
        i
        for i, p in enumerate(payloads)
        if p["type"] == "erasure" and p["body"]["content"]["blake3"] in named
    ]
    keys = [i for i, p in enumerate(payloads) if p["stream"]["id"] == "keys"]
    kept = sorted({*chosen, *keys, *erasing, *extra})
    if signed:
        seal = listing(files)
        files["seal-sha256.txt"] = seal
        selection: dict[str, Any] = {"kind": kind, "start": start, "end": end}
        if session is not None:
            selection["session"] = session
        names = sorted({"keys", *(payloads[i]["stream"]["id"] for i in chosen)})
        body = {
            "package_version": 1,
            "seal": {"sha256": sha(seal), "size_bytes": len(seal)},
            "selection": selection,
            "contents": "withheld" if withheld else "included",
            "statements": len(chosen),
            "streams": []
            if kind == "ledger"
            else [
                {"id": n, "statements": sum(p["stream"]["id"] == n for p in payloads)}
                for n in names
            ],
        }
        if change is not None:
            change(body)
        kept.append(ledger.add("export", body, stream="export"))
    kept = [i for i in kept if i not in set(drop)]
    files |= log_files(ledger) if kind == "ledger" else proved_files(ledger, kept, consistency)
    return bag(files, ledger.origin)


def bag(files: dict[str, bytes], origin: str = ORIGIN) -> dict[str, bytes]:
    """Make bag-info and manifests anew over the other files."""
    for name in ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"):
        files.pop(name, None)
    data = {p: d for p, d in files.items() if p.startswith("data/")}
    files["bagit.txt"] = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    files["bag-info.txt"] = (
        f"Bagging-Date: 2026-11-20\nExternal-Identifier: {origin}\n"
        f"Payload-Oxum: {sum(map(len, data.values()))}.{len(data)}\n"
        "Bag-Software-Agent: vif-ledger\n"
    ).encode()
    files["manifest-sha256.txt"] = listing(data)
    files["tagmanifest-sha256.txt"] = listing(
        {p: d for p, d in files.items() if not p.startswith("data/")}
    )
    return files


def addresses(value: Any) -> list[bytes]:
    """The BLAKE3 addresses of all references in a value."""
    if isinstance(value, dict):
        own = [value["blake3"]] if type(value.get("blake3")) is bytes else []
        return own + [a for v in value.values() for a in addresses(v)]
    return [a for v in value for a in addresses(v)] if isinstance(value, list) else []


def payload(entry: bytes) -> Any:
    from verifier import cbor, cose

    return cbor.decode(cose.parse(entry)[1])


def write(files: dict[str, bytes], folder: Path) -> Path:
    """Write a package as a folder."""
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def write_zip(files: dict[str, bytes], file: Path, top: str = "pack") -> Path:
    """Write a package as a zip."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(f"{top}/{name}", data)
    return file
