"""The derived files of a package by the words of specs/11, with no regard to memory or speed."""

from __future__ import annotations

import re
from typing import Any

import rfc8785

Payloads = list[dict[str, Any]]
SUFFIXES = {
    "application/json": ".json", "text/markdown": ".md", "text/event-stream": ".sse",
    "application/jsonl": ".jsonl", "application/x-ndjson": ".jsonl", "text/html": ".html",
}  # fmt: skip
RUN_LIST = {
    "session_open": "run", "intent": "attempt call model replicate stage",
    "outcome": "duration_ms first_byte_ms intent status", "reuse": "calls",
    "savepoint": "complete stage", "session_close": "run status",
}  # fmt: skip
FAULTS = {
    "session_open": "changed on_unknown previous run", "intent": "after attempt call replicate",
    "outcome": "http_status intent reason status streaming", "reuse": "outcomes",
    "session_close": "reason run",
}  # fmt: skip
PROJECT = {
    "session_open": "previous run session",
    "session_close": "answered cost_usd failed reused run session status unknown",
}


def plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:96]


def suffix(reference: dict[str, Any]) -> str:
    kind = reference["media_type"].split(";")[0].strip().lower()
    if kind.endswith("+json"):
        return ".json"
    return SUFFIXES.get(kind, ".txt" if kind.startswith("text/") else ".bin")


class Derivation:
    """All derived files of the payloads that a selection holds, by index."""

    def __init__(
        self,
        payloads: Payloads,
        leaves: list[bytes],
        chosen: list[int],
        contents: dict[bytes, bytes],
    ) -> None:
        self.payloads = payloads
        self.index = {leaf: i for i, leaf in enumerate(leaves)}
        self.chosen = chosen
        self.contents = contents
        self.files: dict[str, bytes] = {}

    def parents(self, p: dict[str, Any]) -> list[int]:
        found = [self.index.get(one["leaf_hash"]) for one in p.get("parents", [])]
        return [i for i in found if i is not None]

    def line(self, path: str, names: str, i: int) -> None:
        p = self.payloads[i]
        body = p["body"]
        call = body.get("call", {})
        parents = self.parents(p)
        own = {
            **body, "session": p.get("session"), "replicate": call.get("replicate"),
            "call": call["digest"].hex() if "digest" in call else None, "outcomes": parents,
            "intent": parents[0] if parents else None,
        }  # fmt: skip
        members = {"at": p["created_at"], "event": p["type"], "index": i}
        members |= {n: own[n] for n in names.split() if own.get(n) is not None}
        self.files[path] = self.files.get(path, b"") + rfc8785.dumps(members) + b"\n"

    def copy(self, path: str, reference: dict[str, Any]) -> None:
        data = self.contents.get(reference["blake3"])
        if data is not None:
            data = data[16:] if "salted" in reference else data
            self.files.setdefault(f"data/session/{path}", data)

    def project(self) -> None:
        for i in self.chosen:
            p = self.payloads[i]
            if p["type"] in PROJECT and "session" in p:
                name = plain(p["session"].split("/")[0]).lower()
                self.line(f"data/PROJECT_CHRONOLOG_{name}.jsonl", PROJECT[p["type"]], i)

    def session(self) -> None:
        run: dict[str, int] = {}
        newest: dict[str, Any] = {}
        for i in self.chosen:
            p = self.payloads[i]
            kind, body, stream = p["type"], p["body"], p["stream"]["id"]
            if kind == "session_open":
                run[stream], newest = body["run"], body
            if kind in RUN_LIST and stream in run:
                path = f"data/session/sessions/{run[stream]:04d}/SESSION_CHRONOLOG.jsonl"
                self.line(path, RUN_LIST[kind], i)
            if (
                (kind == "session_open" and body["run"] > 1) or kind == "reuse"
                or (kind == "intent" and body["attempt"] > 1)
                or (kind == "outcome" and body["status"] != "answered")
                or (kind == "session_close" and body["status"] == "interrupted")
            ):  # fmt: skip
                self.line("data/session/fault_recovery/FAULTS.jsonl", FAULTS[kind], i)
            self.copies(i, p)
        seen: dict[str, int] = {}
        for entry in newest.get("frozen", []):
            role, content = entry["role"], entry["content"]
            k = seen[role] = seen.get(role, 0) + 1
            if role == "file":
                self.copy(f"files/{k:03d}_{plain(entry['name'])}", content)
            else:
                end = "json" if role == "corpus_manifest" else "md"
                self.copy(f"{role}.{end}" if k == 1 else f"{role}.{k}.{end}", content)

    def copies(self, i: int, p: dict[str, Any]) -> None:
        kind, body, parents = p["type"], p["body"], self.parents(p)
        first = self.payloads[parents[0]]["type"] if parents else None
        if kind == "intent" and "request" in body:
            self.copy(f"llm_archive/{i:08d}.request{suffix(body['request'])}", body["request"])
        elif kind == "outcome" and "response" in body and parents:
            self.response(parents[0], body["response"], body.get("response_headers", {}))
        elif kind == "savepoint":
            self.copy(f"system_state/{i:08d}{suffix(body['state'])}", body["state"])
        elif kind == "witness":
            raw = body.get("raw", {}) if first != "outcome" else {}
            if "request" in raw:
                self.copy(f"llm_archive/{i:08d}.request{suffix(raw['request'])}", raw["request"])
            if "response" in raw:
                self.response(i, raw["response"], raw.get("response_headers", {}))
            if "output_hash" in body["output"]:
                out = body["output"]["output_hash"]
                self.copy(f"analysis_results/{i:08d}{suffix(out)}", out)

    def response(self, i: int, reference: dict[str, Any], headers: dict[str, str]) -> None:
        end = ".gz" if headers.get("content-encoding", "").lower() == "gzip" else ""
        self.copy(f"llm_archive/{i:08d}.response{suffix(reference)}{end}", reference)
