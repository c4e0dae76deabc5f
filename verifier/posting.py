"""One request to an endpoint, within a time and a size whatever comes back (specs/13 section 11).

No redirect is followed and no proxy is used. Every wait on the connection ends with the time that
is left, so that bytes which drip do not lengthen it, and reading stops at the bounds.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any

from .calls import IDENTITY_HEADERS
from .encodings import decoded, encodings_of
from .endpoint import Address, Asking, Endpoint

REPLAY_ANSWER_MAX_BYTES = 67108864
REPLAY_DECODED_MAX_BYTES = 268435456
USER_AGENT = "vif-verify"
_WIRE_MAX_BYTES = 2 * REPLAY_ANSWER_MAX_BYTES
_PIECE = 1 << 16
_VALUE = re.compile(r"[\t\x20-\x7e]*")


class NoAnswer(Exception):
    """Why there is no answer, in a few words."""


def headers_of(endpoint: Endpoint, recorded: Mapping[str, str], size: int) -> dict[str, str]:
    """Return all headers of a request: those of the page and nothing else; raises NoAnswer."""
    found = {
        "host": endpoint.authority(),
        "content-type": recorded.get("content-type", "application/json"),
        "content-length": str(size),
        "accept": "*/*",
        "connection": "close",
        "user-agent": USER_AGENT,
    }
    found |= {name: recorded[name] for name in IDENTITY_HEADERS if name in recorded}
    for name, value in found.items():
        if _VALUE.fullmatch(value) is None:
            raise NoAnswer(f"the recorded header {name} cannot be sent")
    return found


def post(asking: Asking, target: str, headers: Mapping[str, str], pieces: Iterable[bytes]) -> bytes:
    """Send a body in pieces and return the answer without content encoding; raises NoAnswer."""
    deadline = time.monotonic() + asking.seconds
    try:
        sock = _connected(asking.addresses, deadline)
        try:
            if asking.endpoint.secure:
                sock = _secured(sock, asking.endpoint.host, deadline)
            raw, encoding = _exchanged(_Line(sock, deadline), target, headers, pieces)
        finally:
            sock.close()
    except TimeoutError:
        raise NoAnswer(f"no whole answer within {asking.seconds:g} seconds") from None
    except (OSError, http.client.HTTPException, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) and e.strerror else type(e).__name__
        raise NoAnswer(f"no answer: {why}") from None
    encodings = encodings_of(encoding)
    if encodings is None:
        raise NoAnswer("an answer with a content encoding that cannot be undone")
    body = decoded((raw,), encodings, REPLAY_DECODED_MAX_BYTES)
    if body is None:
        raise NoAnswer(f"an answer of more than {REPLAY_DECODED_MAX_BYTES} bytes when decoded")
    return body


def _left(deadline: float) -> float:
    """Return the seconds that are left; raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(addresses: Iterable[Address], deadline: float) -> socket.socket:
    """Return a connection to the first of the addresses that takes one."""
    failure: OSError = OSError("no address")
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(_left(deadline))
            sock.connect(address)
        except OSError as e:
            sock.close()
            failure = e
        else:
            return sock
    raise failure


def _secured(sock: socket.socket, host: str, deadline: float) -> socket.socket:
    import ssl

    sock.settimeout(_left(deadline))
    return ssl.create_default_context().wrap_socket(sock, server_hostname=host)


def _exchanged(
    line: _Line, target: str, headers: Mapping[str, str], pieces: Iterable[bytes]
) -> tuple[bytes, str]:
    """Send a request; return body and content encoding of an answer with status 200."""
    connection = http.client.HTTPConnection(headers["host"])
    connection.auto_open = 0
    connection.sock = line
    connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    for piece in pieces:
        connection.send(piece)
    response = connection.getresponse()
    if response.status != 200:
        raise NoAnswer(f"status {response.status}")
    if (response.length or 0) > REPLAY_ANSWER_MAX_BYTES:
        raise NoAnswer(f"an answer of more than {REPLAY_ANSWER_MAX_BYTES} bytes")
    out = bytearray()
    while piece := response.read(_PIECE):
        out += piece
        if len(out) > REPLAY_ANSWER_MAX_BYTES:
            raise NoAnswer(f"an answer of more than {REPLAY_ANSWER_MAX_BYTES} bytes")
    if response.length:
        raise NoAnswer("the connection ended before the answer")
    return bytes(out), ", ".join(response.headers.get_all("content-encoding", []))


class _Line(io.RawIOBase):
    """A connection as http.client wants it; it ends at a time and after a number of bytes."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline
        self._room = _WIRE_MAX_BYTES

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, waiting no longer than there is time."""
        self._sock.settimeout(_left(self._deadline))
        found = self._sock.recv_into(buffer)
        self._room -= found
        if self._room < 0:
            raise NoAnswer(f"more than {_WIRE_MAX_BYTES} bytes on the wire")
        return found

    def sendall(self, data: bytes) -> None:
        """Send all of some bytes."""
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(_left(self._deadline))
            rest = rest[self._sock.send(rest) :]

    def close(self) -> None:
        """Do nothing: http.client closes before it has read the answer."""

    def makefile(self, mode: str) -> Any:
        """Return what is read from, with a buffer."""
        return io.BufferedReader(self, _PIECE)
