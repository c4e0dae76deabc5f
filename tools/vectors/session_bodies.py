"""Cases of the bodies of specs/10, each by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ledger.formats import content
from tools.vectors import lab
from tools.vectors.body import DROP, Body, altered, body_case
from tools.vectors.case import Case

_NOTES = ("note", 1)
_URL = "https://api.example.org/v1/chat/completions"
_HEADERS = {"content-type": "application/json", "anthropic-version": "2023-06-01"}


def cases() -> Iterator[Case]:
    """Yield the cases of kind body for the types of specs/10."""
    for name, told, kind, body in _accepted():
        yield _case(name, told, kind, body)
    yield from _outcomes()
    numbers: Counter[str] = Counter()
    for kind, base, changes in (*_opened(), *_called(), *_marked()):
        for path, value in changes:
            told = f"{path} is missing" if value is DROP else f"{path} breaks its rule"
            name = f"{_short(kind)}_{path.replace('.', '_')}"
            numbers[name] += 1
            name = f"{name}_{numbers[name]}"
            yield _case(name, told, kind, altered(base, path, value), "body_invalid")


def _case(name: str, told: str, kind: str, body: Body, expect: str = "ok") -> Case:
    return body_case(f"session_{name}", told, kind, body, expect)


def _short(kind: str) -> str:
    return kind.removeprefix("session_")


def _frozen(*entries: tuple[str, str]) -> list[Body]:
    return [{"role": role, "name": name, "content": lab.ref(name)} for role, name in entries]


def _changes(*entries: tuple[str, str, str]) -> list[Body]:
    return [{"role": role, "name": name, "change": change} for role, name, change in entries]


def _open() -> Body:
    """The first run, with nothing that is optional."""
    environment = lab.ref("{}", "application/json")
    return {"run": 1, "writer": "lab 1.0", "on_unknown": "ask", "environment": environment,
            "frozen": []}  # fmt: skip


def _reopen() -> Body:
    """A later run, with every field."""
    return _open() | {
        "run": 1_000_000,
        "previous": "killed",
        "on_unknown": "retry",
        "frozen": _frozen(
            ("corpus_manifest", "corpus"),
            ("experiment_snapshot", "a.md"),
            ("file", "B"),
            ("file", "a"),
            ("file", "ab"),
            ("file", "ä"),
            ("framework_snapshot", "a.md"),
        ),
        "changed": _changes(
            ("experiment_snapshot", "a.md", "altered"),
            ("file", "a", "added"),
            ("file", "b", "removed"),
        ),
        "budget_usd": 5.0,
        "call_key": content.refer(bytes(32), "application/octet-stream", bytes(16))[0].to_cbor(),
    }


def _intent() -> Body:
    call = {"digest": bytes(range(32)), "replicate": 1}
    return {"call": call, "attempt": 1, "method": "POST", "url": _URL}


def _again() -> Body:
    return _intent() | {
        "call": {"digest": bytes(32), "replicate": 1_000_000},
        "attempt": 10_000,
        "after": "unknown",
        "method": "ABCDEFGHIJKLMNOP",
        "url": "http://[2001:db8::1]:8080/v1?beta=1&x=%2B",
        "request": lab.ref("{}", "application/json"),
        "request_headers": dict(_HEADERS),
        "model": "small-model",
        "stage": "answers/1",
        "reserved_usd": 0.25,
    }


def _outcome(status: str, reason: str | None = None, **fields: Any) -> Body:
    return {"status": status} | ({} if reason is None else {"reason": reason}) | fields


def _answered() -> Body:
    return _outcome(
        "answered",
        http_status=200,
        response=lab.ref("42"),
        response_headers={"content-encoding": "gzip"},
        decoded={"sha256": bytes(32), "size_bytes": 2},
        streaming="complete",
        response_id="chatcmpl-7",
        first_byte_ms=12.5,
        duration_ms=412.25,
    )


def _savepoint() -> Body:
    return {"stage": "answers", "complete": False, "state": lab.ref("{}", "application/json")}


def _close() -> Body:
    return {"run": 1, "status": "complete", "answered": 1, "failed": 0, "unknown": 0, "reused": 2,
            "cost_usd": 3.3e-06, "unpriced": 0}  # fmt: skip


def _accepted() -> Iterator[tuple[str, str, str, Body]]:
    yield "open", "the first run, with nothing that is optional", "session_open", _open()
    yield "open_full", "a later run, with every field", "session_open", _reopen()
    many = _frozen(*(("file", f"{number:03}") for number in range(200)))
    fetch = _reopen() | {"on_unknown": "fetch"}
    yield "open_fetch", "a run that fetches answers", "session_open", fetch
    yield "open_200", "200 frozen files", "session_open", _open() | {"frozen": many}
    yield "intent", "a first attempt, with nothing that is optional", "intent", _intent()
    yield "intent_full", "a later attempt, with every field", "intent", _again()
    yield "intent_failed", "after a failure", "intent", _again() | {"after": "failed"}
    fetched = _again() | {"fetches": "resp_7"}
    yield "intent_fetches", "an answer that the provider keeps", "intent", fetched
    for number, url in enumerate(("http://a/", "https://a.b/?=", "https://a/%4bey?keys=1&&=&kex")):
        yield f"intent_url_{number}", f"the URL {url}", "intent", _intent() | {"url": url}
    yield "reuse", "an answer", "reuse", {"calls": 1}
    yield "reuse_256", "as many as a statement has parents", "reuse", {"calls": 256}
    yield "savepoint", "a savepoint", "savepoint", _savepoint()
    done = _savepoint() | {"complete": True}
    yield "savepoint_complete", "the end of a stage", "savepoint", done
    yield "close", "a complete run", "session_close", _close()
    body = altered(_close() | {"status": "interrupted", "reason": "KeyboardInterrupt"},
                   "cost_usd", DROP)  # fmt: skip
    yield "close_interrupted", "an interrupted run without costs", "session_close", body


def _outcomes() -> Iterator[Case]:
    """Every row of the table of specs/10 section 4, and what stands beside it."""
    late = {"http_status": 200, "response": lab.ref("4"), "first_byte_ms": 1.0}
    good: list[tuple[str, Body]] = [
        ("answered", _outcome("answered", http_status=200)),
        ("answered_full", _answered()),
        ("answered_299", _outcome("answered", http_status=299, streaming="closed")),
        ("refused", _outcome("failed", "http_status", http_status=429, response=lab.ref("slow"))),
        ("refused_100", _outcome("failed", "http_status", http_status=100)),
        ("refused_199", _outcome("failed", "http_status", http_status=199)),
        ("refused_300", _outcome("failed", "http_status", http_status=300)),
        ("refused_599", _outcome("failed", "http_status", http_status=599)),
        ("not_sent", _outcome("failed", "not_sent", duration_ms=0.0)),
        ("timeout", _outcome("unknown", "timeout")),
        ("timeout_late", _outcome("unknown", "timeout", **late)),
        ("disconnected", _outcome("unknown", "disconnected", **late)),
        ("interrupted", _outcome("unknown", "stream", streaming="interrupted", **late)),
        ("stream_error", _outcome("unknown", "stream", streaming="error", **late)),
        ("abandoned", _outcome("unknown", "abandoned", http_status=200)),
        ("killed", _outcome("unknown", "killed")),
    ]
    for name, body in good:
        yield _case(f"outcome_{name}", "a row of the table", "outcome", body)
    reasons = ("http_status", "not_sent", "timeout", "disconnected", "stream", "abandoned",
               "killed")  # fmt: skip
    fitting: dict[str, Body] = {
        "http_status": {"http_status": 500},
        "stream": {"http_status": 200, "streaming": "error"},
    }
    bad: list[tuple[str, str, Body]] = []
    for status in ("answered", "failed", "unknown"):
        for reason in reasons:
            if (status, reason) not in {(b["status"], b.get("reason")) for _, b in good}:
                fields = fitting.get(reason, {})
                if status == "answered":
                    fields = {"http_status": 200}
                bad.append((f"{status}_{reason}", "a reason of another status",
                            _outcome(status, reason, **fields)))  # fmt: skip
        if status != "answered":
            bad.append((f"{status}_without", "no reason", _outcome(status)))
    ok: Body = {"http_status": 200}
    refused: Body = {"http_status": 500}
    bad += [
        ("answered_no_status", "an answer without http_status", _outcome("answered")),
        ("answered_199", "an answer with 199", _outcome("answered", http_status=199)),
        ("answered_300", "an answer with 300", _outcome("answered", http_status=300)),
        ("answered_interrupted", "an answer whose stream was cut off",
         _outcome("answered", streaming="interrupted", **ok)),
        ("answered_error", "an answer whose stream reported an error",
         _outcome("answered", streaming="error", **ok)),
        ("refused_no_status", "refused without http_status", _outcome("failed", "http_status")),
        ("refused_200", "refused with 200", _outcome("failed", "http_status", **ok)),
        ("refused_299", "refused with 299", _outcome("failed", "http_status", http_status=299)),
        ("refused_streaming", "a refusal that is a stream",
         _outcome("failed", "http_status", streaming="complete", **refused)),
        ("not_sent_status", "not sent, with a status",
         _outcome("failed", "not_sent", http_status=500)),
        ("not_sent_streaming", "not sent, and a stream",
         _outcome("failed", "not_sent", streaming="interrupted")),
        ("timeout_streaming", "a timeout within a stream is of the reason stream",
         _outcome("unknown", "timeout", streaming="interrupted")),
        ("disconnected_streaming", "a connection lost within a stream is of the reason stream",
         _outcome("unknown", "disconnected", streaming="interrupted")),
        ("stream_without", "the reason stream without streaming",
         _outcome("unknown", "stream", **ok)),
        ("stream_complete", "a whole stream is an answer",
         _outcome("unknown", "stream", streaming="complete", **ok)),
        ("stream_closed", "a closed stream is an answer",
         _outcome("unknown", "stream", streaming="closed", **ok)),
        ("abandoned_streaming", "abandoned, and a stream",
         _outcome("unknown", "abandoned", streaming="interrupted")),
        ("decoded_alone", "decoded without response",
         _outcome("answered", decoded={"sha256": bytes(32), "size_bytes": 2}, **ok)),
    ]  # fmt: skip
    known: Body = {key: value for key, value in _answered().items() if key != "status"}
    for field, value in known.items():
        body = _outcome("unknown", "killed") | {field: value}
        if field == "decoded":
            continue  # needs response, which is a case of its own
        bad.append((f"killed_{field}", f"killed, and {field} is known", body))
    for name, told, body in bad:
        yield _case(f"outcome_{name}", told, "outcome", body, "body_invalid")


Table = tuple[str, Body, list[tuple[str, Any]]]


def _opened() -> Iterator[Table]:
    frozen, changed = _reopen()["frozen"], _reopen()["changed"]
    first: list[tuple[str, Any]] = [(key, DROP) for key in _open()]
    first += [
        ("run", 0),
        ("run", 1.0),
        ("run", True),
        ("previous", "complete"),
        ("changed", changed),
        ("note", 1),
    ]
    yield "session_open", _open(), first
    again: list[tuple[str, Any]] = [
        ("run", 1_000_001),
        ("previous", DROP),
        ("previous", "lost"),
        ("writer", ""),
        ("on_unknown", "ignore"),
        ("environment", "{}"),
        ("frozen", {}),
        ("frozen", frozen[::-1]),
        ("frozen", [frozen[0], frozen[0]]),
        ("frozen", [frozen[3], frozen[2]]),
        ("frozen", [frozen[5], frozen[4]]),
        ("frozen.0.role", "folder"),
        ("frozen.0.name", ""),
        ("frozen.0.content", DROP),
        ("frozen.0.content", bytes(32)),
        ("frozen.0.note", 1),
        ("changed", []),
        ("changed", changed[::-1]),
        ("changed", [changed[0], changed[0] | {"change": "added"}]),
        ("changed", _changes(*(("file", f"{n:03}", "added") for n in range(513)))),
        ("changed.0.role", "folder"),
        ("changed.0.name", DROP),
        ("changed.0.change", "moved"),
        ("changed.0.content", frozen[0]["content"]),
        ("budget_usd", 5),
        ("budget_usd", -5.0),
        ("call_key", bytes(32)),
        ("call_key.size_bytes", 31),
        ("call_key", None),
        ("note", 1),
    ]  # fmt: skip
    yield "session_open", _reopen(), again


def _called() -> Iterator[Table]:
    first: list[tuple[str, Any]] = [(key, DROP) for key in _intent()]
    first += [
        ("call.digest", DROP),
        ("call.replicate", DROP),
        ("call.digest", bytes(31)),
        ("call.digest", "00" * 32),
        ("call.replicate", 0),
        ("call.replicate", 1_000_001),
        ("call.replicate", 1.0),
        ("call.note", 1),
        ("attempt", 0),
        ("attempt", True),
        ("attempt", 2),
        ("after", "failed"),
        ("fetches", "resp_7"),
        ("method", ""),
        ("method", "post"),
        ("method", "POST\n"),
        ("method", "A" * 17),
        ("url", ""),
        ("url", "https://api.example.org"),
        ("url", "HTTPS://api.example.org/"),
        ("url", "https://API.example.org/"),
        ("url", "https://api.example.org:443/"),
        ("url", "https://me:secret@api.example.org/"),
        ("url", "https://api.example.org/#top"),
        ("url", "https://api.example.org/?"),
        ("url", "https://api.example.org/?a=1&%4bEY=secret"),
        ("url", "https://api.example.org/a b"),
        ("url", "https://api.example.org/ä"),
        ("url", "ftp://api.example.org/"),
        ("url", "/v1/chat"),
        ("url", "https://api.example.org/" + "a" * 4073),
        ("note", 1),
    ]
    yield "intent", _intent(), first
    again: list[tuple[str, Any]] = [
        ("attempt", 10_001),
        ("after", DROP),
        ("after", "answered"),
        ("request", b"{}"),
        ("request", {}),
        ("request", lab.ref("")),
        ("request_headers", {}),
        ("request_headers", {"authorization": "x"}),
        ("request_headers", {"Content-Type": "x"}),
        ("model", ""),
        ("stage", "a b"),
        ("reserved_usd", 1),
        ("reserved_usd", -0.5),
        ("note", 1),
    ]
    yield "intent", _again(), again
    yield "intent", _again() | {"fetches": "resp_7"}, [("fetches", "")]
    yield "intent", _again() | {"after": "failed"}, [("fetches", "resp_7")]
    outcome: list[tuple[str, Any]] = [
        ("status", DROP),
        ("status", "lost"),
        ("reason", None),
        ("http_status", 200.0),
        ("http_status", 99),
        ("response", b"42"),
        ("response_headers", {}),
        ("response_headers", {"set-cookie": "x"}),
        ("decoded.sha256", DROP),
        ("decoded.size_bytes", DROP),
        ("decoded.sha256", bytes(31)),
        ("decoded.size_bytes", -1),
        ("decoded.note", 1),
        ("streaming", "whole"),
        ("response_id", ""),
        ("first_byte_ms", 12),
        ("duration_ms", -1.0),
        ("note", 1),
    ]
    yield "outcome", _answered(), outcome
    refused = _outcome("failed", "http_status", http_status=500)
    yield "outcome", refused, [("http_status", 600), ("reason", "refused")]


def _marked() -> Iterator[Table]:
    calls: list[tuple[str, Any]] = [("calls", DROP), ("calls", 0), ("calls", 257), ("calls", 1.0)]
    yield "reuse", {"calls": 1}, [*calls, _NOTES]
    savepoint: list[tuple[str, Any]] = [(key, DROP) for key in _savepoint()]
    savepoint += [("stage", ""), ("complete", 1), ("complete", None), ("state", "{}"), _NOTES]
    yield "savepoint", _savepoint(), savepoint
    needed = [key for key in _close() if key != "cost_usd"]
    close: list[tuple[str, Any]] = [(key, DROP) for key in needed]
    close += [
        ("run", 0),
        ("run", 1_000_001),
        ("status", "killed"),
        ("status", "interrupted"),
        ("reason", "done"),
        ("answered", -1),
        ("failed", 0.0),
        ("unknown", True),
        ("reused", 2**63),
        ("unpriced", "0"),
        ("cost_usd", 0),
        ("cost_usd", -1.0),
        _NOTES,
    ]
    yield "session_close", _close(), close
    interrupted = _close() | {"status": "interrupted", "reason": "KeyboardInterrupt"}
    yield "session_close", interrupted, [("reason", DROP), ("reason", ""), ("status", "complete")]
