"""Imports VCR cassettes: the AI operations among their exchanges become witnesses (specs/03 §6).

A cassette says when an exchange took place only by the `date` header of the answer (or
`recorded_at`, where it was written by Ruby's VCR); one without is left out and listed, unless a
time is given for those. The time of the file is no evidence. An answer with an error status becomes
a witness without output and an `annotation` of kind `error`.

An exchange is an AI operation if it speaks a protocol that `ledger.capture.readers` knows, or posts
to a provider or names a model. The others are listed as passed by; like everything else in the
file they stay in the archived source, which holds no credentials (`ledger.capture.vcr.secrets`).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from ledger.capture import fitting
from ledger.capture.exchange import Headers, header
from ledger.capture.headers import HeaderAllowList
from ledger.capture.importing import (
    Batches,
    ImportLog,
    ImportResult,
    Progress,
    Skipped,
    open_source,
    refusal,
    refuse_if_imported,
    salt_of,
)
from ledger.capture.readers import Reading, read
from ledger.capture.redaction import refuse_secrets, shown
from ledger.capture.vcr.cassette import Exchange, exchange, interactions, is_json
from ledger.capture.vcr.secrets import redacted_copy, secrets_in
from ledger.drafts import Draft
from ledger.errors import FormatError, ImportSourceError, LedgerError
from ledger.formats.call import call_url
from ledger.model import Annotation, Source
from ledger.model.archive import BYTES, Media, Salt, archive
from ledger.model.build import witness

__all__ = ["FORMAT", "import_vcr"]

FORMAT = "vcr"
_HEADERS = HeaderAllowList()


def import_vcr(
    log: ImportLog,
    path: Path,
    *,
    again: bool = False,
    skip_unreadable: bool = False,
    redact: bool = False,
    assume_time: datetime | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Take over the AI operations of a cassette, and name it in an `import` statement at the end.

    `again` imports a file that was imported before; `skip_unreadable` leaves out what cannot be
    read and lists it; `redact` archives a copy without the credentials that are found;
    `assume_time` is when exchanges took place that do not say it. Raises `ImportSourceError`
    (`source_unreadable`, `source_unsupported`, `source_secrets`, `already_imported`) and what an
    append raises.
    """
    with open_source(path) as original:
        removed = secrets_in(original)
        if removed and not redact:
            raise refuse_secrets(path.name, removed)
        with redacted_copy(original) if removed else original as file:
            if not again:
                refuse_if_imported(log, file)
            count, unreadable, undated, passed = _survey(file, assume_time)
            if unreadable and not skip_unreadable:
                raise refusal(unreadable)
            media_type = "application/json" if is_json(file) else "application/yaml"
            file.seek(0)
            source = log.archive(file, media_type)
            batches, salt = Batches(log, count, progress), salt_of(log)
            for number, item in interactions(file):
                found = _take(number, item, assume_time, salt)
                if isinstance(found, list):
                    batches.add(found)
            if batches.witnesses != count:
                raise ImportSourceError("source_unreadable", "the file changed while it was read")
            return batches.finish(
                FORMAT,
                source,
                path.name,
                [*unreadable, *undated],
                passed=passed,
                redacted=removed,
            )


def _survey(
    file: BinaryIO, assume_time: datetime | None
) -> tuple[int, list[Skipped], list[Skipped], list[Skipped]]:
    """Read everything once: number of witnesses, what is unreadable, undated, and no operation."""
    count = 0
    unreadable, undated, passed = list[Skipped](), list[Skipped](), list[Skipped]()
    lists = {"unreadable": unreadable, "undated": undated, "passed": passed}
    for number, item in interactions(file):
        found = _take(number, item, assume_time, None)
        if isinstance(found, list):
            count += 1
        else:
            lists[found[0]].append(Skipped(f"interaction {number}", found[1]))
    return count, unreadable, undated, passed


def _take(
    number: int, item: Any, assume_time: datetime | None, salt: Salt | None
) -> list[Draft] | tuple[str, str]:
    """Return the drafts of an interaction, or why there are none: a kind and a reason."""
    try:
        found = exchange(number, item)
        headers = {name.lower(): value for name, value in found.response.headers}
        reading = read(found.request, found.decoded, found.response.http_status, headers)
        if not _is_operation(reading):
            return "passed", f"no AI operation: {found.request.method} {_shown_url(found)}"
        time = found.time or assume_time
        if time is None:
            return "undated", "does not say when it was: no date header"
        return _drafts(found, reading, time, salt)
    except (LedgerError, RecursionError) as error:
        return "unreadable", str(error)


def _is_operation(reading: Reading) -> bool:
    known = reading.operation != "http_request" or reading.provider or reading.model
    return reading.is_operation and bool(known)


def _drafts(found: Exchange, reading: Reading, time: datetime, salt: Salt | None) -> list[Draft]:
    source = Source(format=FORMAT, event_id=str(found.number))
    fields: dict[str, Any] = {
        **reading.fields,
        "operation": reading.operation,
        "vantage": "imported",
        "occurred_at": time,
        "source": {"format": FORMAT, "event_id": str(found.number)},
        "request": _body(found.request.body, found.request.headers),
        "response": _body(found.response.body, found.response.headers),
        "request_headers": _HEADERS.select(found.request.headers),
        "response_headers": _HEADERS.select(found.response.headers),
    }
    record, contents = witness(**fields, salt=salt)
    draft = Draft("witness", record, (), contents)
    status = found.response.http_status
    if 200 <= status <= 299:
        return [draft]
    said = found.decoded or found.response.body
    content = archive(_body(said, found.response.headers) or "", salt=salt) if said else None
    note = Annotation(
        kind="error",
        value=f"HTTP {status}",
        explanation=content.ref if content else None,
        source=source,
    )
    return [draft, Draft("annotation", note, (draft,), (content,) if content else ())]


def _body(body: bytes, headers: Headers) -> Media | None:
    return Media(body, fitting.name(header(headers, "content-type")) or BYTES) if body else None


def _shown_url(found: Exchange) -> str:
    try:
        return call_url(found.request.url)
    except FormatError:
        return shown(found.request.url.partition("?")[0])
