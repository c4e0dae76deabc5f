"""Undoes content codings (RFC 9110 §8.4) while the bytes arrive; pure, in pieces of bounded size.

gzip and deflate always, br and zstd where a library for them is installed: `brotli` or
`brotlicffi`, and `compression.zstd`, `backports.zstd` or `zstandard`, which are those that HTTP
clients for Python use.

>>> import gzip
>>> decoder = Decoder(["gzip"])
>>> body = gzip.compress(b"data: 1")
>>> b"".join(decoder.feed(body[:20])) + b"".join(decoder.feed(body[20:])), decoder.finished
(b'data: 1', True)
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any, Protocol

__all__ = ["PIECE_MAX_BYTES", "Decoder", "Undecodable"]

PIECE_MAX_BYTES = 1 << 20
_FEED_BYTES = 1 << 12


class Undecodable(Exception):  # noqa: N818 - not an error of the program: the body stays as it is
    """A coding that is not known here, or bytes that are not of it."""


class _Undo(Protocol):
    @property
    def finished(self) -> bool: ...

    def feed(self, data: bytes) -> Iterator[bytes]: ...


class Decoder:
    """Undoes a list of codings, given in the order in which they were applied.

    `feed` raises `Undecodable`; its pieces have about `PIECE_MAX_BYTES` at most, where the library
    can say so: not with `zstandard` and with Brotli before 1.2.
    """

    def __init__(self, codings: Iterable[str]) -> None:
        self._codings = [one for one in codings if one not in ("", "identity")]
        self._chain: list[_Undo] | None = None

    @property
    def finished(self) -> bool:
        """Tell whether every coding has reached its own end mark."""
        if not self._codings:
            return True
        return self._chain is not None and all(undo.finished for undo in self._chain)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes decode to."""
        if self._chain is None:
            self._chain = [_undo(coding) for coding in reversed(self._codings)]
        try:
            yield from _through(self._chain, data)
        except Undecodable:
            raise
        except Exception as error:  # each library has errors of its own
            raise Undecodable(type(error).__name__) from error


def _through(chain: list[_Undo], data: bytes) -> Iterator[bytes]:
    if not chain:
        yield data
        return
    for piece in chain[0].feed(data):
        yield from _through(chain[1:], piece)


def _undo(coding: str) -> _Undo:
    if coding in ("gzip", "x-gzip"):
        return _Gzip()
    if coding == "deflate":
        return _Deflate()
    if coding == "br":
        return _Brotli()
    if coding == "zstd":
        return _Zstd()
    raise Undecodable(coding)


def _inflate(inflater: Any, data: bytes) -> Iterator[bytes]:
    while data:
        piece = inflater.decompress(data, PIECE_MAX_BYTES)
        if piece:
            yield piece
        data = inflater.unconsumed_tail


class _Gzip:
    """gzip, also of several members; zero bytes after the last one are padding (RFC 1952)."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(31)

    @property
    def finished(self) -> bool:
        return self._inflater.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflater.eof:
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._inflater = zlib.decompressobj(31)
            yield from _inflate(self._inflater, data)
            data = self._inflater.unused_data


class _Deflate:
    """The zlib format, or raw deflate, which some servers send for it; the first two bytes tell."""

    def __init__(self) -> None:
        self._start = b""
        self._inflater: Any = None

    @property
    def finished(self) -> bool:
        return self._inflater is not None and bool(self._inflater.eof)

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inflater is None:
            self._start += data
            if len(self._start) < 2:
                return
            data, first, second = self._start, self._start[0], self._start[1]
            zlib_format = first & 0x0F == 8 and (first << 8 | second) % 31 == 0
            self._inflater = zlib.decompressobj(15 if zlib_format else -15)
        if not self._inflater.eof:
            yield from _inflate(self._inflater, data)


def _first(*libraries: Callable[[], Any]) -> Any:
    for library in libraries:
        with contextlib.suppress(ImportError):
            return library()
    raise Undecodable("no library for it is installed")


class _Brotli:
    def __init__(self) -> None:
        library = _first(lambda: import_module("brotli"), lambda: import_module("brotlicffi"))
        self._inflater = library.Decompressor()
        self._inflate = getattr(self._inflater, "decompress", None) or self._inflater.process
        self._bounded = hasattr(self._inflater, "can_accept_more_data")  # since version 1.2

    @property
    def finished(self) -> bool:
        return bool(self._inflater.is_finished())

    def feed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _FEED_BYTES):
            piece = data[at : at + _FEED_BYTES]
            if not self._bounded:
                yield self._inflate(piece)
                continue
            while out := self._inflate(piece, output_buffer_limit=PIECE_MAX_BYTES):
                yield out
                piece = b""


class _Zstd:
    """zstd, also of several frames."""

    def __init__(self) -> None:
        self._library = _first(
            lambda: import_module("compression.zstd"),
            lambda: import_module("backports.zstd"),
            lambda: import_module("zstandard"),
        )
        self._inflater = self._new()

    def _new(self) -> Any:
        made = self._library.ZstdDecompressor()
        return made.decompressobj() if hasattr(made, "decompressobj") else made

    @property
    def finished(self) -> bool:
        return bool(self._inflater.eof)

    def feed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _FEED_BYTES):
            piece = data[at : at + _FEED_BYTES]
            while piece:
                if self._inflater.eof:
                    self._inflater = self._new()
                yield from self._inflate(piece)
                piece = self._inflater.unused_data if self._inflater.eof else b""

    def _inflate(self, piece: bytes) -> Iterator[bytes]:
        if not hasattr(self._inflater, "needs_input"):  # zstandard
            yield self._inflater.decompress(piece)
            return
        yield self._inflater.decompress(piece, PIECE_MAX_BYTES)
        while not self._inflater.eof and not self._inflater.needs_input:
            yield self._inflater.decompress(b"", PIECE_MAX_BYTES)
