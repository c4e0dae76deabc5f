"""The contents of a statement: their names on the command line, and their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ledger import Entry, Ledger
from ledger.cli.failures import bad_call
from ledger.errors import ContentError, LedgerError
from ledger.formats.content import SALT_BYTES, ContentHasher, ContentRef, from_cbor

__all__ = ["CONTENTS", "contents_of", "named_content", "refer_file"]

CONTENTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "prompt": (("data", "prompt_hash"),),
    "output": (("output", "output_hash"), ("output",), ("replayed", "output")),
    "request": (("raw", "request"), ("request",)),
    "response": (("raw", "response"), ("response",), ("replayed", "response")),
    "template": (("data", "prompt_template"),),
    "variables": (("data", "prompt_variables"),),
    "snapshot": (("data", "context_snapshot"),),
    "tool-parameters": (("tools", "tool_parameters"),),
    "tool-results": (("tools", "tool_results_hash"),),
    "explanation": (("explanation",),),
    "source": (("source",),),
    "state": (("state",),),
    "environment": (("environment",), ("replay", "environment"), ("replayed", "environment")),
    "observation": (("replay", "observation"), ("replayed", "observation")),
    "content": (("content",),),
    "delivered": (("delivered",),),
    "context": (("context",),),
    "source-context": (("source", "context"),),
    "target-context": (("target", "context"),),
    "analytics": (("analytics",),),
    "configuration": (("replay", "configuration"),),
    "replay-data": (("replay", "data"),),
}
"""Names for `--content`, and where in a body the reference stands."""

_BLOCK_BYTES = 1 << 20
_OWN_NAMES = ("session_open", "provenance")
"""Types with contents that have names of their own."""


def contents_of(entry: Entry) -> Iterator[tuple[str, ContentRef]]:
    """Yield the contents that a statement refers to, by name; frozen files and data by their own.

    Interactions of a chain are `interaction-1`, `interaction-2` and so on.
    """
    body = entry.payload.body
    places = [(name, path) for name, paths in CONTENTS.items() for path in paths]
    found = [(name, _at(body, path)) for name, path in places]
    if entry.payload.type == "session_open":
        found += [(str(item["name"]), item["content"]) for item in body.get("frozen", ())]
    elif entry.payload.type == "provenance":
        passed = enumerate(body.get("interactions", ()), 1)
        found += [(f"interaction-{number}", item["content"]) for number, item in passed]
        found += [(str(item["name"]), item["content"]) for item in body.get("data", ())]
    for name, value in found:
        if isinstance(value, Mapping) and "blake3" in value:
            yield name, from_cbor(value)


def named_content(entry: Entry, name: str) -> ContentRef:
    """Return a content's reference; LedgerError `usage` or ContentError `content_missing`."""
    found = dict(contents_of(entry))
    if name not in found and name not in CONTENTS and entry.payload.type not in _OWN_NAMES:
        bad_call(f"there is no content {name!r}", hint=f"one of {', '.join(CONTENTS)}")
    if name not in found:
        has = ", ".join(found) or "none"
        raise ContentError(
            "content_missing",
            f"#{entry.index} ({entry.payload.type}) has no {name}",
            hint=f"its contents: {has}",
        )
    return found[name]


def refer_file(log: Ledger, ref: ContentRef, file: Path) -> ContentRef:
    """Return the reference that a file's bytes would have in the place of `ref`.

    For a salted reference the salt is taken from the archive. Raises ContentError
    `content_erased` or `content_missing` when it is not there, LedgerError `file_unreadable`.
    """
    salt = None
    if ref.salted:
        with log.open_archived(ref) as archived:
            salt = archived.read(SALT_BYTES)
    hasher = ContentHasher(ref.media_type, salt)
    try:
        with file.open("rb") as stream:
            while piece := stream.read(_BLOCK_BYTES):
                hasher.update(piece)
    except OSError as error:
        raise LedgerError("file_unreadable", f"{file}: {error.strerror}") from None
    return hasher.finish()


def _at(body: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body
