"""Where a ledger is kept: LMDB for the log, files for large content (specs/09).

`Store` is the whole interface. A replicated engine can stand behind the same methods later; nothing
above this folder knows LMDB.
"""

from __future__ import annotations

from ledger.store.commit import Authorise, HeadSigner
from ledger.store.content import INLINE_MAX_BYTES, ContentStore
from ledger.store.environment import MAP_SIZE_BYTES
from ledger.store.lmdb_store import Store
from ledger.store.locks import FileLock, stream_lock
from ledger.store.rows import Batch, Blob, Committed, Row, StreamTail
from ledger.store.snapshot import Snapshot
from ledger.store.views import View, ViewCursor

__all__ = [
    "INLINE_MAX_BYTES",
    "MAP_SIZE_BYTES",
    "Authorise",
    "Batch",
    "Blob",
    "Committed",
    "ContentStore",
    "FileLock",
    "HeadSigner",
    "Row",
    "Snapshot",
    "Store",
    "StreamTail",
    "View",
    "ViewCursor",
    "stream_lock",
]
