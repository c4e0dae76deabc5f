"""Imports OTLP/JSON traces: their GenAI spans become witnesses (specs/03 §6).

The file is read three times: for credentials, which are refused or replaced in the copy that is
archived; to build everything and write nothing; and to hand the drafts over. An operation that
failed becomes a witness and an `annotation` of kind `error`. Spans that are no GenAI operations are
counted, by what made them; like everything else in the file they stay in the archived source.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from ledger.capture.importing import (
    Batches,
    ImportLog,
    ImportResult,
    Progress,
    Skipped,
    Written,
    open_source,
    refusal,
    refuse_if_imported,
    salt_of,
)
from ledger.capture.otlp.fields import FORMAT, error_of, is_operation, source_of, span_fields
from ledger.capture.otlp.lineage import Key, Lineage
from ledger.capture.otlp.spans import Span, requests, spans
from ledger.capture.redaction import Secret, redact_document, refuse_secrets
from ledger.drafts import Draft
from ledger.errors import ImportSourceError, LedgerError
from ledger.formats.payload import PARENTS_MAX
from ledger.formats.values import is_prose
from ledger.model import Annotation, Source
from ledger.model.archive import Salt, archive
from ledger.model.build import witness

__all__ = ["import_otlp"]


def import_otlp(
    log: ImportLog,
    path: Path,
    *,
    again: bool = False,
    skip_unreadable: bool = False,
    redact: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Take over the GenAI spans of a file, and name the file in an `import` statement at the end.

    `again` imports a file that was imported before; `skip_unreadable` leaves out what cannot be
    read and lists it; `redact` archives a copy without the credentials that are found. Raises
    `ImportSourceError` (`source_unreadable`, `source_unsupported`, `source_secrets`,
    `already_imported`) and what an append raises.
    """
    with open_source(path) as original:
        removed, is_lines = _secrets_in(original)
        if removed and not redact:
            raise refuse_secrets(path.name, removed)
        with _redacted_copy(original) if removed else original as file:
            if not again:
                refuse_if_imported(log, file)
            lineage, count, unreadable, passed = _survey(file)
            if unreadable and not skip_unreadable:
                raise refusal(unreadable)
            file.seek(0)
            media_type = "application/jsonl" if is_lines else "application/json"
            source = log.archive(file, media_type)
            batches = Batches(log, count, progress)
            _write(file, lineage, batches, salt_of(log))
            if batches.witnesses != count:
                raise ImportSourceError("source_unreadable", "the file changed while it was read")
            return batches.finish(
                FORMAT, source, path.name, unreadable, passed=passed, redacted=removed
            )


def _secrets_in(file: BinaryIO) -> tuple[list[Secret], bool]:
    """Return where a file holds credentials, and whether it is JSON Lines."""
    found, place = list[Secret](), "document"
    for place, request in requests(file):
        redact_document(request, place, found)
    return found, place not in ("document", "line 1")


def _redacted_copy(file: BinaryIO) -> BinaryIO:
    """Return a copy of a file without its credentials, for the caller to close."""
    with ExitStack() as on_error:
        copy = on_error.enter_context(tempfile.TemporaryFile())
        for place, request in requests(file):
            copy.write(json.dumps(redact_document(request, place, [])).encode() + b"\n")
        on_error.pop_all()
        return copy


def _operations(file: BinaryIO) -> Iterator[Span]:
    """Yield the GenAI spans of a file, one that was exported twice once."""
    seen = set[Key]()
    for place, request in requests(file):
        for span in spans(place, request):
            if is_operation(span) and (not span.span_id or span.key not in seen):
                seen.add(span.key)
                yield span


def _survey(file: BinaryIO) -> tuple[Lineage, int, list[Skipped], list[Skipped]]:
    """Read everything once: lineage, number of witnesses, what is unreadable, what is passed by."""
    lineage = Lineage(span for place, one in requests(file) for span in spans(place, one))
    others: Counter[str] = Counter()
    count, unreadable = 0, list[Skipped]()
    seen = set[Key]()
    for place, request in requests(file):
        for span in spans(place, request):
            if not is_operation(span):
                others[f"scope {span.scope or '(unnamed)'}"] += 1
            elif span.span_id and span.key in seen:
                others[f"scope {span.scope or '(unnamed)'}, exported again"] += 1
            else:
                seen.add(span.key)
                try:
                    _drafts(span, None)
                    count += 1
                except (LedgerError, RecursionError) as error:
                    unreadable.append(Skipped(span.place, str(error)))
    passed = [
        Skipped(scope, f"{number} spans that are no GenAI operation")
        for scope, number in sorted(others.items())
    ]
    return lineage, count, unreadable, passed


def _write(file: BinaryIO, lineage: Lineage, batches: Batches, salt: Salt | None) -> None:
    inner: dict[Key, list[Written]] = {}
    for span in lineage.inner_first(_operations(file)):
        parents = inner.pop(span.key, []) if span.span_id else []
        try:
            drafts = _drafts(span, salt, parents[-PARENTS_MAX:])
        except (LedgerError, RecursionError):
            written = parents  # listed before; what it encloses goes to the one around it
        else:
            written = batches.add(drafts)[:1]
        outer = lineage.outer(span)
        if outer is not None:
            inner.setdefault(outer, []).extend(written)


def _drafts(span: Span, salt: Salt | None, parents: list[Written] | None = None) -> list[Draft]:
    record, contents = witness(**span_fields(span), salt=salt)
    builds_on = [parent.as_parent() for parent in parents or ()]
    draft = Draft("witness", record, builds_on, contents)
    kind, text = error_of(span)
    if kind is None:
        return [draft]
    content = archive(text, salt=salt) if text else None
    note = Annotation(
        kind="error",
        value=kind if is_prose(kind) else None,
        explanation=content.ref if content else None,
        source=Source(**source_of(span)),
    )
    return [draft, Draft("annotation", note, (draft,), (content,) if content else ())]
