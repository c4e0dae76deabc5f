"""Answers that a provider keeps, fetched and not asked for again (specs/10 section 3, `fetches`).

OpenAI's responses are kept under their id: `GET {url}/{id}` gives the answer, with `stream=true`
its events from the start. What comes is judged as the answer of the call. What is no answer says
nothing about whether the call was paid, so that it stays unknown, and can be fetched again unless
the provider does not have it (404).

>>> asked = Request("POST", "https://a/v1/responses?api-version=1", (), b'{"stream":true}')
>>> fetching(asked, "resp_7").url
'https://a/v1/responses/resp_7?api-version=1&stream=true'
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ledger.capture import fitting
from ledger.capture.exchange import Request
from ledger.session.outcomes import Verdict

__all__ = ["ANSWERS", "GONE", "UNDER_WAY", "fetching", "is_kept", "judge", "status_of"]

ANSWERS = ("completed", "incomplete")
UNDER_WAY = ("queued", "in_progress")
GONE = 404
_OF_THE_BODY = ("content-encoding", "content-length", "content-type", "transfer-encoding")
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")  # of what leads to no other path


def is_kept(method: str, url: str, response_id: str | None) -> bool:
    """Tell whether there is something to fetch: an answer of responses, and its id."""
    path = urlsplit(url).path.rstrip("/")
    known = response_id is not None and _ID.fullmatch(response_id) is not None
    return known and method == "POST" and path.endswith("/responses")


def fetching(request: Request, response_id: str) -> Request:
    """Return the request that fetches the answer of another one."""
    parts = urlsplit(request.url)
    query = [parts.query] if parts.query else []
    if fitting.as_map(fitting.parse_json(request.body)).get("stream") is True:
        query.append("stream=true")
    path = f"{parts.path.rstrip('/')}/{response_id}"
    url = parts._replace(path=path, query="&".join(query), fragment="").geturl()
    headers = tuple(pair for pair in request.headers if pair[0].lower() not in _OF_THE_BODY)
    return Request("GET", url, headers, b"")


def judge(verdict: Verdict, body: bytes | None) -> Verdict:
    """Say what became of the call when this became of the request that fetches its answer."""
    refused = verdict.status == "failed"
    whole = verdict.status == "answered" and verdict.streaming is None
    if refused or (whole and status_of(body) not in ANSWERS):
        return Verdict("unknown", "disconnected", verdict.http_status, None)
    return verdict


def status_of(body: bytes | None) -> str | None:
    """Return the status that a response of JSON has, None of what is none."""
    return fitting.name(fitting.as_map(fitting.parse_json(body or b"")).get("status"))
