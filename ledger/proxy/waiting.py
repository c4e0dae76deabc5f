"""Answers whose client went away: kept for the next one who asks the same.

A client with a time limit of its own asks again while its first request is still under way. It is
given the answer of that one, when it comes; nothing is paid twice, and the record has one call.
What is dropped from here is in the log all the same, and is given again in the next run.
"""

from __future__ import annotations

from ledger.proxy.fetch import Fetch

__all__ = ["Waiting"]

FETCHES_MAX = 64
BYTES_MAX = 64 << 20


class Waiting:
    """Fetches by what they asked, the oldest first."""

    def __init__(self) -> None:
        self._fetches: dict[bytes, list[Fetch]] = {}

    def add(self, asked: bytes, fetch: Fetch) -> None:
        """Keep a fetch, and drop the oldest ones when there are too many."""
        self._fetches.setdefault(asked, []).append(fetch)
        kept = [(key, one) for key, some in self._fetches.items() for one in some]
        size_bytes = sum(one.size_bytes for _, one in kept)
        while len(kept) > FETCHES_MAX or (size_bytes > BYTES_MAX and len(kept) > 1):
            key, oldest = kept.pop(0)
            size_bytes -= oldest.size_bytes
            self._remove(key, oldest)

    def take(self, asked: bytes) -> Fetch | None:
        """Take out a fetch that asked the same and has, or may yet get, an answer."""
        while some := self._fetches.get(asked):
            fetch = some[0]
            self._remove(asked, fetch)
            if fetch.usable:
                return fetch
        return None

    def _remove(self, asked: bytes, fetch: Fetch) -> None:
        self._fetches[asked].remove(fetch)
        if not self._fetches[asked]:
            del self._fetches[asked]
