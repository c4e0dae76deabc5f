"""An append-only ledger of AI operations, signed and provable.

>>> import ledger, tempfile, pathlib
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> made = ledger.init(folder / "runs.vif", origin="example.org/lab", keys=folder / "keys")
>>> sorted(made.key_files)
['authority', 'log', 'producer']

Everything appended is durable, and under a signed head, before the call returns:

>>> with ledger.open(folder / "runs.vif", keys=folder / "keys", session="run-1") as log:
...     receipt = log.record(model="demo-1", prompt="2 + 2 = ?", output="4", confidence=0.97)
>>> receipt.index, receipt.size
(1, 2)

Reading needs no key:

>>> log = ledger.open(folder / "runs.vif", read_only=True)
>>> [entry.payload.type for entry in log]
['genesis', 'witness']
>>> (entry,) = log.find(session="run-1", type="witness")
>>> entry.payload.body["uncertainty"]["confidence_band"]
'A'
>>> log.content(entry.payload.body["output"]["output_hash"])
b'4'
>>> log.close()

A session (`Ledger.session`) records the calls of an SDK by itself, and never pays for one twice:

    with log.session("mva/experiment_2", experiment="plan.md") as session:
        client = openai.OpenAI(http_client=session.http_client())

What several models do together is an operation (`Session.cross_model`); `Reader.operation` computes
all of it anew, `Reader.ancestors` and `Reader.resting_on` tell what a result is made of.
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
    LineageError,
    LogError,
    RecordError,
    SessionError,
    StoreError,
)
from ledger.formats.content import ContentRef
from ledger.formats.handover import Handover
from ledger.formats.payload import Parent
from ledger.founding import InitResult, init
from ledger.log import Ledger, open
from ledger.reader import Entry, Reader
from ledger.views.basis import Basis

__all__ = [
    "Archived",
    "Basis",
    "ContentError",
    "ContentRef",
    "Draft",
    "Entry",
    "ExportError",
    "FormatError",
    "Handover",
    "ImportSourceError",
    "InitResult",
    "KeyFileError",
    "Ledger",
    "LedgerError",
    "LineageError",
    "LogError",
    "Parent",
    "Reader",
    "Receipt",
    "RecordError",
    "SessionError",
    "StoreError",
    "init",
    "open",
]
