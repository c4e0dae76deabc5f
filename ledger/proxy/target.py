"""Where a request may go: below the path of an upstream, and nowhere else. Pure.

The client names a path in origin-form (RFC 9112 section 3.2.1); scheme, host and port are those of
the upstream. Absolute-form, authority-form and `*` are refused, and so is every path that a server
might take for another one: with a dot segment, however it is written, a backslash, a control
character, or two slashes at its beginning.

>>> targets = Targets([parse_upstream("openai=https://api.openai.com/v1")])
>>> targets.locals()
{'openai': '/openai/v1'}
>>> targets.url(b"/openai/v1/models", b"limit=2")
'https://api.openai.com/v1/models?limit=2'
>>> targets.url(b"/openai/v1/../admin", b"")
Traceback (most recent call last):
ledger.proxy.refusals.RefusalError: target_invalid: the path has a dot segment
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ledger.errors import FormatError, LedgerError
from ledger.formats.call import call_url
from ledger.proxy.refusals import RefusalError

__all__ = ["BODY_MAX_BYTES", "Rules", "Targets", "Upstream", "check_origin", "parse_upstream"]

BODY_MAX_BYTES = 64 << 20

_NAME = re.compile(r"([a-z][a-z0-9_-]{0,31})=(.*)", re.DOTALL)
_URL = re.compile(r"(https?)://([^/]+)(/.*)?")
_TARGET = re.compile(rb"[!-~]*")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider's address, and the name it has here; "" for the only one."""

    name: str
    origin: str
    """Scheme, host and port: `https://api.openai.com`."""
    path: str
    """Without a slash at its end: `/v1`, or nothing."""

    @property
    def url(self) -> str:
        """Its address."""
        return self.origin + self.path

    @property
    def local(self) -> str:
        """The path that stands for it at the proxy."""
        return (f"/{self.name}" if self.name else "") + self.path


def parse_upstream(text: str, name: str = "") -> Upstream:
    """Read `URL` or `NAME=URL`; raises LedgerError `usage`."""
    named = _NAME.fullmatch(text)
    if named:
        name, text = named[1], named[2]
    try:
        if set("?#@") & set(text):
            raise FormatError("body_invalid", "not an address alone")
        found = _URL.fullmatch(call_url(text))
        path = ((found[3] if found else None) or "").rstrip("/")
        _check_path(path.encode())
    except (FormatError, RefusalError):
        found = None
    if found is None:
        raise LedgerError(
            "usage",
            f"{text!r} is not the address of an upstream",
            hint="write https://host/path without user, query and fragment: "
            "keys are those of the clients",
        )
    return Upstream(name, f"{found[1]}://{found[2]}", path)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a proxy allows."""

    remote: bool = False
    """Whether requests may come from other machines."""
    finish: bool = False
    """Whether a stream is read to its end when its client goes away, and not closed."""
    body_max_bytes: int = BODY_MAX_BYTES


class Targets:
    """The upstreams of a proxy."""

    def __init__(self, upstreams: Iterable[Upstream]) -> None:
        """Raises LedgerError `usage` when two have the same name."""
        self.upstreams = sorted(upstreams, key=lambda one: -len(one.local))
        names = [one.name for one in self.upstreams]
        if len(set(names)) < len(names):
            raise LedgerError("usage", "two upstreams have the same name")

    def locals(self) -> dict[str, str]:
        """The path at the proxy of each upstream by its name."""
        return {one.name: one.local for one in self.upstreams}

    def url(self, raw_path: bytes, query: bytes) -> str:
        """Return where a request goes; raises `RefusalError` 400 or 404."""
        if not _TARGET.fullmatch(raw_path + query) or b"#" in raw_path + query:
            raise RefusalError(400, "target_invalid", "the request target has characters of no URL")
        if not raw_path.startswith(b"/"):
            raise RefusalError(
                400,
                "target_invalid",
                "the request target is not a path",
                hint="this is the address of an API, not a proxy to name in HTTP_PROXY",
            )
        _check_path(raw_path)
        path = raw_path.decode("ascii")
        for one in self.upstreams:
            if path == one.local or path.startswith(one.local + "/"):
                below = path[len(one.local) :]
                asked = f"?{query.decode('ascii')}" if query else ""
                return one.url + below + asked
        offered = " and ".join(sorted(one.local + "/" for one in self.upstreams))
        raise RefusalError(404, "target_unknown", f"only paths below {offered} are forwarded")


def _check_path(raw_path: bytes) -> None:
    if raw_path.startswith(b"//"):
        raise RefusalError(400, "target_invalid", "the path begins with two slashes")
    decoded = unquote_to_bytes(raw_path)
    if b"\\" in decoded or _CONTROL.search(decoded):
        raise RefusalError(400, "target_invalid", "the path has a backslash or a control character")
    # A semicolon begins what some servers cut off: "..;x" is ".." to them.
    if any(part.partition(b";")[0] in (b".", b"..") for part in decoded.split(b"/")):
        raise RefusalError(400, "target_invalid", "the path has a dot segment")


def check_origin(host: str | None, origin: str | None) -> None:
    """Refuse what a web page had a browser send; raises `RefusalError` 421 or 403.

    A page of a foreign site can send requests to a loopback address, directly or under a host name
    of its own that it lets resolve to it.
    """
    if host is None or not _is_loopback(host):
        raise RefusalError(
            421,
            "host_refused",
            "the Host of the request is no loopback address",
            hint="use the address that the proxy printed",
        )
    if origin is not None and not _is_loopback(origin.partition("://")[2]):
        raise RefusalError(403, "origin_refused", "requests of web pages are not forwarded")


def _is_loopback(authority: str) -> bool:
    found = re.fullmatch(r"(?:\[([^\]]*)\]|([^:]*))(?::[0-9]{0,5})?", authority)
    if not found:
        return False
    name = found[1] or found[2] or ""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
