"""Cases of specs/10 in parts of a ledger: a session, a range, as `ledger.export` makes them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import ledger.log
from ledger.drafts import Archived, Draft, Receipt
from ledger.export import export
from ledger.formats.call import call_digest
from tools.vectors import lab
from tools.vectors.bagged import Files, package_case
from tools.vectors.case import Case
from tools.vectors.telling import (
    ANSWER,
    FIRST,
    HEADERS,
    JSON,
    LABEL,
    SECOND,
    URL,
    decoded,
    gzipped,
    priced,
)

_STATE = b'{"done":1}'


def cases() -> Iterator[Case]:
    """Yield the cases of kind package about parts with sessions."""
    ticks, draws = count(), count()

    def clock() -> int:
        return lab.EPOCH_US + next(ticks) * 1_001_001

    def random(size: int) -> bytes:
        return sha256(b"vif session vectors" + next(draws).to_bytes(8)).digest()[:size]

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        keys: dict[str, Any] = {"keys": here / "keys", "log_key": lab.LOG, "producer": lab.PRODUCER}
        fixed: dict[str, Any] = {"clock": clock, "random": random}
        made = ledger.log.init(
            here / "lab.vif", origin=lab.ORIGIN, authority=lab.AUTHORITY, **keys, **fixed
        )
        genesis = made.genesis.hex()
        with ledger.log.open(made.path, session=LABEL, stream=LABEL, **keys, **fixed) as log:
            answer = _session(log)
            with log.open_stream("other") as other:
                other.append("annotation", {"kind": "note"}, parents=[answer])
            part = export(log, here / "part", session=LABEL)
            yield package_case(
                "session_part", "a session of a ledger, with its folder",
                _read(part.path), part.known_head, genesis=genesis,
                notes=("call_repeated", "outcome_unknown"),
            )  # fmt: skip
            ranged = export(log, here / "range", start=answer.index, end=answer.index + 2)
            yield package_case(
                "session_range", "a range: an outcome without its intent is not judged",
                _read(ranged.path), ranged.known_head, genesis=genesis, exit_code=3,
                codes=("partial_ledger", "stream_partial"), notes=("parent_outside",),
            )  # fmt: skip


def _session(log: ledger.log.Ledger) -> Receipt:
    """Record the example of specs/10; return the receipt of its first outcome."""
    environment = log.archive(b"{}", JSON)
    state, first, second = (log.archive(one, JSON) for one in (_STATE, FIRST, SECOND))
    zipped = log.archive(gzipped(ANSWER), JSON)
    plan = log.archive(b"# Plan\n", "text/markdown")
    code = log.archive(b"print(6 * 7)\n", "text/x-python")
    frozen = [
        {"role": "experiment_snapshot", "name": "plan.md", "content": plan.ref.to_cbor()},
        {"role": "file", "name": "run it.py", "content": code.ref.to_cbor()},
    ]
    opened = log.append(
        "session_open",
        {"run": 1, "writer": "lab 1.0", "on_unknown": "ask", "frozen": [],
         "environment": environment.ref.to_cbor()},
        contents=[environment],
    )  # fmt: skip
    intent = log.append("intent", _intent(FIRST, first), contents=[first])
    answered = {
        "status": "answered", "http_status": 200, "response": zipped.ref.to_cbor(),
        "response_headers": {"content-encoding": "gzip"}, "decoded": decoded(ANSWER),
        "first_byte_ms": 12.5, "duration_ms": 412.25,
    }  # fmt: skip
    outcome = Draft("outcome", answered, [intent], (zipped,))
    answer, _ = log.append_many([outcome, _witness(log, outcome, first, zipped)])
    left = log.append("intent", _intent(SECOND, second), contents=[second])
    again = log.append(
        "session_open",
        {"run": 2, "previous": "killed", "writer": "lab 1.0", "on_unknown": "ask",
         "environment": environment.ref.to_cbor(), "frozen": frozen,
         "changed": [{"role": one["role"], "name": one["name"], "change": "added"}
                     for one in frozen]},
        parents=[opened], contents=[plan, code],
    )  # fmt: skip
    lost = log.append("outcome", {"status": "unknown", "reason": "killed"}, parents=[left])
    log.append("reuse", {"calls": 1}, parents=[answer])
    repeated = _intent(SECOND, second) | {"attempt": 2, "after": "unknown", "stage": "answers"}
    retry = log.append("intent", repeated, parents=[lost])
    outcome = Draft("outcome", answered | {"first_byte_ms": 0.0}, [retry])
    log.append_many([outcome, _witness(log, outcome, second, zipped)])
    body = {"stage": "answers", "complete": True, "state": state.ref.to_cbor()}
    log.append("savepoint", body, contents=[state])
    log.append(
        "session_close",
        {"run": 2, "status": "complete", "answered": 1, "failed": 0, "unknown": 0, "reused": 1,
         "unpriced": 0, "cost_usd": priced()["cost_usd"]},
        parents=[again],
    )  # fmt: skip
    return answer


def _intent(body: bytes, request: Archived) -> dict[str, Any]:
    digest = call_digest("POST", URL, HEADERS, body)
    return {"call": {"digest": digest, "replicate": 1}, "attempt": 1, "method": "POST", "url": URL,
            "request": request.ref.to_cbor(), "request_headers": HEADERS,
            "model": "small-model"}  # fmt: skip


def _witness(
    log: ledger.log.Ledger, outcome: Draft, request: Archived, response: Archived
) -> Draft:
    prompt, output = (
        log.archive(b"What is 6 times 7?", "text/plain"),
        log.archive(b"42", "text/plain"),
    )
    body = lab.witness_body() | {
        "data": {"prompt_hash": prompt.ref.to_cbor()},
        "output": {"output_hash": output.ref.to_cbor()},
        "capture": {"vantage": "transport"},
        "raw": {"request": request.ref.to_cbor(), "response": response.ref.to_cbor()},
        "cost": priced(),
    }
    return Draft("witness", body, [outcome], (prompt, output))


def _read(folder: Path) -> Files:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
