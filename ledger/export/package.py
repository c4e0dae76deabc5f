"""Making a replication package: one function, in the order of specs/07.

1. Choose the selection; read it once for numbers, actions and content references. 2. Write
contents, the files that specs/11 and specs/13 derive, then the readable files, which say what was
found.
3. Seal them, and append an `export` statement that signs the seal (specs/07 §5). From here on the
packaged tree is fixed: the export statement is its last leaf. 4. Write the log as of that head:
tiles and bundles, or proved records for a part. 5. Write the lists, make everything durable, give
it its name.

Others may append all the time. If the process dies after step 3, the log holds an export statement
without a package; that says that an export was begun, and does no harm. Nothing is ever found
under the final name but a whole package.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path
from typing import TypeAlias

from ledger.errors import ContentError, ExportError
from ledger.export.across import Across, across
from ledger.export.appending import ExportWriter
from ledger.export.bag import LOG_PREFIX, Bag
from ledger.export.contents import Contents
from ledger.export.crate import Crate, CrateFacts
from ledger.export.facts import operation, reference
from ledger.export.overview import Overview
from ledger.export.part import Prover, consistency_files, proved_files
from ledger.export.replay_plan import Planned, check_whereabouts, write_replay_plan
from ledger.export.selection import Selection, StreamCounts, choose
from ledger.export.session_folder import Laid, write_session_folder
from ledger.export.sink import Written, open_sink
from ledger.export.summary import page_of, readme_md, summary_html
from ledger.export.tree import bundle_files, tile_files
from ledger.formats.content import ContentRef, references
from ledger.formats.note import Checkpoint, parse_checkpoint
from ledger.formats.payload import KEY_STREAM
from ledger.operations.gather import Gathered
from ledger.reader import Reader

PACKAGE_VERSION = 1
EXCERPT_BYTES = 2048
_PROGRESS_EVERY = 256

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called now and then with a stage (`reading`, `contents`, `log`), and how many of how many."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written; `known_head` and `genesis` are what an auditor has to learn elsewhere.

    `session_folder` names what stands right below `data/session/`, empty when nothing does;
    `replay` is what the plan came to, None in a package without one.
    """

    path: Path
    size: int
    root: bytes
    known_head: str
    genesis: str
    files: int
    bytes: int
    session_folder: tuple[str, ...] = ()
    replay: Planned | None = None


class _Survey:
    """What one pass over the selection gathers."""

    def __init__(
        self, log: Reader, selection: Selection, contents: Contents, gathered: Gathered
    ) -> None:
        self.seen = Overview()
        self.across = Across()
        self._gathered = gathered
        self.crate = Crate()
        self.streams = StreamCounts(log, selection)
        self.erasures: set[int] = set()
        self._erasures = _erasures(log, selection.end) if selection.is_part else {}
        self._contents = contents

    def read(self, log: Reader, selection: Selection, progress: Progress) -> None:
        """Go through the selection; `ExportError` export_empty when there is nothing."""
        for entry in selection.entries(log):
            if entry.index % _PROGRESS_EVERY == 0:
                progress("reading", entry.index - selection.start, selection.end - selection.start)
            self.seen.add(entry)
            self.streams.add(entry)
            self._gathered.add(entry)
            kind, body = entry.payload.type, entry.payload.body
            if kind == "witness":
                op = operation(entry)
                self.seen.add_operation(op)
                self.crate.add(op)
            for ref in references(body):
                self._contents.add(entry.index, ref)
                self.erasures.update(self._erasures.get(ref.blake3, ()))
        if not self.seen.statements:
            raise ExportError(
                "export_empty",
                f"no statement belongs to session {selection.session}"
                if selection.session is not None
                else "the selection holds no statement",
            )
        self.across = across(log, self._gathered)


def export(
    log: Reader,
    target: Path | str,
    *,
    session: str | None = None,
    start: int | None = None,
    end: int | None = None,
    contents: str = "included",
    zip: bool | None = None,
    consistency_from: Iterable[int] = (),
    replay: bool = False,
    weights_at: Mapping[str, Iterable[str]] | None = None,
    unsigned: bool = False,
    progress: Progress | None = None,
) -> ExportResult:
    """Write a replication package of a ledger, a session, or a range of it (specs/07).

    `start` ≤ index < `end` is a range; `contents` is `included` or `withheld`; `zip` is by the
    suffix of `target` unless given; `consistency_from` are earlier sizes to anchor a part by.
    `replay` adds the plan of specs/13 section 9, `weights_at` says where weights are to be had, by
    digest in hex or name of the model. A signed export appends one statement and needs `log` to be
    a `Ledger` open for writing with a producer key; `unsigned` needs neither.

    Errors: `ExportError` export_exists, export_empty, export_streams, export_failed,
    replay_withheld, weights_unknown; `LogError` no_signer, read_only, and not_found for a size in
    `consistency_from` beyond the log;
    `ContentError` content_missing, content_mismatch, naming the record; `StoreError`.
    """
    if contents not in ("included", "withheld"):
        raise ValueError("contents is 'included' or 'withheld'")
    whereabouts = check_whereabouts(weights_at or {})
    if whereabouts and not replay:
        raise ValueError("weights_at is for a package with replay")
    if replay and contents == "withheld":
        raise ExportError(
            "replay_withheld",
            "nothing can be run again without its contents",
            hint="export with contents included, or without replay",
        )
    target = Path(target).absolute()
    note = log.head_note()
    selection = choose(parse_checkpoint(note)[0].size, session, start, end)
    earlier = sorted(set(consistency_from))
    for size in earlier:
        log.prove_consistency(size, selection.end)
    if earlier and not selection.is_part:
        raise ValueError("consistency_from is for a part; a whole ledger anchors itself")
    writer = None if unsigned else ExportWriter(log)
    report = progress or (lambda stage, done, total: None)
    folder = target.parent
    with open_sink(target, zipped=zip) as sink, Bag(sink, folder) as bag:
        with Contents(folder) as found, Gathered() as gathered:
            survey = _Survey(log, selection, found, gathered)
            survey.read(log, selection, report)
            if contents == "included":
                found.write(log, bag, lambda done, total: report("contents", done, total))
                _check_erasures(found, selection)
            erased = found.erased if contents == "included" else None
            laid = write_session_folder(log, bag, selection, folder, erased)
            planned = None
            if replay:
                gone = found.erased
                planned = write_replay_plan(log, bag, selection, folder, gone, whereabouts)
            # without a statement there is no clock to ask, and the same log makes the same bytes
            published_at = writer.now() if writer else survey.seen.last
            _write_readable(
                bag,
                log,
                survey,
                selection,
                found,
                contents,
                published_at,
                laid,
                planned,
                signed=writer is not None,
            )
        if writer is not None:
            body = _export_body(bag.seal(), selection, contents, survey)
            receipt = writer.append(body)
            note, published_at = receipt.checkpoint, receipt.created_at
        head = parse_checkpoint(note)[0]
        if selection.is_part:
            last = {head.size - 1} if writer is not None else set()
            records = _part(log, selection, head.size, survey.erasures | last)
            _write_part(bag, log, records, note, head, earlier)
        else:
            _write_log(bag, log, note, head, report)
        bag.close(date=published_at[:10], origin=log.origin)
        path = sink.finish()
    return ExportResult(
        path=path,
        size=head.size,
        root=head.root,
        known_head=f"{head.size}:{head.root.hex()}",
        genesis=log.genesis.hex(),
        files=sink.files,
        bytes=sink.size_bytes,
        session_folder=laid.parts,
        replay=planned,
    )


def _write_readable(
    bag: Bag,
    log: Reader,
    survey: _Survey,
    selection: Selection,
    found: Contents,
    contents: str,
    published_at: str,
    laid: Laid,
    planned: Planned | None,
    *,
    signed: bool,
) -> None:
    read = None if contents == "withheld" else _excerpts(log)
    page = page_of(
        survey.seen,
        origin=log.origin,
        genesis=log.genesis.hex(),
        kind=selection.kind,
        session=selection.session,
        start=selection.start,
        end=selection.end,
        contents=contents,
        erased=len(found.erased),
        has_content=found.written > 0,
        signed=signed,
        has_session_folder=bool(laid.parts),
        has_projects=laid.projects,
        replay=planned,
        keys=log.keys().keys,
        across=survey.across,
        read=read,
    )
    facts = CrateFacts(
        origin=log.origin,
        genesis=log.genesis.hex(),
        description=page.selection_sentence + " " + page.contents_sentence,
        published_at=published_at,
        has_content=found.written > 0,
        absent=frozenset(found.erased),
        replay=planned.files if planned else (),
    )
    bag.add("data/ro-crate-metadata.json", survey.crate.write(facts), compress=True)
    bag.add("data/summary.html", summary_html(page, survey.seen), compress=True)
    bag.add("README.md", readme_md(page), compress=True)


def _write_log(bag: Bag, log: Reader, note: bytes, head: Checkpoint, progress: Progress) -> None:
    """Write `data/log/` of a whole ledger as of a head."""
    bag.add(LOG_PREFIX + "checkpoint", (note,), compress=True)
    for path, chunks in tile_files(head.size, log.tile):
        bag.add(path, chunks)
    for done, (path, chunks) in enumerate(bundle_files(head.size, log.statements(0, head.size))):
        progress("log", done * 256, head.size)
        bag.add(path, chunks)


def _write_part(
    bag: Bag,
    log: Reader,
    records: Iterable[tuple[int, bytes]],
    note: bytes,
    head: Checkpoint,
    earlier: list[int],
) -> None:
    """Write `data/log/` of a part as of a head."""
    bag.add(LOG_PREFIX + "checkpoint", (note,), compress=True)
    prover = Prover(head.size, log.tile)
    for path, chunks in proved_files(records, prover.prove):
        bag.add(path, chunks)
    proofs = consistency_files(earlier, lambda s: log.prove_consistency(s, head.size), note)
    for path, chunks in proofs:
        bag.add(path, chunks, compress=True)


def _part(
    log: Reader, selection: Selection, size: int, others: set[int]
) -> Iterator[tuple[int, bytes]]:
    """The records of a part, each once: the selection, all key events, and `others` by index."""
    events = (
        (entry.index, entry.statement) for entry in log.stream(KEY_STREAM) if entry.index < size
    )
    added = ((index, log.get(index).statement) for index in sorted(others))
    merged = heapq.merge(selection.statements(log), events, added, key=lambda item: item[0])
    return (next(group) for _, group in groupby(merged, key=lambda item: item[0]))


def _erasures(log: Reader, end: int) -> dict[bytes, list[int]]:
    """BLAKE3 of each content erased below an index, and the indices of its erasures."""
    found: dict[bytes, list[int]] = {}
    for entry in takewhile(lambda entry: entry.index < end, log.find(type="erasure")):
        gone = reference(entry.payload.body, "content")
        if gone is not None:
            found.setdefault(gone.blake3, []).append(entry.index)
    return found


def _export_body(
    seal: Written, selection: Selection, contents: str, survey: _Survey
) -> dict[str, object]:
    return {
        "package_version": PACKAGE_VERSION,
        "seal": {"sha256": seal.sha256, "size_bytes": seal.size_bytes},
        "selection": selection.to_body(),
        "contents": contents,
        "statements": survey.seen.statements,
        "streams": survey.streams.to_body(),
    }


def _check_erasures(found: Contents, selection: Selection) -> None:
    """Content that went while the export ran is neither in the package nor accounted for in it."""
    late = [index for index in found.erased.values() if index >= selection.end]
    if late and selection.is_part:
        raise ExportError(
            "export_failed",
            f"content of the selection was erased by record {late[0]} while the export ran",
            hint="export again",
        )


def _excerpts(log: Reader) -> Callable[[ContentRef], bytes | None]:
    def read(ref: ContentRef) -> bytes | None:
        try:
            with log.open_content(ref) as file:
                return file.read(EXCERPT_BYTES)
        except ContentError:  # erased, perhaps a moment ago
            return None

    return read
