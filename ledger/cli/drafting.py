"""From what was typed or piped in to a draft for the log, and from the log's receipt to JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger import Draft, Ledger, Receipt
from ledger.capture.importing import moment
from ledger.capture.jsonl import FIELDS
from ledger.cli.failures import read_file
from ledger.cli.head import known_head
from ledger.cli.ledgers import find_statement
from ledger.errors import RecordError
from ledger.formats.content import SALT_BYTES
from ledger.formats.values import is_time
from ledger.model.archive import BYTES, JSON, TEXT, Media
from ledger.model.build import witness

__all__ = ["draft_of", "file_content", "receipt_json"]


def draft_of(log: Ledger, given: Mapping[str, Any]) -> Draft:
    """Return a witness to append: fields of `ledger.model.build.witness`, and `parents`.

    Raises RecordError for the fields, LogError `not_found` for a parent that the log does not have.
    """
    fields = dict(given)
    named = fields.pop("parents", None) or []
    if not isinstance(named, list) or not all(isinstance(one, str | int) for one in named):
        raise RecordError("record_invalid", "parents is an array of ids or indices")
    unknown = sorted(fields.keys() - FIELDS)
    if unknown:
        raise RecordError(
            "record_invalid",
            f"a witness has no field {unknown[0][:64]!r}",
            hint="the fields are those of specs/03, such as model, prompt, output, confidence",
        )
    for required in ("model", "prompt"):
        if fields.get(required) is None:
            raise RecordError("record_invalid", f"a witness needs {required}")
    occurred = fields.get("occurred_at")
    if occurred is not None and not is_time(occurred):
        fields["occurred_at"] = moment(occurred, "occurred_at")
    parents = [find_statement(log, str(one)) for one in named]
    salt = (lambda: os.urandom(SALT_BYTES)) if log.salted else None
    body, contents = witness(**fields, salt=salt)
    return Draft("witness", body, parents, contents)


def file_content(path: Path) -> Media:
    """Return a file as content: JSON by its name, text if it is UTF-8, and otherwise bytes."""
    data = read_file(path)
    if path.suffix.lower() == ".json":
        return Media(data, JSON)
    try:
        data.decode()
    except UnicodeDecodeError:
        return Media(data, BYTES)
    return Media(data, TEXT)


def receipt_json(receipt: Receipt, *, line: int | None) -> dict[str, Any]:
    """Return the JSON form of a receipt; `line` is the line of input it is for."""
    return {
        "index": receipt.index,
        "id": receipt.id,
        "leaf_hash": receipt.leaf_hash.hex(),
        "created_at": receipt.created_at,
        "size": receipt.size,
        "root": receipt.root.hex(),
        "known_head": known_head(receipt.size, receipt.root),
        "line": line,
    }
