"""Imports an experiment folder: every file becomes content, what is recognised statements.

| written | how |
|---|---|
| for each file, in order of path | an `import` statement: the file, its path as `source_name` |
| from what it holds (`ledger.capture.experiment.shapes`) | witnesses and annotations |
| at the end | an `import` statement whose source is the manifest of the folder |

The manifest is JSON: every file with size and digests and how it was taken (`recognised` is false
where it was not), symbolic links with their targets, and what was left out and why; so no file of
the folder is without a name in the log. A file whose content the session has already is not
imported again, and a folder of which nothing changed adds nothing at all.

A file that holds credentials is left out and listed, or its redacted copy is taken.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timezone
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from ledger.capture.experiment.folder import open_file, printable, walk
from ledger.capture.experiment.seen import FORMAT, FolderLog, Seen, digests
from ledger.capture.experiment.shapes import kind_of
from ledger.capture.experiment.statements import FileStatements, Pending
from ledger.capture.importing import Skipped, Written, redaction, salt_of
from ledger.capture.redaction import Secret, redact_pieces
from ledger.drafts import Draft, Receipt
from ledger.errors import ImportSourceError
from ledger.formats.content import ContentRef
from ledger.formats.values import is_name
from ledger.model import Import
from ledger.model.archive import canonical_json

__all__ = ["ExperimentResult", "import_experiment", "session_label"]

_NOT_LABEL = re.compile(r"[^A-Za-z0-9._@:-]+")
_IN_MEMORY_BYTES = 16 << 20
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".ndjson": "application/jsonl",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


@dataclass(slots=True)
class ExperimentResult:
    """What the import of a folder did; `receipt` is the last one, None when nothing was new."""

    files: int = 0
    added: int = 0
    witnesses: int = 0
    annotations: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    passed: list[Skipped] = field(default_factory=list)
    redacted: list[Secret] = field(default_factory=list)
    receipt: Receipt | None = None


def session_label(folder: Path) -> str:
    """Return the name of a folder as a label: other characters become `-`.

    >>> session_label(Path("old runs/Experiment 2 (final)"))
    'Experiment-2-final'
    """
    return _NOT_LABEL.sub("-", folder.absolute().name).strip("-")[:128] or "experiment"


def import_experiment(
    log: FolderLog,
    folder: Path,
    *,
    session: str | None,
    redact: bool = False,
    offset: timezone | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ExperimentResult:
    """Take over a folder into the session that the log was opened with.

    `redact` takes files that hold credentials without them; `offset` is meant by times that say
    none. Raises `ImportSourceError` `source_unreadable` for what is no folder, and what an append
    raises; a file that cannot be read is listed.
    """
    found = walk(folder, without=[Path(log.path)])
    importer = _Importer(log, session, redact, offset)
    result = importer.result
    result.skipped += found.others
    for number, path in enumerate(found.files, 1):
        try:
            with open_file(folder, path) as file:
                importer.file(printable(path), file)
        except ImportSourceError as error:
            importer.leave_out(printable(path), error.message)
        except OSError as error:
            importer.leave_out(printable(path), error.strerror or "unreadable")
        if progress:
            progress(number, len(found.files))
    links = [{"path": printable(path), "target": target} for path, target in found.links]
    result.passed += [Skipped(link["path"], "a symbolic link") for link in links]
    importer.finish(folder.absolute().name, links, found.others)
    return result


class _Importer:
    def __init__(
        self, log: FolderLog, session: str | None, redact: bool, offset: timezone | None
    ) -> None:
        self.result = ExperimentResult()
        self._log = log
        self._redact = redact
        self._offset = offset
        self._seen = Seen(log, session)
        self._pending = Pending(log)
        self._salt = salt_of(log)
        self._taken: dict[tuple[int, bytes], str] = {}
        self._files: list[dict[str, Any]] = []
        self._left_out: list[dict[str, str]] = []
        self._totals = [0, 0]

    def leave_out(self, path: str, reason: str) -> None:
        self.result.skipped.append(Skipped(path, reason))
        self._left_out.append({"path": path, "reason": reason})

    def file(self, path: str, file: BinaryIO) -> None:
        removed = list[Secret]()
        file.seek(0)
        for _ in redact_pieces(file, removed):
            pass
        if not removed:
            self._content(path, file, [])
        elif not self._redact:
            kinds = ", ".join(sorted({f"{one.kind} in {one.place}" for one in removed})[:3])
            self.leave_out(path, f"holds credentials: {kinds}")
        else:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as copy:
                file.seek(0)
                for piece in redact_pieces(file, []):
                    copy.write(piece)
                self.result.redacted += [Secret(f"{path} {at}", kind) for at, kind in removed]
                self._content(path, copy, removed)  # type: ignore[arg-type]

    def _content(self, path: str, file: BinaryIO, removed: list[Secret]) -> None:
        content = digests(file)
        kind = kind_of(path)
        self.result.files += 1
        self._files.append(
            {
                "path": path,
                "size_bytes": content.size_bytes,
                "sha256": content.sha256.hex(),
                "blake3": content.blake3.hex(),
                "recognised": kind or False,
                **({"redacted": len(removed)} if removed else {}),
            }
        )
        if kind is None:
            self.result.passed.append(Skipped(path, "not recognised: archived as it is"))
        if (content.size_bytes, content.sha256) in self._taken:
            return
        self._taken[content.size_bytes, content.sha256] = path
        entry = self._seen.find(file, content)
        if entry is not None and self._seen.is_complete(entry):
            self._total(entry.payload.body["witnesses"], entry.payload.body["annotations"])
            return
        statements = FileStatements(path, file, self._offset)
        if entry is not None:  # interrupted: it is in the log, and some of what it holds
            source = ContentRef(**entry.payload.body["source"])
            self._total(entry.payload.body["witnesses"], entry.payload.body["annotations"])
            statements.count(self._seen.statements(path), source, self._salt)
            imported = Written(None, entry.id)
        else:
            file.seek(0)
            archived = self._log.archive(file, _media_type(path))
            source = archived.ref
            if source.size_bytes != content.size_bytes or (
                not source.salted and source.sha256 != content.sha256
            ):
                self._files.pop()
                raise ImportSourceError("source_unreadable", "it changed while it was read")
            statements.count(self._seen.statements(path), source, self._salt)
            self._total(statements.witnesses, statements.annotations)
            body = Import(
                format=FORMAT,
                source=source,
                source_name=path if is_name(path) else None,
                witnesses=statements.witnesses,
                annotations=statements.annotations,
            )
            self._pending.hand_over_if_full()
            imported = self._pending.add(Draft("import", body, (), (archived,)))
            if removed:
                self._pending.add(redaction(imported.as_parent(), tuple(removed), self._log))
            self.result.added += 1
        statements.write(self._pending, imported, self._seen.statements(path), source, self._salt)
        self.result.witnesses += statements.witnesses
        self.result.annotations += statements.annotations
        self.result.skipped += statements.skipped
        self.result.passed += statements.passed

    def finish(self, name: str, links: list[dict[str, str]], others: list[Skipped]) -> None:
        """Write the manifest, unless the session has the same one."""
        left_out = [*self._left_out, *({"path": path, "reason": why} for path, why in others)]
        manifest = canonical_json({"files": self._files, "links": links, "left_out": left_out})
        file = io.BytesIO(manifest)
        if self._seen.find(file, digests(file)) is None:
            archived = self._log.archive(manifest, "application/json")
            name = printable(name)
            body = Import(
                format=f"{FORMAT}-folder",
                source=archived.ref,
                source_name=name if is_name(name) else None,
                witnesses=self._totals[0],
                annotations=self._totals[1],
            )
            self._pending.add(Draft("import", body, (), (archived,)))
        self._pending.hand_over()
        self.result.receipt = self._pending.receipt

    def _total(self, witnesses: int, annotations: int) -> None:
        self._totals[0] += witnesses
        self._totals[1] += annotations


def _media_type(path: str) -> str:
    return _MEDIA_TYPES.get(PurePosixPath(path.lower()).suffix, "application/octet-stream")
