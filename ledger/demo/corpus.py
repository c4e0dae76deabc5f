"""The texts of a demo run: named files, their prose, and short passages to ask about.

By default these are the project's specification pages, where the program runs from a checkout,
and otherwise the module docstrings of the installed package, which are always there. Only prose
is used: a small model taught tables and code would answer in table rows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import LedgerError

__all__ = ["Passage", "Source", "default_sources", "prose", "read_sources"]

MAX_SOURCE_BYTES = 5_000_000
MIN_PASSAGE_CHARACTERS = 60
_PACKAGE = Path(__file__).resolve().parents[1]
_FENCED = re.compile(r"^```.*?^```[^\n]*$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\[([^\]\n]*)\]\([^)\n]*\)")
_NOT_PROSE = ("|", "#", ">", "    ", "\t")
_LIST_MARK = re.compile(r"^(?:[-*+]|\d+\.)\s+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph of a source, numbered from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """A text file: its name without folders, its bytes, and its paragraphs of prose."""

    name: str
    content: bytes
    passages: tuple[Passage, ...]


def default_sources() -> list[Source]:
    """Return the specification pages of a checkout, or else the docstrings of the package."""
    specs = _PACKAGE.parent / "specs"
    # Beside an installed package a folder of that name would be somebody else's.
    if (specs / "00-conventions.md").is_file():
        return read_sources(sorted(specs.glob("*.md")))
    modules = sorted((_PACKAGE / "formats").glob("*.py")) + sorted((_PACKAGE / "keys").glob("*.py"))
    texts = ((f"{path.parent.name}.{path.stem}", _docstring(path)) for path in modules)
    return [source for name, text in texts if (source := _source(name, text)).passages]


def read_sources(paths: Sequence[Path]) -> list[Source]:
    """Read text files in the order given.

    Raises LedgerError: `file_unreadable` if a file cannot be read as UTF-8 text or is larger than
    MAX_SOURCE_BYTES, `demo_no_text` if a file has no paragraph of prose.
    """
    sources = []
    for path in paths:
        try:
            content = path.read_bytes()
            text = content.decode()
        except OSError as error:
            raise LedgerError("file_unreadable", f"{path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise LedgerError("file_unreadable", f"{path} is not UTF-8 text") from None
        if len(content) > MAX_SOURCE_BYTES:
            raise LedgerError("file_unreadable", f"{path} is larger than {MAX_SOURCE_BYTES} bytes")
        source = _source(path.name, text)
        if not source.passages:
            raise LedgerError(
                "demo_no_text",
                f"{path} has no paragraph of prose to ask about",
                hint=f"a paragraph of at least {MIN_PASSAGE_CHARACTERS} characters is needed",
            )
        sources.append(source)
    return sources


def prose(text: str) -> str:
    """Return the running text of a Markdown page: no headings, tables, code, links or emphasis."""
    text = _COMMENT.sub("", _FENCED.sub("", text.replace("\r\n", "\n")))
    kept = []
    for line in text.split("\n"):
        if line.startswith(_NOT_PROSE):
            kept.append("")
            continue
        bare = _LIST_MARK.sub("", line)
        # A list entry is a paragraph of its own.
        kept.extend(["", bare] if bare != line else [line.strip()])
    plain = _LINK.sub(r"\1", "\n".join(kept)).replace("`", "").replace("**", "")
    plain = re.sub(r"(?<!\w)[*_](\S(?:[^*_\n]*\S)?)[*_](?!\w)", r"\1", plain)
    paragraphs = (" ".join(block.split()) for block in re.split(r"\n\s*\n", plain))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _source(name: str, text: str) -> Source:
    long_enough = [
        paragraph
        for paragraph in prose(text).split("\n\n")
        if len(paragraph) >= MIN_PASSAGE_CHARACTERS
    ]
    passages = tuple(Passage(number, part) for number, part in enumerate(long_enough, 1))
    return Source(name, text.encode(), passages)


def _docstring(module: Path) -> str:
    return ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
