"""The export statement on its way into the log (specs/07 §5).

It goes to a stream of its own, so that an export never becomes part of the session that happens to
be open: `exports`, or `exports.2` … when that one is being written or belongs to another producer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

from ledger.drafts import Receipt
from ledger.errors import LogError
from ledger.log import Ledger
from ledger.reader import Reader

EXPORT_STREAM = "exports"
_ELSEWHERE = ("stream_busy", "stream_issuer", "stream_session", "stream_closed")
_STREAMS_MAX = 1000


class ExportWriter:
    """Appends one export statement with the keys of an open ledger.

    Errors at once, before any file is written: `LogError` read_only and no_signer.
    """

    def __init__(self, log: Reader) -> None:
        if not isinstance(log, Ledger) or log.store.read_only:
            raise LogError(
                "read_only",
                "a signed export appends a statement, and the ledger is open for reading only",
                hint="open it for writing, or export unsigned",
            )
        log.check_signers()
        self._log = log

    def now(self) -> str:
        """Return the time by the ledger's clock, as in specs/00."""
        return self._log.now()

    def append(self, body: Mapping[str, object]) -> Receipt:
        """Append the statement; it is the last leaf of the tree that the receipt's head names."""
        for stream in _streams():
            try:
                writer = self._log.open_stream(stream)
            except LogError as error:
                if error.code not in _ELSEWHERE:
                    raise
                continue
            with writer:
                return writer.append("export", body)
        raise LogError("stream_busy", f"{_STREAMS_MAX} export streams are taken")


def _streams() -> Iterator[str]:
    yield EXPORT_STREAM
    for number in count(2):
        if number > _STREAMS_MAX:
            return
        yield f"{EXPORT_STREAM}.{number}"
