"""A ledger, the provider, and proxies between them and a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ledger import Ledger
from ledger.proxy.serve import Proxy
from ledger.proxy.target import Rules, parse_upstream
from tests.helpers.places import Place
from tests.helpers.provider import Provider, provider
from tests.proxy.world import Running

__all__ = ["provider"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("VIF_KEYS", str(tmp_path / "default-keys"))
    return Place(tmp_path / "runs.vif", tmp_path / "keys")


@pytest.fixture
def log(place: Place) -> Iterator[Ledger]:
    place.init()
    with place.open() as opened:
        yield opened


@pytest.fixture
def proxied(log: Ledger, provider: Provider) -> Iterator[Callable[..., Running]]:
    """Return a function that opens a run of the session and serves it."""
    with ExitStack() as stack:

        def start(
            upstream: str = "", *, rules: Rules | None = None, wrap: Any = None, **options: Any
        ) -> Running:
            server = Proxy([parse_upstream(upstream or provider.base_url)], rules or Rules())
            session = log.session("lab/proxied", **options)
            running = Running(log, session, server)
            server.start(session if wrap is None else wrap(session))
            stack.callback(running.end)
            return running

        yield start
