"""The statements of operations and what they name, picked out of a sheet (specs/12 section 8).

Nothing is judged here; what is wanted was found to be readable and to have a valid body before.
Other processes would not help: to hand a statement over takes as long as to take it apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from blake3 import blake3

from . import cbor, cose
from .chain import (
    TAG_CROSS_MODEL,
    TAG_EXECUTION,
    TAG_INSIGHT,
    TAG_PROVENANCE,
    TAG_TRANSFER,
    TAG_WITNESS,
)
from .errors import Fatal, Refused
from .package import Package
from .records import Sheet, statements

Picked = tuple[int, int, bytes, Any]
"""place in the sheet, tag, kid of the signer, and payload; of a witness, what `_witness` says"""

TAGS = {
    "insight": TAG_INSIGHT,
    "transfer": TAG_TRANSFER,
    "execution": TAG_EXECUTION,
    "provenance": TAG_PROVENANCE,
    "cross_model": TAG_CROSS_MODEL,
}
_TOOL = "execute_tool"


def pick(package: Package, sheet: Sheet, mark: bytes, wanted: bytes) -> Iterator[Picked]:
    """Yield the records of a sheet that a byte each says are wanted; others are left out.

    Types that no rule looks into are left out as well. `mark` is that of the first pass.
    """
    try:
        raw, _, entries = statements(package, sheet)
    except Refused:
        raw, entries = b"", []
    if blake3(raw).digest(16) != mark:
        raise Fatal("input_unreadable", f"{sheet.path()} changed while it was read")
    for k, entry in enumerate(entries):
        if not wanted[k]:
            continue
        header, payload = cose.parse(entry)[:2]
        p = cbor.decode_loose(payload)
        kind = p["type"]
        if kind in TAGS:
            yield k, TAGS[kind], header.kid, p
        elif kind == "witness":
            yield k, TAG_WITNESS, header.kid, _witness(p["body"])


def _witness(b: dict[str, Any]) -> tuple[Any, ...]:
    """Return whether it was a call, four names of the model, prompt, cost and tokens."""
    model, cost = b["model"], b.get("cost", {})
    tokens = cost.get("tokens_used", b["output"].get("total_tokens"))
    return (
        b["operation"] != _TOOL,
        model["model_id"],
        model.get("requested_model"),
        model.get("actual_model"),
        model.get("system_fingerprint"),
        b["data"]["prompt_hash"],
        cost.get("cost_usd"),
        tokens,
    )
