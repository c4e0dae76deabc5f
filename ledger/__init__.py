"""An append-only ledger of AI operations, signed and provable.

>>> import ledger, tempfile, pathlib
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> made = ledger.init(folder / "runs.vif", origin="example.org/lab", keys=folder / "keys")
>>> sorted(made.key_files)
['authority', 'log', 'producer']

Everything appended is durable, and under a signed head, before the call returns:

>>> with ledger.open(folder / "runs.vif", keys=folder / "keys", session="run-1") as log:
...     prompt = log.archive(b"2 + 2 = ?", "text/plain")
...     body = {
...         "version": 1,
...         "operation": "chat",
...         "model": {"model_id": "demo"},
...         "data": {"prompt_hash": prompt.ref.to_cbor()},
...         "output": {"finish_reason": "error"},
...         "meta": {
...             "writer": "example", "task_criticality": "routine", "kappa_threshold": 0.7,
...         },
...         "capture": {"vantage": "manual"},
...     }
...     receipt = log.append("witness", body, contents=[prompt])
>>> receipt.index, receipt.size
(1, 2)

Reading needs no key:

>>> log = ledger.open(folder / "runs.vif", read_only=True)
>>> [entry.payload.type for entry in log]
['genesis', 'witness']
>>> [entry.index for entry in log.find(session="run-1", type="witness")]
[1]
>>> log.content(prompt.ref)
b'2 + 2 = ?'
>>> log.close()
"""

from __future__ import annotations

from ledger.drafts import Archived, Draft, Receipt
from ledger.errors import (
    ContentError,
    ExportError,
    FormatError,
    ImportSourceError,
    KeyFileError,
    LedgerError,
    LogError,
    RecordError,
    StoreError,
)
from ledger.formats.content import ContentRef
from ledger.founding import InitResult, init
from ledger.log import Ledger, open
from ledger.reader import Entry, Reader

__all__ = [
    "Archived",
    "ContentError",
    "ContentRef",
    "Draft",
    "Entry",
    "ExportError",
    "FormatError",
    "ImportSourceError",
    "InitResult",
    "KeyFileError",
    "Ledger",
    "LedgerError",
    "LogError",
    "Reader",
    "Receipt",
    "RecordError",
    "StoreError",
    "init",
    "open",
]
