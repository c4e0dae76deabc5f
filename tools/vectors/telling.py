"""Tells a session statement by statement, wrong wherever a case wants it to be (specs/10)."""

from __future__ import annotations

import re
from collections.abc import Collection
from hashlib import sha256
from typing import Any
from zlib import adler32, crc32

from ledger.formats import cbor, content, cose, merkle
from ledger.formats.call import call_digest, canonical
from tools.vectors import lab
from tools.vectors.bagged import Files, Log, package_case, whole
from tools.vectors.case import Case

LABEL = "mva/experiment_2"
URL = "https://api.example.org/v1/chat/completions"
JSON = "application/json"
HEADERS = {"content-type": JSON}
KEY = bytes(range(32))
PRICES = {"input_tokens": 0.25, "output_tokens": 0.5}
USAGE = {"input_tokens": 16, "output_tokens": 8}
COST_USD = 8e-06
FIRST = b'{"model":"small-model","messages":[{"role":"user","content":"What is 6 times 7?"}]}'
SECOND = b'{"model":"small-model","messages":[{"role":"user","content":"What is 7 times 7?"}]}'
ANSWER = b'{"choices":[{"message":{"content":"42"}}]}'

Body = dict[str, Any]


def gzipped(data: bytes) -> bytes:
    """Return a gzip member that every library writes alike: one block, stored."""
    end = crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff" + _stored(data) + end


def deflated(data: bytes) -> bytes:
    """Return the content encoding deflate, which is zlib's format: one block, stored."""
    return b"\x78\x01" + _stored(data) + adler32(data).to_bytes(4)


def _stored(data: bytes) -> bytes:
    size = len(data)
    return b"\x01" + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + data


def decoded(data: bytes) -> Body:
    """Return what an outcome says of a body without its content encoding."""
    return {"sha256": sha256(data).digest(), "size_bytes": len(data)}


class Telling:
    """A log with statements of a session; a field that is None is left out."""

    def __init__(self, *, salted: bool = False) -> None:
        """Begin with a genesis; in a salted ledger, references have salts and calls a key."""
        self.salted = salted
        self.log = Log(_salted_genesis()) if salted else Log()
        self._archive: Files = {}
        self._refs: dict[bytes, Body] = {}

    @property
    def genesis(self) -> str:
        """The ledger's identity in hex, as a trust argument."""
        return merkle.hash_leaf(self.log.statements[0]).hex()

    def ref(self, data: bytes, media_type: str = JSON) -> Body:
        """Archive a content, once; return the reference to it."""
        if data not in self._refs:
            salt = sha256(b"salt of " + data).digest()[:16] if self.salted else None
            reference, archived = content.refer(data, media_type, salt)
            name = reference.blake3.hex()
            self._archive[f"data/content/{name[:2]}/{name}"] = archived
            self._refs[data] = reference.to_cbor()
        return self._refs[data]

    def text_of(self, ref: Body) -> bytes:
        """Return the content of a reference."""
        return next(data for data, one in self._refs.items() if one == ref)

    def archived(self, indices: Collection[int] | None = None) -> Files:
        """Return the content files that the statements, or those named, refer to."""
        named = set()
        for index, statement in enumerate(self.log.statements):
            if indices is not None and index not in indices:
                continue
            body = cbor.decode(cose.parse(statement).payload)["body"]
            named |= {ref.blake3.hex() for ref in content.references(body)}
        return {path: data for path, data in self._archive.items() if path[-64:] in named}

    def tell(
        self,
        kind: str,
        body: Body,
        *parents: int,
        session: str | None = LABEL,
        stream: str | None = None,
    ) -> int:
        """Append a statement with parents by index; return its index."""
        kept = {key: value for key, value in body.items() if value is not None}
        links = [self.log.parent(index) for index in parents]
        stream = stream or session or "other"
        return self.log.say(kind, kept, stream, session=session, parents=links)

    def open(self, run: int = 1, *parents: int, stream: str | None = None,
             session: str = LABEL, **change: Any) -> int:  # fmt: skip
        """Append a session_open."""
        body: Body = {
            "run": run,
            "previous": None if run == 1 else "complete",
            "writer": "lab 1.0",
            "on_unknown": "ask",
            "environment": self.ref(b"{}"),
            "frozen": [],
            "call_key": self.ref(KEY, "application/octet-stream") if self.salted else None,
        }
        return self.tell("session_open", body | change, *parents, session=session, stream=stream)

    def frozen(self, **files: bytes) -> list[Body]:
        """Return entries of role file, by name."""
        return [
            {"role": "file", "name": name, "content": self.ref(files[name], "text/plain")}
            for name in sorted(files)
        ]

    def digest(self, request: bytes | None, url: str = URL) -> bytes:
        """Return the digest of a call."""
        headers = {} if request is None else HEADERS
        return call_digest("POST", url, headers, request, KEY if self.salted else None)

    def intent(self, request: bytes | None = FIRST, *parents: int, attempt: int = 1,
               replicate: int = 1, stream: str | None = None, session: str = LABEL,
               **change: Any) -> int:  # fmt: skip
        """Append an intent of a call."""
        body: Body = {
            "call": {"digest": self.digest(request), "replicate": replicate},
            "attempt": attempt,
            "method": "POST",
            "url": URL,
            "request": None if request is None else self.ref(request),
            "request_headers": None if request is None else HEADERS,
            "model": "small-model",
        }
        return self.tell("intent", body | change, *parents, session=session, stream=stream)

    def outcome(self, intent: int, status: str = "answered", reason: str | None = None,
                stream: str | None = None, session: str = LABEL, **change: Any) -> int:  # fmt: skip
        """Append an outcome; an answer has a response."""
        body: Body = {"status": status, "reason": reason}
        if status == "answered":
            body |= {"http_status": 200, "response": self.ref(ANSWER)}
        if reason == "http_status":
            body["http_status"] = 500
        return self.tell("outcome", body | change, intent, session=session, stream=stream)

    def witness(self, outcome: int, *others: int, request: bytes | None = FIRST,
                response: bytes = ANSWER, cost: Body | None = None,
                **change: Any) -> int:  # fmt: skip
        """Append the witness of an answered call."""
        raw = {"response": self.ref(response)}
        if request is not None:
            raw["request"] = self.ref(request)
        body = lab.witness_body() | {
            "data": {"prompt_hash": self.ref(b"What is 6 times 7?", "text/plain")},
            "output": {"output_hash": self.ref(b"42", "text/plain")},
            "capture": {"vantage": "transport"},
            "raw": raw,
            "cost": cost,
        }
        return self.tell("witness", body | change, outcome, *others)

    def call(self, request: bytes | None = FIRST, *parents: int, cost: Body | None = None,
             **change: Any) -> int:  # fmt: skip
        """Append intent, answer and witness of a call; return the index of the outcome."""
        outcome = self.outcome(self.intent(request, *parents, **change))
        self.witness(outcome, request=request, cost=cost)
        return outcome

    def reuse(self, *outcomes: int, **change: Any) -> int:
        """Append a reuse."""
        return self.tell("reuse", {"calls": len(outcomes)} | change, *outcomes)

    def savepoint(self, stage: str = "answers", *parents: int, complete: bool = False,
                  stream: str | None = None, session: str = LABEL) -> int:  # fmt: skip
        """Append a savepoint."""
        body = {"stage": stage, "complete": complete, "state": self.ref(b'{"done":1}')}
        return self.tell("savepoint", body, *parents, session=session, stream=stream)

    def close(self, opened: int, run: int = 1, *, stream: str | None = None,
              session: str = LABEL, **change: Any) -> int:  # fmt: skip
        """Append a session_close; sums that are not given are 0."""
        body: Body = {"run": run, "status": "complete", "answered": 0, "failed": 0, "unknown": 0,
                      "reused": 0, "unpriced": 0}  # fmt: skip
        return self.tell("session_close", body | change, opened, session=session, stream=stream)


def priced(**change: Any) -> Body:
    """Return the cost group of a witness with its prices."""
    cost: Body = {"cost_usd": COST_USD, "price_table": "lab 1", "usage": USAGE, "prices": PRICES}
    return {key: value for key, value in (cost | change).items() if value is not None}


def chronologs(log: Log) -> Files:
    """Return the lists of projects that a package of a whole ledger has (specs/11 section 3)."""
    wanted = {
        "session_open": ("previous", "run"),
        "session_close": ("answered", "cost_usd", "failed", "reused", "run", "status", "unknown"),
    }
    lists: dict[str, bytes] = {}
    for index, statement in enumerate(log.statements):
        value = cbor.decode(cose.parse(statement).payload)
        if value["type"] in wanted and "session" in value:
            line = {name: value["body"].get(name) for name in wanted[value["type"]]}
            line |= {"at": value["created_at"], "event": value["type"], "index": index,
                     "session": value["session"]}  # fmt: skip
            project = re.sub("[@:]", "-", value["session"].partition("/")[0]).lower()
            path = f"data/PROJECT_CHRONOLOG_{project}.jsonl"
            text = canonical({key: kept for key, kept in line.items() if kept is not None})
            lists[path] = lists.get(path, b"") + text + b"\n"
    return lists


def changes(*names: tuple[str, str]) -> list[Body]:
    """Return entries of `changed` of role file: name and change."""
    return [{"role": "file", "name": name, "change": change} for name, change in names]


def _salted_genesis() -> bytes:
    value = lab.payload_map(lab.GENESIS)
    value["body"]["salted"] = True
    return lab.sign(cbor.encode(value), lab.AUTHORITY, "keys")


def session_case(
    name: str,
    told: str,
    t: Telling,
    expect: str = "ok",
    *,
    codes: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Case:
    """Make the case of a whole ledger; one that is good says which notes it has."""
    files = whole(t.log, t.archived() | chronologs(t.log))
    code = 1 if expect != "ok" else 3 if codes else 0
    return package_case(f"session_{name}", told, files, t.log.known_head(), expect,
                        exit_code=code, genesis=t.genesis, codes=codes,
                        notes=notes if expect == "ok" else None)  # fmt: skip
