"""A provider and a price book that are plain functions, and a ledger to run sessions in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ledger import Entry, Ledger
from ledger.capture.exchange import Request, Response
from ledger.session import Call, Session
from ledger.session.prices import Priced

URL = "https://api.example.org/v1/chat/completions"
NAME = "lab/experiment"


def ask(prompt: str, *, model: str = "demo-1", headers: Any = (), **body: Any) -> Request:
    """A request to a chat model."""
    asked = {"model": model, "messages": [{"role": "user", "content": prompt}], **body}
    sent = (("Content-Type", "application/json"), ("Authorization", "Bearer x" * 8), *headers)
    return Request("POST", URL, sent, json.dumps(asked).encode())


def answer(
    text: str = "42",
    *,
    status: int = 200,
    model: str = "demo-1",
    fingerprint: str | None = None,
    tokens: int = 10,
) -> Response:
    """The answer of a chat model; it is billed `tokens` in and 5 out."""
    if status != 200:
        body: dict[str, Any] = {"error": {"message": text}}
    else:
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": tokens, "completion_tokens": 5, "total_tokens": tokens + 5},
        }
        if fingerprint:
            body["system_fingerprint"] = fingerprint
    headers = (("content-type", "application/json"), ("set-cookie", "a=b"), ("x-request-id", "r"))
    return Response(status, headers, json.dumps(body).encode())


class Prices:
    """One price for everything but the model `unpriced`; a call costs at most `most_usd`."""

    def __init__(self, most_usd: float = 1.0, input_usd: float = 0.1) -> None:
        self.most_usd = most_usd
        self.input_usd = input_usd

    def price(
        self,
        provider: str | None,
        model: str,
        usage: Mapping[str, int],
        at: int,
        context: Mapping[str, str] | None = None,
    ) -> Priced | None:
        if model == "unpriced":
            return None
        return Priced(dict(usage), dict.fromkeys(usage, self.input_usd * 1e6 / 3), "lab 1")

    def bound(self, provider: str | None, model: str, request: Request) -> float | None:
        return None if model == "unpriced" else self.most_usd


def do(session: Session, request: Request, response: Response | None = None) -> Call:
    """Make a call that is answered."""
    call = session.begin(request)
    if call.recorded is None:
        call.responded(response if response is not None else answer())
    return call


def text_of(call: Call) -> str:
    """What a recorded answer says."""
    assert call.recorded is not None
    return json.loads(call.recorded.body)["choices"][0]["message"]["content"]


def kill(session: Session) -> None:
    """End a run as if its process had been killed: nothing is written, the locks are free."""
    session._journal.release()


def entries(log: Ledger, type: str | None = None) -> list[Entry]:
    """The statements of the session."""
    return list(log.find(session=NAME, type=type))


def bodies(log: Ledger, type: str) -> list[dict[str, Any]]:
    return [entry.payload.body for entry in entries(log, type)]


def types(log: Ledger) -> list[str]:
    return [entry.payload.type for entry in entries(log)]
