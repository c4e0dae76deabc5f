"""The bag: names, manifests and seal against the files that are there (specs/07 sections 1, 2).

Manifest and seal are ordered as the files are walked, so all three are read side by side and
none is ever held in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .content import Archived, measure
from .contents import CONTENT, Contents, parse_content_path
from .derived_files import DerivedFiles
from .errors import Refused
from .folder import is_derived
from .package import PATH_MAX_BYTES, Package
from .plan_lines import PLAN_FILES
from .report import Report

BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
BAG_INFO_MAX_BYTES = 4096
MANIFEST = "manifest-sha256.txt"
TAGMANIFEST = "tagmanifest-sha256.txt"
SEAL = "seal-sha256.txt"
TAG_FILES = ("README.md", "REPLAY.md", "bag-info.txt", "bagit.txt", MANIFEST, SEAL)
_UNSEALED = frozenset(("bag-info.txt", "bagit.txt", MANIFEST, TAGMANIFEST, SEAL))
_FIXED = PLAN_FILES | frozenset(
    (*TAG_FILES, TAGMANIFEST, "data/ro-crate-metadata.json", "data/summary.html")
)
_INFO = re.compile(
    r"Bagging-Date: ([0-9]{4}-[0-9]{2}-[0-9]{2})\nExternal-Identifier: ([^\n]{1,128})\n"
    r"Payload-Oxum: ([0-9]{1,20})\.([0-9]{1,20})\nBag-Software-Agent: vif-ledger\n"
)
_LINE_MAX_BYTES = 64 + 2 + PATH_MAX_BYTES
_LINE = re.compile(rb"([0-9a-f]{64})  ([A-Za-z0-9._/-]{1,1024})")


class FileList:
    """The lines of a manifest or seal, read one ahead."""

    def __init__(self, package: Package, name: str, report: Report) -> None:
        self._report = report
        self.name = name
        self.broken = False
        self._lines = self._read(package)
        self._path = ""
        self._digest = b""
        self._more = True
        self._advance()

    def _invalid(self, why: str) -> None:
        self._report.note("package_invalid", why, path=self.name)
        self.broken = True

    def _read(self, package: Package) -> Iterator[tuple[str, bytes]]:
        """Yield path and digest of each line; stop at the first that breaks the rules."""
        rest, last = b"", b""
        try:
            for piece in package.stream(self.name):
                lines = (rest + piece).split(b"\n")
                rest = lines.pop()
                if len(rest) > _LINE_MAX_BYTES:
                    self._invalid("a line that is too long")
                    return
                for line in lines:
                    match = _LINE.fullmatch(line)
                    if match is None:
                        self._invalid("a malformed line")
                        return
                    path = match[2]
                    if path <= last:
                        self._invalid("lines that are not in order of path, or one twice")
                        return
                    last = path
                    yield path.decode("ascii"), bytes.fromhex(match[1].decode("ascii"))
        except Refused as e:
            self._report.add(e, path=self.name)
            self.broken = True
            return
        if rest:
            self._invalid("the last newline is missing")

    def _advance(self) -> None:
        line = next(self._lines, None)
        self._more = line is not None
        if line is not None:
            self._path, self._digest = line

    def step(self) -> str:
        """Return the next listed path and go past it."""
        path = self._path
        self._advance()
        return path

    def pending(self, path: str | None) -> bool:
        """Return whether listed paths before this one are left; None stands for the end."""
        return self._more and (path is None or self._path < path)

    def match(self, path: str) -> bytes | None:
        """Return the digest of this path if it is the next one, and go past it."""
        if not self._more or self._path != path:
            return None
        digest = self._digest
        self._advance()
        return digest


class Bag:
    """One walk over all files of a package."""

    def __init__(
        self,
        package: Package,
        report: Report,
        contents: Contents,
        derived: DerivedFiles,
        log_digest: Callable[[str], bytes | None],
        in_log: Callable[[str], bool],
    ) -> None:
        """Take what knows the digests of log files read before, and which log files belong."""
        self._package = package
        self._report = report
        self._contents = contents
        self._derived = derived
        self._log_digest = log_digest
        self._in_log = in_log
        self._bytes = 0
        self._data_files = 0
        self.files = 0
        self.content_files = 0
        self.date: str | None = None
        self.origin: str | None = None
        self.seal: Archived | None = None

    def check(self, progress: Callable[[int], None]) -> None:
        """Check every file against manifest, tag manifest and seal."""
        package, report = self._package, self._report
        self._small("bagit.txt", BAGIT)
        manifest = FileList(package, MANIFEST, report)
        tags = self._tags()
        seal = FileList(package, SEAL, report) if package.has(SEAL) else None

        def problem(code: str, path: str, message: str) -> None:
            report.note(code, message, path=path)

        for path, size in package.walk("", problem):
            self.files += 1
            progress(self.files)
            found = self._digest(path)
            if path == SEAL:
                self.seal = found
            listed: bytes | None = None
            known = True
            if path.startswith("data/"):
                self._data_files += 1
                self._bytes += size
                self._missing(manifest, path)
                listed = manifest.match(path)
                known = listed is not None or manifest.broken
            elif path in TAG_FILES and tags is not None:
                listed = tags.pop(path, None)
                known = listed is not None
            if not known or not self._belongs(path):
                report.note("file_unexpected", "not a file that the bag lists", path=path)
                self._tell(path)
            if found is None:
                if seal is not None:
                    self._unsealed(seal, path)
                    seal.match(path)
                continue
            if listed is not None and listed != found.sha256:
                report.note(
                    "file_mismatch",
                    "SHA-256 is not the listed one",
                    path=path,
                    expected=listed.hex(),
                    actual=found.sha256.hex(),
                )
            if seal is not None and path not in _UNSEALED and not path.startswith("data/log/"):
                self._unsealed(seal, path)
                if not seal.broken and seal.match(path) != found.sha256:
                    report.note("seal_mismatch", "not the file that was sealed", path=path)
        self._missing(manifest, None)
        if seal is not None:
            self._unsealed(seal, None)
        for path in tags or ():
            report.note("file_missing", "listed, but not in the package", path=path)
        self._info()

    def _small(self, path: str, content: bytes) -> None:
        try:
            raw = self._package.read(path, len(content))
        except Refused as e:
            self._report.add(e, path=path)
            return
        if raw != content:
            self._report.note("package_invalid", "not the text that it must be", path=path)

    def _tags(self) -> dict[str, bytes] | None:
        """Return path -> digest of the tag manifest, or None when it is of no use."""
        tags: dict[str, bytes] = {}
        listed = FileList(self._package, TAGMANIFEST, self._report)
        for path in (*TAG_FILES, None):
            while listed.pending(path):
                name = listed.step()
                self._report.note("package_invalid", f"it lists {name}", path=TAGMANIFEST)
            if path is not None and (digest := listed.match(path)) is not None:
                tags[path] = digest
        return None if listed.broken else tags

    def _missing(self, manifest: FileList, path: str | None) -> None:
        while manifest.pending(path):
            name = manifest.step()
            if not name.startswith("data/"):
                self._report.note("package_invalid", f"it lists {name}", path=MANIFEST)
            elif not (name.startswith("data/log/") and self._in_log(name)):
                self._report.note("file_missing", "listed, but not in the package", path=name)
                self._tell(name)

    def _tell(self, path: str) -> None:
        if is_derived(path):
            self._derived.tell(path)

    def _unsealed(self, seal: FileList, path: str | None) -> None:
        while seal.pending(path):
            name = seal.step()
            self._report.note("seal_mismatch", "sealed, but not in the package", path=name)

    def _digest(self, path: str) -> Archived | None:
        """Return what a file is, or None after a finding."""
        known = self._log_digest(path)
        if known is not None:
            return Archived(known, b"", 0)
        try:
            found = measure(self._package.stream(path))
        except Refused as e:
            self._report.add(e, path=path)
            self._tell(path)
            return None
        if path.startswith(CONTENT):
            address = parse_content_path(path)
            if address is not None:
                self.content_files += 1
                self._contents.add_file(address, found)
        elif is_derived(path):
            self._derived.add(path, found)
        return found

    def _belongs(self, path: str) -> bool:
        if path.startswith("data/log/"):
            return self._in_log(path)
        return path in _FIXED or parse_content_path(path) is not None or is_derived(path)

    def _info(self) -> None:
        path = "bag-info.txt"
        try:
            raw = self._package.read(path, BAG_INFO_MAX_BYTES)
        except Refused as e:
            self._report.add(e, path=path)
            return
        match = _INFO.fullmatch(raw.decode("latin-1"))
        if match is None:
            self._report.note("package_invalid", "not the four lines of a package", path=path)
            return
        self.date, self.origin = match[1], match[2]
        oxum = f"{self._bytes}.{self._data_files}"
        if f"{match[3]}.{match[4]}" != oxum:
            self._report.note(
                "package_invalid",
                "Payload-Oxum is not that of the files",
                path=path,
                expected=oxum,
                actual=f"{match[3]}.{match[4]}",
            )
