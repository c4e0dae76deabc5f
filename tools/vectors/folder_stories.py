"""Two sessions, and the files of specs/11 that follow from each, spelled out one by one.

Nothing here is derived: paths and lines are written as the page wants them, and only indices,
times and digests are taken from the statements.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from blake3 import blake3

from ledger.formats.call import canonical
from tools.vectors import lab
from tools.vectors.bagged import Files
from tools.vectors.telling import ANSWER, FIRST, JSON, SECOND, Body, Telling, decoded, gzipped

BELOW = "data/session/"
FAULTS = BELOW + "fault_recovery/FAULTS.jsonl"
PROJECT = "data/PROJECT_CHRONOLOG_mva.jsonl"
OLDER, NEWER = b"# Plan\nAsk once.\n", b"# Plan\nAsk twice.\n"
STATE = b'{"done":1}'
EVENTS = b'data: {"choices":[{"delta":{"content":"49"}}]}\n\ndata: [DONE]\n\n'
WIRE = b'{"answer":"7"}'
_CORPUS = b"The answer is 42.\n"
_NOTE = b'{"n":49}'
_PROSE = "text/plain; charset=utf-8"
_GZIP = {"content-encoding": "GZip"}


class Told:
    """A session with its copies and lists by path below `data/session/`."""

    def __init__(self, *, salted: bool = False) -> None:
        """Begin without a statement."""
        self.t = Telling(salted=salted)
        self.salted = salted
        self.copies: Files = {}
        self._lists: dict[str, list[Body]] = {}

    def copy(self, path: str, data: bytes) -> None:
        """Expect a copy."""
        self.copies[BELOW + path] = data

    def line(self, index: int, event: str, *paths: str, **members: Any) -> None:
        """Expect the line of a statement in these lists."""
        line = {"at": lab.moment(index)[1], "event": event, "index": index, **members}
        for path in paths:
            self._lists.setdefault(path, []).append(line)

    @property
    def lists(self) -> Files:
        """The lists as files."""
        return {
            path: b"".join(canonical(line) + b"\n" for line in lines)
            for path, lines in self._lists.items()
        }

    def answer(self, intent: int, **change: Any) -> int:
        """Append an answer in gzip; expect its copy."""
        self.copy(f"llm_archive/{intent:08}.response.json.gz", gzipped(ANSWER))
        said = None if self.salted else decoded(ANSWER)
        response = self.t.ref(gzipped(ANSWER), "Application/JSON ;charset=utf-8")
        return self.t.outcome(intent, response=response, response_headers=_GZIP, decoded=said,
                              **change)  # fmt: skip


def chronolog(run: int) -> str:
    """Return where the timing of a run is listed."""
    return f"{BELOW}sessions/{run:04}/SESSION_CHRONOLOG.jsonl"


def small(*, salted: bool = False) -> Told:
    """A run that froze a plan and was killed; one that froze another, asked, saved and ended."""
    told = Told(salted=salted)
    t, one, two = told.t, chronolog(1), chronolog(2)
    before = t.open(frozen=_plan(t, OLDER))
    told.line(before, "session_open", one, run=1)
    told.line(before, "session_open", PROJECT, run=1, session="mva/experiment_2")
    change = [{"role": "experiment_snapshot", "name": "plan.md", "change": "altered"}]
    opened = t.open(2, before, previous="killed", frozen=_plan(t, NEWER), changed=change)
    told.copy("experiment_snapshot.md", NEWER)
    told.line(opened, "session_open", two, run=2)
    told.line(opened, "session_open", FAULTS, run=2, previous="killed", on_unknown="ask",
              changed=change)  # fmt: skip
    told.line(opened, "session_open", PROJECT, run=2, previous="killed",
              session="mva/experiment_2")  # fmt: skip
    intent = t.intent(FIRST)
    told.copy(f"llm_archive/{intent:08}.request.json", FIRST)
    told.line(intent, "intent", two, attempt=1, call=t.digest(FIRST).hex(), model="small-model",
              replicate=1)  # fmt: skip
    answer = told.answer(intent, duration_ms=412.25)
    told.line(answer, "outcome", two, duration_ms=412.25, intent=intent, status="answered")
    witness = t.witness(answer, response=gzipped(ANSWER))
    told.copy(f"analysis_results/{witness:08}.txt", b"42")
    saved = t.savepoint(complete=True)
    told.copy(f"system_state/{saved:08}.json", STATE)
    told.line(saved, "savepoint", two, complete=True, stage="answers")
    closed = t.close(opened, 2, answered=1, unpriced=1)
    told.line(closed, "session_close", two, run=2, status="complete")
    told.line(closed, "session_close", PROJECT, run=2, session="mva/experiment_2", answered=1,
              failed=0, unknown=0, reused=0, status="complete")  # fmt: skip
    return told


def _plan(t: Telling, text: bytes) -> list[Body]:
    content = t.ref(text, "text/markdown")
    return [{"role": "experiment_snapshot", "name": "plan.md", "content": content}]


def full(*, salted: bool = False) -> Told:
    """All kinds of files: odd names, a kill, a refusal, a stream, reuse, an interrupted end."""
    told = Told(salted=salted)
    t, one, two = told.t, chronolog(1), chronolog(2)
    project = {"session": "mva/experiment_2"}
    first, second = t.digest(FIRST).hex(), t.digest(SECOND).hex()
    before = t.open()
    told.line(before, "session_open", one, run=1)
    told.line(before, "session_open", PROJECT, run=1, **project)
    intent = t.intent(FIRST, stage="answers")
    told.copy(f"llm_archive/{intent:08}.request.json", FIRST)
    told.line(intent, "intent", one, attempt=1, call=first, model="small-model", replicate=1,
              stage="answers")  # fmt: skip
    answer = told.answer(intent, first_byte_ms=0.0, duration_ms=412.25)
    told.line(answer, "outcome", one, duration_ms=412.25, first_byte_ms=0, intent=intent,
              status="answered")  # fmt: skip
    witness = t.witness(answer, response=gzipped(ANSWER))
    told.copy(f"analysis_results/{witness:08}.txt", b"42")
    lost = t.intent(SECOND)
    told.copy(f"llm_archive/{lost:08}.request.json", SECOND)
    told.line(lost, "intent", one, attempt=1, call=second, model="small-model", replicate=1)

    frozen = _frozen(told)
    changed = [{"role": f["role"], "name": f["name"], "change": "added"} for f in frozen]
    opened = t.open(2, before, previous="killed", on_unknown="retry", frozen=frozen,
                    changed=changed)  # fmt: skip
    told.line(opened, "session_open", two, run=2)
    told.line(opened, "session_open", FAULTS, run=2, previous="killed", on_unknown="retry",
              changed=changed)  # fmt: skip
    told.line(opened, "session_open", PROJECT, run=2, previous="killed", **project)
    killed = t.outcome(lost, "unknown", "killed")
    told.line(killed, "outcome", two, intent=lost, status="unknown")
    told.line(killed, "outcome", FAULTS, intent=lost, status="unknown", reason="killed")
    reuse = t.reuse(answer)
    told.line(reuse, "reuse", two, calls=1)
    told.line(reuse, "reuse", FAULTS, outcomes=[answer])
    retry = t.intent(SECOND, killed, attempt=2, after="unknown")
    told.copy(f"llm_archive/{retry:08}.request.json", SECOND)
    told.line(retry, "intent", two, attempt=2, call=second, model="small-model", replicate=1)
    told.line(retry, "intent", FAULTS, attempt=2, after="unknown", call=second, replicate=1)
    refused = t.outcome(retry, "failed", "http_status", response=t.ref(b"slow down", _PROSE),
                        http_status=429)  # fmt: skip
    told.copy(f"llm_archive/{retry:08}.response.txt", b"slow down")
    told.line(refused, "outcome", two, intent=retry, status="failed")
    told.line(refused, "outcome", FAULTS, intent=retry, status="failed", reason="http_status",
              http_status=429)  # fmt: skip
    again = t.intent(SECOND, refused, attempt=3, after="failed")
    told.copy(f"llm_archive/{again:08}.request.json", SECOND)
    told.line(again, "intent", two, attempt=3, call=second, model="small-model", replicate=1)
    told.line(again, "intent", FAULTS, attempt=3, after="failed", call=second, replicate=1)
    stream = t.outcome(again, response=t.ref(EVENTS, "text/event-stream"), streaming="complete",
                       response_headers={"content-type": "text/event-stream"})  # fmt: skip
    told.copy(f"llm_archive/{again:08}.response.sse", EVENTS)
    told.line(stream, "outcome", two, intent=again, status="answered")
    witness = t.witness(stream, request=SECOND, response=EVENTS,
                        output={"output_hash": t.ref(_NOTE, "text/x-note+json")})  # fmt: skip
    told.copy(f"analysis_results/{witness:08}.json", _NOTE)
    _by_hand(told)
    saved = t.savepoint("answers", answer, stream)
    told.copy(f"system_state/{saved:08}.json", STATE)
    told.line(saved, "savepoint", two, complete=False, stage="answers")
    closed = t.close(opened, 2, status="interrupted", reason="KeyboardInterrupt", answered=1,
                     failed=1, reused=1, unpriced=1)  # fmt: skip
    told.line(closed, "session_close", two, run=2, status="interrupted")
    told.line(closed, "session_close", FAULTS, run=2, reason="KeyboardInterrupt")
    told.line(closed, "session_close", PROJECT, run=2, answered=1, failed=1, unknown=0, reused=1,
              status="interrupted", **project)  # fmt: skip
    return told


def _by_hand(told: Told) -> None:
    """Append a witness without a call: its raw bodies are archived under its own index."""
    t = told.t
    raw = {"request": t.ref(b"ask", "application/octet-stream"),
           "response": t.ref(gzipped(WIRE), "application/vnd.lab+json"),
           "response_headers": {"content-encoding": "gzip"}}  # fmt: skip
    body = lab.witness_body() | {
        "data": {"prompt_hash": t.ref(b"What is 6 times 7?", "text/plain")},
        "output": {"output_hash": t.ref(b"seven", "TEXT/Markdown")},
        "raw": raw,
    }
    index = t.tell("witness", body)
    told.copy(f"llm_archive/{index:08}.request.bin", b"ask")
    told.copy(f"llm_archive/{index:08}.response.json.gz", gzipped(WIRE))
    told.copy(f"analysis_results/{index:08}.md", b"seven")


def _frozen(told: Told) -> list[Body]:
    """Return entries of all roles, and expect their copies."""
    file = {"blake3": blake3(_CORPUS).hexdigest(), "path": "a.txt",
            "sha256": sha256(_CORPUS).hexdigest(), "size_bytes": len(_CORPUS)}  # fmt: skip
    manifest = canonical({"files": [file]})
    long = "x" * 95 + "yz"
    entries = (
        ("corpus_manifest", "corpus", manifest, JSON, "corpus_manifest.json"),
        ("experiment_snapshot", "plan.md", NEWER, "text/markdown", "experiment_snapshot.md"),
        ("experiment_snapshot", "two.md", b"more\n", "text/markdown", "experiment_snapshot.2.md"),
        ("file", "a b/\u00e4:\u20ac.yaml", b"a: 1\n", "text/x-yaml", "files/001_a-b----.yaml"),
        ("file", long, b"long\n", "text/plain", "files/002_" + long[:96]),
        ("framework_snapshot", "lab.md", b"# Lab\n", "text/html", "framework_snapshot.md"),
    )
    for _, _, data, _, path in entries:
        told.copy(path, data)
    return [
        {"role": role, "name": name, "content": told.t.ref(data, media_type)}
        for role, name, data, media_type, _ in entries
    ]
