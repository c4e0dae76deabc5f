"""The server: a proxy for one session, in a thread of its own with its own event loop.

It listens before `start` returns, so that its address can be given to a program at once. The end
comes in two steps: no new connections, time for what is under way, then what is left is abandoned
(recorded as `unknown`). The session is not closed here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import socket
import threading
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

from ledger.capture.transports.core import Recorder
from ledger.errors import LedgerError
from ledger.proxy.target import Rules, Targets, Upstream

if TYPE_CHECKING:
    from uvicorn import Server

    from ledger.proxy.app import App

__all__ = ["GRACE_SECONDS", "Proxy", "check_libraries"]

GRACE_SECONDS = 30.0
"""For what is under way when the proxy is stopped."""
CONNECT_SECONDS = 30.0
ANSWER_SECONDS = 3600.0
"""How long the upstream may be silent: longer than clients wait, whose own limits come first."""
KEEP_ALIVE_SECONDS = 75
_SLACK_SECONDS = 5
"""For connections whose answers were abandoned to be closed."""
_BACKLOG = 512


def check_libraries() -> None:
    """Raise LedgerError `proxy_libraries` unless everything that a proxy needs is installed."""
    wanted = {
        "starlette": find_spec("starlette"),
        "uvicorn": find_spec("uvicorn"),
        "httpx2": find_spec("httpx2") or find_spec("httpx"),
    }
    missing = [name for name, found in wanted.items() if found is None]
    if missing:
        raise LedgerError(
            "proxy_libraries",
            f"the proxy needs {', '.join(missing)}, which is not installed",
            hint="pip install 'vif-ledger[proxy]'",
        )


def _http_library() -> Any:
    return import_module("httpx2") if find_spec("httpx2") else import_module("httpx")


class Proxy:
    """A proxy that listens when it is made, serves when it is started, and ends when it is told."""

    def __init__(
        self,
        upstreams: Iterable[Upstream],
        rules: Rules,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Listen on host and port, 0 for one that is free.

        Raises LedgerError `proxy_libraries`, `usage` for a host of other machines that `rules` do
        not allow, `system` for an address that cannot be had.
        """
        check_libraries()
        self._targets = Targets(upstreams)
        self._rules = rules
        self._socket = _listen(host, port, remote=rules.remote)
        bound = self._socket.getsockname()
        shown = f"[{bound[0]}]" if self._socket.family == socket.AF_INET6 else bound[0]
        self.address = f"http://{shown}:{bound[1]}"
        """Without a path."""
        self.urls = {name: self.address + path for name, path in self._targets.locals().items()}
        """What stands for each upstream, by its name."""
        self._ready = threading.Event()
        self._ended = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._app: App | None = None
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def under_way(self) -> int:
        """How many requests have no answer yet."""
        return self._app.under_way if self._app is not None else 0

    def start(self, session: Recorder) -> None:
        """Begin to serve; the requests are calls of this session."""
        work = partial(self._run, session)
        self._thread = threading.Thread(target=work, name="vif-proxy", daemon=True)
        self._thread.start()
        self._ready.wait()

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Take no new requests, and let those under way end within so many seconds.

        Returns at once, so that it can be called by the handler of a signal.
        """
        if self._server is None or self._loop is None or self._app is None:
            return
        self._server.config.timeout_graceful_shutdown = math.ceil(grace_seconds) + _SLACK_SECONDS
        self._server.should_exit = True
        with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
            self._loop.call_soon_threadsafe(self._app.end_within, grace_seconds)

    def abort(self) -> None:
        """End now: what is under way is abandoned. May follow `stop`; returns at once."""
        self.stop(0.0)

    def wait(self) -> None:
        """Wait for the end; raises RuntimeError when the server died of a defect."""
        if self._thread is None:
            self._socket.close()
            return
        self._ended.wait()
        self._thread.join()
        if self._failure is not None:
            raise RuntimeError("the proxy ended by itself") from self._failure

    def __enter__(self) -> Self:
        """The proxy itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon what is under way, and end."""
        self.abort()
        self.wait()

    def _run(self, session: Recorder) -> None:
        try:
            asyncio.run(self._serve(session))
        except BaseException as error:
            self._failure = error
        finally:
            self._socket.close()
            self._ready.set()
            self._ended.set()

    async def _serve(self, session: Recorder) -> None:
        import uvicorn

        from ledger.proxy.app import App

        library = _http_library()
        limits = library.Limits(max_connections=None, max_keepalive_connections=64)
        timeout = library.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        async with library.AsyncClient(limits=limits, timeout=timeout) as client:
            app = App(session, self._targets, client, library.Request, self._rules)
            config = uvicorn.Config(
                app.router,
                http="h11",
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_config=None,
                log_level="critical",  # the application says itself what went wrong
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                backlog=_BACKLOG,
            )
            server = uvicorn.Server(config)
            self._loop, self._app, self._server = asyncio.get_running_loop(), app, server
            self._ready.set()
            try:
                await server.serve(sockets=[self._socket])
            finally:
                await app.end()


def _listen(host: str, port: int, *, remote: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise LedgerError("usage", f"{host!r} is no host: {error.strerror}") from None
    family, kind, protocol, _, address = found[0]
    if not remote and not ipaddress.ip_address(address[0]).is_loopback:
        raise LedgerError(
            "usage",
            f"{host} can be reached from other machines",
            hint="add --allow-remote if that is meant: whoever reaches it is given recorded "
            "answers, without a key",
        )
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise LedgerError(
            "system",
            f"{host}:{port}: {error.strerror}",
            hint="--port 0 takes one that is free",
        ) from None
    return listening
