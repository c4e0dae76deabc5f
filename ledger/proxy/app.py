"""The application: from a client's request to its answer.

| step | refused with |
|---|---|
| HTTP/1.1, a method that can be forwarded, no websocket | 505, 405, 501 |
| from this machine, not from a web page (`check_origin`) | 421, 403 |
| the path is below an upstream's (`Targets`) | 400, 404 |
| the body has at most so many bytes | 413 |
| the session lets it be sent, or has its answer (`Fetch`) | 409, 503, 507 |

An answer whose client went away meanwhile is given to the next that asks the same (`waiting`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from ledger.capture.transports.core import Recorder
from ledger.errors import LedgerError
from ledger.formats.call import IDENTITY_HEADERS
from ledger.proxy.fetch import Fetch, Head
from ledger.proxy.headers import Forwarded, forwarded
from ledger.proxy.refusals import RefusalError, of_upstream, refusal_of
from ledger.proxy.target import Rules, Targets, check_origin
from ledger.proxy.waiting import Waiting
from ledger.session.lineage import At, here

__all__ = ["App"]

THREADS = 32

_METHODS_REFUSED = frozenset({"CONNECT", "TRACE"})
_log = logging.getLogger("ledger.proxy")


class App:
    """The proxy of one session; `router` is the ASGI application."""

    def __init__(
        self,
        session: Recorder,
        targets: Targets,
        client: Any,
        make_request: Callable[..., Any],
        rules: Rules,
    ) -> None:
        """`client` is an asynchronous one of httpx2 or httpx, `make_request` its `Request`."""
        self.router = Router(default=self._answer, redirect_slashes=False)
        self._session = session
        self._targets = targets
        self._client = client
        self._make_request = make_request
        self._rules = rules
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="vif-proxy")
        self._deadline = math.inf
        self._over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = Waiting()

    @property
    def under_way(self) -> int:
        """How many requests have no answer yet."""
        return len(self._tasks)

    def end_within(self, grace_seconds: float) -> None:
        """Let what is under way end by itself, and then abandon the rest; the earliest counts."""
        loop = asyncio.get_running_loop()
        self._deadline = min(self._deadline, loop.time() + grace_seconds)
        loop.call_at(self._deadline, self._abandon)

    async def end(self) -> None:
        """Wait until nothing is under way, clients or not, at most until `end_within` says."""
        if not math.isfinite(self._deadline):
            self._abandon()
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._executor.shutdown()

    def _abandon(self) -> None:
        self._over = True
        for task in self._tasks:
            task.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            await self._forward(scope, receive, send)
        except LedgerError as error:
            await _refuse(refusal_of(error), scope, receive, send)
        except ClientDisconnect:
            pass
        except Exception:
            _log.exception("a defect of the proxy")
            refusal = RefusalError(500, "internal", "a defect of the proxy; it has logged more")
            await _refuse(refusal, scope, receive, send)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self._check(request)
        if self._over:
            raise RefusalError(503, "session_closed", "the proxy is being stopped")
        said = forwarded(scope["headers"])
        url = self._targets.url(scope["raw_path"], scope["query_string"])
        body = await self._body(request)
        asked = _digest(request.method, url, said, body)
        fetch = self._waiting.take(asked) or self._start(request.method, url, said, body)
        refusal = await self._hand_over(fetch, asked, receive, send)
        if refusal is not None:
            raise refusal

    def _check(self, request: Request) -> None:
        if request.scope["http_version"] != "1.1":
            # In HTTP/1.0 the end of a connection is the end of an answer, also of a broken one.
            raise RefusalError(505, "http_version", "clients speak HTTP/1.1 to this proxy")
        method = request.method
        if method in _METHODS_REFUSED or not (method.isascii() and method.isalpha()):
            raise RefusalError(405, "method_refused", f"{method} is not forwarded")
        if request.headers.get("upgrade", "").lower() == "websocket":
            raise RefusalError(501, "upgrade_refused", "websockets are not recorded, nor forwarded")
        if not self._rules.remote:
            check_origin(request.headers.get("host"), request.headers.get("origin"))

    async def _body(self, request: Request) -> bytes:
        limit = self._rules.body_max_bytes
        length = request.headers.get("content-length", "0")
        pieces: list[bytes] = []
        size = int(length[:20]) if length.isascii() and length.isdigit() else 0
        if size <= limit:
            size = 0
            async for piece in request.stream():
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    break
        if size > limit:
            raise RefusalError(413, "body_too_large", f"a request has at most {limit} bytes")
        return b"".join(pieces)

    def _start(self, method: str, url: str, said: Forwarded, body: bytes) -> Fetch:
        request = self._make_request(method, url, headers=said.headers, content=body or None)
        fetch = Fetch(self._session, self._client, request, body, self._executor)
        place = here(self._session)
        with At(replace(place, replicate=said.replicate, stage=said.stage)):
            task = fetch.start()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return fetch

    async def _hand_over(
        self, fetch: Fetch, asked: bytes, receive: Receive, send: Send
    ) -> RefusalError | None:
        """Give an answer to a client as it comes; returns what to say in place of one."""
        gone = asyncio.get_running_loop().create_task(_wait_for_end(receive))
        gone.add_done_callback(lambda _: fetch.poke())
        started, given = False, 0
        try:
            while not gone.done():
                if fetch.head is not None and not started:
                    started = True
                    await _begin(fetch.head, send)
                if given < len(fetch.chunks):
                    given += 1
                    last = fetch.over and fetch.failure is None and given == len(fetch.chunks)
                    await _more(fetch.chunks[given - 1], send, last)
                    if last:
                        return None
                elif not fetch.over:
                    await fetch.changed()
                elif fetch.failure is None:
                    await _more(b"", send, last=True)
                    return None
                else:
                    # After its beginning a failed answer just stops, and the server breaks the
                    # connection.
                    return None if started else _as_refusal(fetch.failure)
            self._left(fetch, given, asked)
            return None
        except asyncio.CancelledError:
            if fetch.task is not None:
                fetch.task.cancel()
            raise
        finally:
            gone.cancel()

    def _left(self, fetch: Fetch, given: int, asked: bytes) -> None:
        """Decide what becomes of an answer whose client went away after so many chunks."""
        if fetch.enough is not None and given >= fetch.enough:
            fetch.leave()  # it had all of it, and did not wait for the end of the connection
        elif fetch.streams and not self._rules.finish:
            fetch.leave()
        else:
            self._waiting.add(asked, fetch)


def _digest(method: str, url: str, said: Forwarded, body: bytes) -> bytes:
    """What makes two requests the same while their answer is under way."""
    named = {name.encode() for name in IDENTITY_HEADERS} | {b"content-type", b"accept-encoding"}
    parts: list[object] = [method, url, said.replicate, said.stage]
    parts += sorted(pair for pair in said.headers if pair[0] in named)
    return hashlib.sha256(repr(parts).encode() + b"\0" + body).digest()


def _as_refusal(failure: BaseException) -> RefusalError:
    if isinstance(failure, LedgerError):
        refusal = refusal_of(failure)
        _log.warning("%s", refusal)
        return refusal
    if isinstance(failure, asyncio.CancelledError):
        return RefusalError(503, "session_closed", "the proxy is being stopped")
    if isinstance(failure, Exception):
        return of_upstream(failure)
    raise failure


async def _wait_for_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _begin(head: Head, send: Send) -> None:
    await send({"type": "http.response.start", "status": head.status, "headers": head.headers})


async def _more(body: bytes, send: Send, last: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})


async def _refuse(refusal: RefusalError, scope: Scope, receive: Receive, send: Send) -> None:
    answer = JSONResponse(refusal.body(), refusal.status, refusal.headers())
    await answer(scope, receive, send)
