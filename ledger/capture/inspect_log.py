"""Imports an Inspect AI `.eval` log: its calls become witnesses, its scores annotations (specs/03).

The file is read twice. The first time everything is built and nothing written, so that a log with
something unreadable is refused while the ledger is still as it was; the second time the drafts are
handed over, and the number of witnesses must be the number of calls counted before. Samples are
read one by one. The file itself is archived whole, named by the `import` statement at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ledger.capture import fitting
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
from ledger.capture.inspect_call import FORMAT
from ledger.capture.inspect_file import InspectFile
from ledger.capture.inspect_operations import SampleOperations
from ledger.capture.inspect_sample import SampleDrafts, read_sample
from ledger.errors import ImportSourceError
from ledger.model.archive import Salt

MEDIA_TYPE = "application/zip"


def session_label(path: Path) -> str:
    """Return the session that an import of this log belongs to: `inspect/<task>/<eval_id>`."""
    with open_source(path) as file:
        return InspectFile(file).session_label()


def import_inspect(
    log: ImportLog,
    path: Path,
    *,
    again: bool = False,
    skip_unreadable: bool = False,
    cross_model: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Take over all model calls and scores of an Inspect log.

    With `cross_model` each sample that a model answered and another call graded becomes an
    operation of specs/12 as well; the result counts them, and lists the others with the reason.

    `again` imports a file that was imported before; `skip_unreadable` leaves out what cannot be
    read and lists it in the result. Raises `ImportSourceError` (`source_unreadable`,
    `source_unsupported`, `already_imported`) and what an append raises. Open the log with the
    session of `session_label`.
    """
    with open_source(path) as file:
        if not again:
            refuse_if_imported(log, file)
        source = InspectFile(file)
        calls, unreadable, unattached = _survey(source)
        if unreadable and not skip_unreadable:
            raise refusal(unreadable)
        file.seek(0)
        archived = log.archive(file, MEDIA_TYPE)
        batches = Batches(log, calls, progress)
        operations = None
        if cross_model:
            operations = SampleOperations(log, source.session_label(), len(source.samples))
        for found in _samples(source, salt_of(log)):
            written = batches.add(found.drafts)
            if operations is not None:
                operations.add(found, batches, [one.as_parent() for one in written])
        if batches.witnesses != calls:
            raise ImportSourceError(
                "source_unreadable",
                f"the file changed while it was read: {batches.witnesses} calls of {calls}",
            )
        left_out = () if operations is None else operations.left_out
        return batches.finish(
            FORMAT, archived, path.name, [*unreadable, *unattached], left_out=left_out
        )


def _survey(source: InspectFile) -> tuple[int, list[Skipped], list[Skipped]]:
    """Read everything once: the calls that will become witnesses, and what will not."""
    calls, unreadable, unattached = 0, list[Skipped](), list[Skipped]()
    listed = set(source.listed_samples())
    for found in _samples(source, None):
        calls += found.calls
        unreadable += found.unreadable
        unattached += found.unattached
        if found.key is not None:
            listed.discard(found.key)
    for sample_id, epoch in sorted(listed):
        place = f"sample {sample_id!a} epoch {epoch}"
        unreadable.append(Skipped(place, "listed in the summaries, but not in the file"))
    return calls, unreadable, unattached


def _samples(source: InspectFile, salt: Salt | None) -> Iterator[SampleDrafts]:
    for name in source.samples:
        try:
            sample = fitting.as_map(source.document(name))
        except ImportSourceError as error:
            if error.code == "source_unsupported":
                raise
            yield SampleDrafts(unreadable=[Skipped(ascii(name)[1:-1], error.message)])
            continue
        if not isinstance(sample.get("events"), list):
            yield SampleDrafts(unreadable=[Skipped(ascii(name)[1:-1], "a sample without events")])
            continue
        yield read_sample(sample, ascii(name)[1:-1], salt)
