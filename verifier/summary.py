"""What the whole of a package says: seal, export, completeness, trust, anchoring, axes.

specs/05 section 4 (heads), 07 sections 4 to 6, 08 sections 1 to 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import layout, merkle, note, proofs
from .errors import Refused
from .report import plural
from .statement import KEY_STREAM
from .trust import pins_of

if TYPE_CHECKING:
    from .audit import Audit


def check_seal(a: Audit) -> None:
    """Decide whether the package is signed: its last leaf is an export whose seal matches."""
    selection, bag, report = a.selection, a.bag, a.report
    present = a.package.has("seal-sha256.txt")
    if selection.payload is None:
        if present:
            report.note(
                "seal_mismatch",
                "there is a seal, but the last leaf is not a valid export statement",
                path="seal-sha256.txt",
            )
        return
    if not present:
        return
    seal = selection.payload["body"]["seal"]
    found = bag.seal
    if found is None or (found.sha256, found.size) != (seal["sha256"], seal["size_bytes"]):
        report.note(
            "seal_mismatch",
            "not the seal that the export statement signs",
            selection.index,
            selection.payload["id"],
            "seal-sha256.txt",
            seal["sha256"].hex(),
            found.sha256.hex() if found is not None else None,
        )
        return
    selection.accept()


def conclude(a: Audit) -> None:
    """Add the findings that need the whole log, and say what each axis came to."""
    report, log, bag = a.report, a.log, a.bag
    counts = report.counts
    counts["streams"] = len(a.chains)
    counts["keys"] = len(a.book)
    counts["files"] = bag.files
    counts["parents"] = a.lineage.links
    counts["content_references"] = a.contents.references
    counts["content_checked"] = a.contents.checked
    counts["content_withheld"] = a.contents.withheld
    counts["content_erased"] = a.contents.erased
    report.genesis = a.book.genesis
    if log.head is not None:
        report.origin, report.size, report.root = log.head.origin, log.head.size, log.head.root
        _origins(a)
    report.set_axis(
        "integrity",
        "verified",
        f"{plural(counts['statements'], 'statement')}, {plural(bag.files, 'file')}",
    )
    _unreferred(a)
    if not a.readable:
        report.not_checked.append("the log: it could not be read")
        return
    _authenticity(a)
    _completeness(a)
    _anchoring(a)
    c = a.contents
    some = c.references or bag.content_files
    parts = [plural(c.references, "reference"), f"{c.checked} checked"]
    parts += [f"{c.withheld} withheld"] if c.withheld else []
    parts += [f"{c.erased} erased"] if c.erased else []
    report.set_axis(
        "contents", "verified" if some else "not_applicable", ", ".join(parts) if some else "none"
    )
    links, witnesses, operations = a.lineage.links, counts["witnesses"], a.operations.summary()
    text = plural(links, "link")
    text += f", {operations}" if operations else ""
    text += f", {counts['parents_outside']} outside" if counts["parents_outside"] else ""
    some = links or a.operations.seen
    report.set_axis("lineage", "verified" if some else "not_applicable", text)
    text = plural(witnesses, "witness")
    text += f", {plural(counts['intents'], 'call')}" if counts["sessions"] else ""
    text += f", {plural(counts['stages'], 'stage')}" if counts["stages"] else ""
    some = witnesses or counts["sessions"] or a.operations.seen
    report.set_axis("policy", "verified" if some else "not_applicable", text)


def _origins(a: Audit) -> None:
    head, book, report = a.log.head, a.book, a.report
    if head is None:
        return
    for what, origin in (("genesis", book.origin), ("bag-info.txt", a.bag.origin)):
        if origin is not None and origin != head.origin:
            code = "origin_mismatch" if what == "genesis" else "package_invalid"
            report.note(
                code,
                f"the head is not of the origin in the {what}",
                None,
                None,
                layout.CHECKPOINT,
                origin,
                head.origin,
            )


def _unreferred(a: Audit) -> None:
    """Report content files that no record refers to."""
    paths = a.contents.unreferred()
    for path in paths:
        a.report.note("file_unexpected", "content that no statement refers to", path=path)
    if paths:
        a.report.count_more("file_unexpected", a.contents.unreferred_count() - len(paths))


def _authenticity(a: Audit) -> None:
    report, log, book = a.report, a.log, a.book
    if log.head is not None:
        try:
            check_head(a, log.head, log.head.size)
        except Refused as e:
            report.add(e, path=layout.CHECKPOINT)
    pins = pins_of(a.trust, book.genesis, a.beside if a.first else None)
    report.pinned = bool(pins)
    if not pins:
        report.note("unpinned", "no genesis was given from outside")
    for pin in pins:
        if book.genesis != pin.genesis:
            actual = book.genesis.hex() if book.genesis is not None else "none"
            report.note(
                "genesis_mismatch",
                "not the pinned genesis",
                0,
                None,
                None,
                pin.genesis.hex(),
                actual,
            )
        elif pin.origin is not None and pin.origin != book.origin:
            report.note(
                "genesis_mismatch",
                "not the pinned origin",
                0,
                None,
                None,
                pin.origin,
                book.origin,
            )
    if not a.selection.signed:
        report.note("export_unsigned", "the package has no valid export statement with its seal")
    pinned = "pinned" if report.pinned else "not pinned"
    report.set_axis("authenticity", "verified", f"{plural(len(book), 'key')}, genesis {pinned}")


def check_head(a: Audit, head: note.Checkpoint, size: int) -> None:
    """Check that the log key valid for a size signed a head; `checkpoint_signature`."""
    keys = a.judge.log_keys(size)
    failure = Refused("checkpoint_signature", f"no log key is valid for a head of size {size}")
    for key in keys:
        try:
            note.verify_checkpoint(head, key.public)
            return
        except Refused as e:
            failure = e
    raise failure


def _completeness(a: Audit) -> None:
    report, log, selection = a.report, a.log, a.selection
    streams = len(a.chains)
    if selection.signed:
        _check_export(a)
    if log.part and (not selection.signed or selection.kind == "range"):
        why = "a range" if selection.signed else "an unsigned part"
        report.note("partial_ledger", f"{why}: that nothing is missing cannot be shown")
    if not log.part:
        text = "whole ledger" if log.whole else "a ledger with missing records"
    else:
        text = f"session {selection.session}" if selection.kind == "session" else "a part"
    text += f", {plural(streams, 'stream')}"
    if report.counts["sessions"]:
        text += f", {plural(report.counts['sessions'], 'session')}, {_calls(report.counts)}"
    report.set_axis("completeness", "verified", text)


def _calls(counts: dict[str, int]) -> str:
    """Return what became of the calls: 3 calls: 2 answered, 1 unknown."""
    text = plural(counts["intents"], "call")
    parts = [f"{counts[k]} {k}" for k in ("answered", "failed", "unknown", "reused") if counts[k]]
    left = counts["intents"] - counts["answered"] - counts["failed"] - counts["unknown"]
    parts += [f"{left} without outcome"] if left > 0 else []
    return f"{text}: {', '.join(parts)}" if parts else text


def _check_export(a: Audit) -> None:
    """Check the claims of the export statement against the package."""
    report, log, selection = a.report, a.log, a.selection
    if selection.payload is None:
        raise RuntimeError("a signed package without an export statement")
    body, ident, index = selection.payload["body"], selection.payload["id"], selection.index
    report.selection = dict(body["selection"])

    def invalid(why: str, expected: object = None, actual: object = None) -> None:
        report.note(
            "export_invalid",
            why,
            index,
            ident,
            None,
            None if expected is None else str(expected),
            None if actual is None else str(actual),
        )

    kind, start, end = selection.kind, selection.start, selection.end
    if (kind == "ledger") is log.part:
        invalid(f"kind {kind} is not that of the package")
    if not start <= end <= index or (start and kind != "range"):
        invalid(f"the selection {start} to {end} is not in the log before the export")
    if a.bag.date is not None and a.bag.date != selection.payload["created_at"][:10]:
        report.note(
            "package_invalid",
            "Bagging-Date is not the date of the export statement",
            path="bag-info.txt",
            expected=selection.payload["created_at"][:10],
            actual=a.bag.date,
        )
    before = report.finding_counts.get("stream_incomplete", 0)
    stated = 0
    for stream in body["streams"]:
        name, wanted = stream["id"], stream["statements"]
        counted = a.chains.counted(name)
        stated += counted
        if counted == wanted:
            continue
        if kind == "range" and name != KEY_STREAM:
            if counted < wanted:
                text = f"{counted} of {wanted} statements of stream {name}"
                report.note("stream_partial", text)
            else:
                invalid(f"stream {name} has more statements than stated", wanted, counted)
        else:
            report.note(
                "stream_incomplete",
                f"stream {name} is not whole",
                None,
                None,
                None,
                str(wanted),
                str(counted),
            )
    if log.part:
        if KEY_STREAM not in (stream["id"] for stream in body["streams"]):
            invalid(f"stream {KEY_STREAM} is not stated")
        if stated != a.below_end:
            invalid("a stream in the package is not stated")
    if report.finding_counts.get("stream_incomplete", 0) != before or report.has("file_missing"):
        return
    if kind != "session" and body["statements"] != end - start:
        invalid("not the number of statements of the selection", end - start, body["statements"])
    elif body["statements"] != selection.found:
        invalid("not the number of statements found", body["statements"], selection.found)


def _anchoring(a: Audit) -> None:
    report, log, known = a.report, a.log, a.known
    if log.head is None:
        return
    size, root = log.head.size, log.head.root
    if known is None:
        report.note("unanchored", "no head was given from outside", 0)
        report.set_axis("anchoring", "verified", "no known head")
        return
    report.set_axis("anchoring", "verified", f"up to size {min(known.size, size)}")
    if known.signed is not None and not _known_is_signed(a):
        return
    if known.size > size:
        report.note(
            "head_behind",
            "the known head is larger: the end of the log is not here",
            size,
            None,
            None,
            str(known.size),
            str(size),
        )
        return
    if known.size == size:
        mine: bytes | None = root
    elif log.part:
        mine = _extends(a)
    else:
        mine = log.root_at(known.size)
    if mine is not None and mine != known.root:
        report.note(
            "head_conflict",
            f"the known head of size {known.size} contradicts the log",
            None,
            None,
            None,
            known.root.hex(),
            mine.hex(),
        )
    elif mine is None:
        report.note("unanchored", "nothing in the package leads from the known head to its own", 0)
    elif known.size < size:
        text = f"the known head covers indices below {known.size}"
        report.note("unanchored", text, known.size)


def _known_is_signed(a: Audit) -> bool:
    """Check origin and signature of a known head that came as a checkpoint."""
    known, log, report = a.known, a.log, a.report
    if known is None or known.signed is None or log.head is None:
        raise RuntimeError("no signed known head")
    if known.signed.origin != log.head.origin:
        report.note(
            "head_conflict",
            "the known head is of another origin",
            None,
            None,
            None,
            known.signed.origin,
            log.head.origin,
        )
        return False
    try:
        check_head(a, known.signed, min(known.size, log.head.size))
    except Refused as e:
        if known.size <= log.head.size:
            report.note(e.code, f"known head: {e.message}")
            report.note("unanchored", "the known head is not signed by the log", 0)
            return False
    return True


def _extends(a: Audit) -> bytes | None:
    """Return the known root if a consistency proof leads from it to the packaged head."""
    known, log = a.known, a.log
    if known is None or log.head is None:
        raise RuntimeError("no heads")
    path = f"data/log/consistency/{known.size}.txt"
    try:
        raw = a.package.read(path, proofs.PROOF_FILE_MAX_BYTES)
        file = proofs.parse_consistency(raw)
        merkle.verify_consistency(known.size, log.head.size, file.proof, known.root, log.head.root)
    except Refused as e:
        if e.code == "consistency_invalid":
            a.report.add(e, path=path)
        return None
    return known.root


def check_consistency_files(a: Audit) -> None:
    """Check that each consistency file leads from the size in its name to the packaged head."""
    head = a.log.head
    if head is None or not a.log.part:
        return
    for path, _ in a.package.walk("data/log/consistency/", lambda *_: None):
        if not a.log.belongs(path):
            continue
        try:
            file = proofs.parse_consistency(a.package.read(path, proofs.PROOF_FILE_MAX_BYTES))
            size = int(path.removeprefix("data/log/consistency/").removesuffix(".txt"))
            if file.number != size or file.head().text != head.text:
                raise Refused("proof_file_invalid", "not from this size to the packaged head")
        except Refused as e:
            a.report.add(e, path=path)


def finish(a: Audit) -> None:
    """Say what the replays came to, and what is not there to be checked."""
    if a.readable:
        a.replays.conclude()
    if a.contents.withheld:
        a.report.not_checked.append("contents that are withheld")
