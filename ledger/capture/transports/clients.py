"""HTTP clients that record: those of httpx2 or httpx, with every option they have.

A client is made as the library makes it, with its proxies, certificates, limits and mounts, and
then each of its transports is wrapped. A redirect is followed by the client, above the transport:
each hop is a call of its own, and so is each attempt of an SDK that asks again.

httpx 0.28 and httpx2 2.16 keep their transports in the same two attributes; a library that does not
is an error, never a client that records only half of its requests.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, overload

from ledger.capture.transports.core import Recorder
from ledger.errors import SessionError

if TYPE_CHECKING:
    import httpx
    import httpx2

__all__ = ["FLAVOURS", "async_client", "binding_of", "record", "sync_client"]

Flavour = Literal["httpx2", "httpx"]
FLAVOURS: tuple[Flavour, ...] = ("httpx2", "httpx")
_MISSING_HINT = {
    "httpx2": 'pip install "vif-ledger[capture]"',
    "httpx": "pip install httpx",
}


@overload
def sync_client(session: Recorder, *, flavour: Literal["httpx"], **kw: Any) -> httpx.Client: ...
@overload
def sync_client(
    session: Recorder, *, flavour: Literal["httpx2"] | None = None, **kw: Any
) -> httpx2.Client: ...
def sync_client(session: Recorder, *, flavour: Flavour | None = None, **kw: Any) -> Any:
    """Return an `httpx2.Client(**kw)`, or one of httpx, whose requests the session records.

    Without `flavour` it is httpx2 if that is installed, otherwise httpx. Raises `SessionError`
    `capture_failed` when there is none.
    """
    binding = _load(flavour)
    return record(session, binding.library.Client(**kw), binding.RecordingTransport)


@overload
def async_client(
    session: Recorder, *, flavour: Literal["httpx"], **kw: Any
) -> httpx.AsyncClient: ...
@overload
def async_client(
    session: Recorder, *, flavour: Literal["httpx2"] | None = None, **kw: Any
) -> httpx2.AsyncClient: ...
def async_client(session: Recorder, *, flavour: Flavour | None = None, **kw: Any) -> Any:
    """Return an `httpx2.AsyncClient(**kw)`, or one of httpx; as `sync_client`."""
    binding = _load(flavour)
    return record(session, binding.library.AsyncClient(**kw), binding.AsyncRecordingTransport)


def record(session: Recorder, client: Any, transport: Any, owner: object = None) -> Any:
    """Put a recording transport of a binding around each transport of a client; return the client.

    One that another session records is recorded by this one instead. Raises `SessionError`
    `capture_failed` for a library that keeps its transports elsewhere.
    """
    inner, mounts = getattr(client, "_transport", None), getattr(client, "_mounts", None)
    if inner is None or not isinstance(mounts, dict):
        raise SessionError(
            "capture_failed",
            f"the transport of {type(client).__module__}.{type(client).__name__} was not found",
            hint=f"known are httpx 0.28 and httpx2 2: {_MISSING_HINT['httpx2']}",
        )

    def wrapped(one: Any) -> Any:
        if one is None:
            return None
        return transport(session, one.inner if isinstance(one, transport) else one, owner)

    client._transport = wrapped(inner)
    client._mounts = {pattern: wrapped(one) for pattern, one in mounts.items()}
    return client


def binding_of(client: object) -> tuple[Any, Any] | None:
    """Return binding and recording transport class for a client of httpx2 or httpx, else None."""
    libraries = {one.__module__.partition(".")[0] for one in type(client).__mro__}
    for flavour in FLAVOURS:
        if flavour in libraries:
            binding = _load(flavour)
            if isinstance(client, binding.library.Client):
                return binding, binding.RecordingTransport
            if isinstance(client, binding.library.AsyncClient):
                return binding, binding.AsyncRecordingTransport
    return None


_BINDINGS: dict[str, Callable[[], Any]] = {
    "httpx2": lambda: import_module("ledger.capture.transports.httpx2_binding"),
    "httpx": lambda: import_module("ledger.capture.transports.httpx_binding"),
}


def _load(flavour: str | None) -> ModuleType | Any:
    if flavour is not None and flavour not in FLAVOURS:
        raise TypeError(f"flavour is {' or '.join(FLAVOURS)}, not {flavour!r}")
    for name in FLAVOURS if flavour is None else (flavour,):
        try:
            return _BINDINGS[name]()
        except ModuleNotFoundError as error:
            if error.name not in (name, "anyio"):
                raise
    wanted = flavour or FLAVOURS[0]
    raise SessionError(
        "capture_failed",
        f"{wanted} is not installed, so no client can be made that records",
        hint=_MISSING_HINT[wanted],
    )
