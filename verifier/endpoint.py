"""The endpoint that a reviewer names, and the addresses it may have (specs/13 section 11)."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .engines import Way
from .errors import BadValue, Fatal
from .urls import recorded_url

REPLAY_TIMEOUT_S = 120.0
REPLAY_TIMEOUT_MAX_S = 86_400.0
REPLAY_LEVEL = "text"
_LOCAL = "localhost"
_PORTS = {"http": 80, "https": 443}

Address = tuple[int, Any]
"""family and socket address"""


class Endpoint(NamedTuple):
    """Where requests go; `path` is empty if each goes to the path that was recorded."""

    text: str
    secure: bool
    host: str
    port: int
    path: str

    def authority(self) -> str:
        """Return the value of the header `host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == _PORTS["https" if self.secure else "http"]
        return host if usual else f"{host}:{self.port}"

    def target(self, way: Way) -> str:
        """Return path and query of a request."""
        if way.path is None:
            raise RuntimeError("a request without a path")
        if not self.path:
            return way.path
        _, mark, query = way.path.partition("?")
        return self.path + way.ending() + mark + query


class Asking(NamedTuple):
    """What a reviewer asks for: endpoint and its addresses, level, time limit in seconds."""

    endpoint: Endpoint
    addresses: tuple[Address, ...]
    level: str
    seconds: float


def parse_endpoint(text: str, allow_remote: bool) -> Endpoint:
    """Return the endpoint of a URL; raises `usage`."""
    try:
        url = urlsplit(recorded_url(text))
    except BadValue as e:
        raise _refused(e.message) from None
    if "?" in text or "#" in text or "@" in text.partition("://")[2].partition("/")[0]:
        raise _refused("a URL with a user, a query or a fragment")
    host = url.hostname or ""
    if not allow_remote and host != _LOCAL and not _is_loopback(host):
        raise _refused(f"{host} is not localhost or a loopback address")
    port = url.port or _PORTS[url.scheme]
    return Endpoint(text, url.scheme == "https", host, port, url.path.rstrip("/"))


def addresses_of(endpoint: Endpoint, allow_remote: bool) -> tuple[Address, ...]:
    """Return the addresses that requests are sent to and no others; raises `usage`."""
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _refused(f"{endpoint.host} has no address") from None
    for *_, address in found:
        if not allow_remote and not _is_loopback(str(address[0])):
            raise _refused(f"{endpoint.host} is {address[0]}, not a loopback address")
    return tuple((int(family), address) for family, _, _, _, address in found)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(why: str) -> Fatal:
    return Fatal("usage", f"the endpoint: {why}")
