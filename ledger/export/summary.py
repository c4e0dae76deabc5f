"""`data/summary.html` and `README.md`: the package for people (specs/07 §7).

Both are made from templates that escape everything (`templates/`), from numbers gathered in
`overview` and from texts made harmless in `text`. The page needs no script and loads nothing. It
shows at most `OPERATIONS_SHOWN` operations; its size does not depend on that of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Template

from ledger.export import text
from ledger.export.across import Across
from ledger.export.facts import Operation
from ledger.export.overview import REST, Overview
from ledger.formats.content import ContentRef
from ledger.keys.events import KeyRecord
from ledger.templates import environment

if TYPE_CHECKING:
    from ledger.export.replay_plan import Planned

QUOTED_MAX_BYTES = 1 << 20  # a content is hashed whole before any of it is shown
_TEXT_TYPES = ("text/", "application/json", "application/x-ndjson", "application/xml")


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An operation with the beginning of its output, or why there is none."""

    operation: Operation
    excerpt: str | None
    remark: str


@dataclass(frozen=True, slots=True)
class Page:
    """What the readable pages say about the package as a whole."""

    origin: str
    genesis: str
    kind: str
    session: str | None
    start: int
    end: int
    contents: str
    erased: int
    has_content: bool
    signed: bool
    has_session_folder: bool
    has_projects: bool
    replay: Planned | None
    models: int
    models_cut: bool
    streams: int
    streams_cut: bool
    keys: tuple[KeyRecord, ...]
    signed_by: dict[str, int]
    across: Across
    operations: tuple[OperationRow, ...]

    @property
    def selection_sentence(self) -> str:
        """Return what was selected, as plain text."""
        return self._sentence(text.shown)

    @property
    def selection_markdown(self) -> str:
        """Return the same for Markdown, the label in a code span."""
        return self._sentence(text.markdown_code)

    def _sentence(self, label: Callable[[str], str]) -> str:
        if self.kind == "session":
            return f"All records of session {label(self.session or '')}, with proofs."
        if self.kind == "range":
            return f"Records {self.start:,} to {self.end - 1:,} of the ledger, with proofs."
        return f"The whole ledger: all {self.end:,} records up to this export."

    @property
    def contents_sentence(self) -> str:
        """Return what the package says about prompts and outputs."""
        if self.contents == "withheld":
            return "Prompts, outputs and other contents are withheld; only their hashes are here."
        if not self.has_content:
            return "The selected records name no content that is still kept."
        gone = f"; {self.erased:,} erased, and recorded as such" if self.erased else ""
        return f"Prompts, outputs and other contents are included{gone}."


def page_of(
    seen: Overview,
    *,
    origin: str,
    genesis: str,
    kind: str,
    session: str | None,
    start: int,
    end: int,
    contents: str,
    erased: int,
    has_content: bool,
    signed: bool,
    has_session_folder: bool,
    has_projects: bool,
    replay: Planned | None,
    keys: Iterable[KeyRecord],
    across: Across,
    read: Callable[[ContentRef], bytes | None] | None,
) -> Page:
    """Put together what the templates need.

    `read` gives the first bytes of an included content, without salt, or None when it was erased;
    it is None when contents are withheld.
    """
    return Page(
        origin=origin,
        genesis=genesis,
        kind=kind,
        session=session,
        start=start,
        end=end,
        contents=contents,
        erased=erased,
        has_content=has_content,
        signed=signed,
        has_session_folder=has_session_folder,
        has_projects=has_projects,
        replay=replay,
        models=sum(key is not REST for key in seen.models.rows),
        models_cut=REST in seen.models.rows,
        streams=sum(key is not REST for key in seen.streams.rows),
        streams_cut=REST in seen.streams.rows,
        keys=tuple(key for key in keys if key.introduced < end),
        signed_by={
            key[1]: counter["statements"]
            for key, counter in seen.producers.rows.items()
            if key is not REST
        },
        across=across,
        operations=tuple(_row(op, read) for op in seen.operations),
    )


def summary_html(page: Page, seen: Overview) -> Iterator[bytes]:
    """Yield the summary page in pieces."""
    stream = _ENVIRONMENT.get_template("summary.html.j2").stream(page=page, seen=seen)
    stream.enable_buffering(64)
    return (piece.encode("utf-8") for piece in stream)


def readme_md(page: Page) -> Iterator[bytes]:
    """Yield the reviewer's README."""
    yield _ENVIRONMENT.get_template("README.md.j2").render(page=page).encode("utf-8")


def template(name: str) -> Template:
    """Return a template beside those of the package's pages, with the same filters and escapes."""
    return _ENVIRONMENT.get_template(name)


def _row(op: Operation, read: Callable[[ContentRef], bytes | None] | None) -> OperationRow:
    ref = op.output
    if ref is None:
        reason = text.shown(op.finish_reason or "no reason recorded")
        return OperationRow(op, None, f"no output ({reason})")
    if read is None:
        return OperationRow(op, None, "")
    if ref.size_bytes > QUOTED_MAX_BYTES or not ref.media_type.startswith(_TEXT_TYPES):
        return OperationRow(op, None, f"output of type {text.shown(ref.media_type)}")
    beginning = read(ref)
    if beginning is None:
        return OperationRow(op, None, "output erased")
    shown = text.excerpt(beginning.decode("utf-8", "replace"))
    return OperationRow(op, shown, "") if shown else OperationRow(op, None, "empty output")


def _money(dollars: float) -> str:
    """Cents are enough from a dollar on; below, a call may cost a small part of one."""
    if dollars >= 1 or not dollars:
        return f"${dollars:,.2f}"
    return f"${dollars:.6f}".rstrip("0")


_ENVIRONMENT = environment(
    "ledger.export",
    {
        "excerpt": text.excerpt,
        "code": text.markdown_code,
        "size": text.size,
        "ratio": lambda value: f"{value:.3f}",
        "percent": lambda value: f"{value:.0%}",
        "amount": lambda value: f"{value:,.6g}",
        "money": _money,
    },
)
