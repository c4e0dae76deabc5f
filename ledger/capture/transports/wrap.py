"""Lets a session record what an existing client does, without changing that client.

The copy shares the connections of the original, which stay open until the original is closed, and
has its settings: time limits, base URL, keys, proxies, retries.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any, TypeVar, cast

from ledger.capture.transports.clients import binding_of, record
from ledger.capture.transports.core import Recorder

__all__ = ["wrap"]

C = TypeVar("C")
_ACCEPTED = (
    "a client of openai or anthropic, an httpx2 or httpx Client or AsyncClient,"
    " or an object that keeps one as _client"
)


def wrap(session: Recorder, client: C) -> C:
    """Return a copy of a client whose requests the session records.

    Accepted are clients of openai and anthropic, and of SDKs made alike (whose `copy` takes an
    `http_client`), clients of httpx2 and httpx, and plain objects that keep one of those as
    `_client`. `TypeError` for everything else.
    """
    if binding_of(client) is not None:
        return cast(C, _copied(session, client))
    inner = getattr(client, "_client", None)
    if isinstance(client, type) or binding_of(inner) is None:
        raise TypeError(f"{_name(client)} cannot be recorded; wrap takes {_ACCEPTED}")
    if _copies(client):
        copied: C = client.copy(http_client=_copied(session, inner))  # type: ignore[attr-defined]
        return copied
    for attribute in vars(client).values():
        parts = getattr(attribute, "__dict__", {}).values() if attribute is not inner else ()
        if any(part is client or part is inner for part in parts):
            raise TypeError(
                f"{_name(client)} has parts that send by themselves and cannot be copied:"
                " make it with the client that the session's http_client() returns"
            )
    made = copy.copy(client)
    made._client = _copied(session, inner)  # type: ignore[attr-defined]
    return made


def _copied(session: Recorder, client: Any) -> Any:
    found = binding_of(client)
    assert found is not None
    made = copy.copy(client)
    # What the original may still be given is its own: headers, cookies, hooks.
    made._headers = client.headers.copy()
    made.cookies = client.cookies
    made.event_hooks = client.event_hooks
    if not client.is_closed:
        made._state = type(client._state).UNOPENED
    return record(session, made, found[1], owner=client)


def _copies(client: object) -> bool:
    try:
        return "http_client" in inspect.signature(client.copy).parameters  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return False


def _name(client: object) -> str:
    kind = client if isinstance(client, type) else type(client)
    return f"{kind.__module__}.{kind.__name__}"
