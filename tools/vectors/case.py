"""One case of specs/vectors: a folder with case.json and the files that it is about."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KINDS = frozenset(
    {
        "cbor",
        "statement",
        "checkpoint",
        "note",
        "inclusion",
        "consistency",
        "proof_file",
        "key",
        "signature",
        "history",
        "trust",
        "content",
        "body",
        "call",
        "call_url",
        "package",
    }
)


@dataclass(frozen=True)
class Case:
    """A case; `expect` is "ok" or the code of the refusal, which shows in the folder's name."""

    name: str
    kind: str
    description: str
    expect: str = "ok"
    arguments: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name of the case's folder."""
        return self.name if self.expect == "ok" else f"{self.name}_fail"

    def contents(self) -> dict[str, bytes]:
        """Return the files of the folder by relative path, case.json among them."""
        head = {"kind": self.kind, "description": self.description, "expect": self.expect}
        document = json.dumps(head | self.arguments, indent=2, ensure_ascii=False) + "\n"
        return {"case.json": document.encode(), **self.files}


def collect(cases: Iterable[Case]) -> dict[str, bytes]:
    """Return every file of every case by its path; refuses two cases of one name."""
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    for case in cases:
        if case.folder in seen:
            raise ValueError(f"two cases are named {case.folder}")
        if case.kind not in KINDS:
            raise ValueError(f"{case.folder} has the unknown kind {case.kind}")
        if not case.name.startswith(case.kind.removesuffix("_file")):
            raise ValueError(f"{case.folder} is not named after its kind {case.kind}")
        seen.add(case.folder)
        for path, data in case.contents().items():
            files[f"{case.folder}/{path}"] = data
    return files


def write(files: dict[str, bytes], folder: Path) -> list[str]:
    """Make the folders of cases hold exactly these files; return the paths that changed."""
    changed = differences(files, folder)
    for path in changed:
        target = folder / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files[path])
        else:
            target.unlink()
            for parent in target.parents:
                if parent == folder or any(parent.iterdir()):
                    break
                parent.rmdir()
    return changed


def differences(files: dict[str, bytes], folder: Path) -> list[str]:
    """Return the paths that are missing below the folder, differ there, or should not be there."""
    present = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and path.parent != folder
    }
    wrong = {
        path
        for path, data in files.items()
        if path not in present or present[path].read_bytes() != data
    }
    return sorted(wrong | present.keys() - files.keys())
