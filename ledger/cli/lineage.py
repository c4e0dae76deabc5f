"""`vif lineage`: what a statement builds on, what builds on it, and what it all cost."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from ledger import Ledger
from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder, OutputFile
from ledger.cli.failures import bad_call, write_pieces
from ledger.cli.ledgers import find_statement, reading
from ledger.cli.lineage_tree import summary_lines, tree
from ledger.errors import LedgerError, LogError
from ledger.formats.content import ContentHasher
from ledger.graph import selection
from ledger.graph.dot import dot
from ledger.graph.listing import listing
from ledger.graph.mermaid import mermaid
from ledger.graph.page import page
from ledger.graph.prov import prov
from ledger.graph.selection import Selection

_FORMATS = ("tree", "json", "dot", "mermaid", "prov", "html")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_BLOCK_BYTES = 1 << 20


def lineage(
    ledger: LedgerFolder,
    statement: Annotated[
        str | None,
        typer.Argument(
            metavar="[STATEMENT]",
            help="Index (12 or '#12'), id or unique beginning of an id, or 'last'.",
            show_default=False,
        ),
    ] = None,
    up: Annotated[
        bool, typer.Option("--up", help="What it builds on (the default).", metavar="")
    ] = False,
    down: Annotated[bool, typer.Option("--down", help="What builds on it.", metavar="")] = False,
    between: Annotated[
        str | None,
        typer.Option(
            "--between", metavar="OTHER", help="All on the paths between it and another statement."
        ),
    ] = None,
    content: Annotated[
        str | None,
        typer.Option(
            "--content",
            "-c",
            metavar="FILE|HASH",
            help="Begin with what refers to a content: a file, SHA-256 or BLAKE3.",
        ),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option("--snapshot", metavar="NAME", help="Begin with what used a frozen context."),
    ] = None,
    atom: Annotated[
        str | None,
        typer.Option("--atom", metavar="NAME", help="Begin with what used a part of a context."),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth", "-n", metavar="N", min=0, help="At most N links away.", show_default=False
        ),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help=", ".join(_FORMATS) + ".")
    ] = "tree",
    file: OutputFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a result builds on, or what builds on it.

    Ends with what it all comes to: statements, models, costs. dot, mermaid,
    prov (W3C PROV-JSON) and html (one page) are for other programs; html needs
    Graphviz.

    Examples:
      vif lineage runs.vif last
      vif lineage runs.vif 12 --down --depth 3
      vif lineage runs.vif --content answer.txt --down
      vif lineage runs.vif 12 --format html -o 12.html

    With --json (the same as --format json) one object: direction, depth,
    starts, nodes, edges, summary.
    """
    format_ = "json" if as_json and format_ == "tree" else format_
    if format_ not in _FORMATS:
        bad_call(f"--format is one of {', '.join(_FORMATS)}, not {format_!r}")
    if as_json and format_ != "json":
        bad_call("--json is --format json; only one can be had")
    if sum(one is not None for one in (statement, content, snapshot, atom)) != 1:
        bad_call("give one beginning: a statement, --content, --snapshot or --atom")
    if up + down + (between is not None) > 1:
        bad_call("--up, --down and --between are three questions: ask one")
    if between is not None and (statement is None or depth is not None):
        bad_call("--between takes two statements and no --depth")
    with reading(ledger) as log:
        with output.progress("following links", total=None) as tick:
            if between is not None and statement is not None:
                chosen = _between(log, statement, between, tick)
            else:
                starts = _starts(log, statement, content, snapshot, atom)
                choose = selection.downstream if down else selection.upstream
                chosen = choose(log.store, log.genesis, starts, depth, tick)
        if not chosen.count:
            raise _nothing(content, snapshot, atom)
        if format_ == "tree" and file is None:
            _print_tree(chosen)
        else:
            _write(file, format_, chosen, log.origin)


def _starts(
    log: Ledger, statement: str | None, content: str | None, snapshot: str | None, atom: str | None
) -> Iterator[int]:
    if statement is not None:
        return iter([find_statement(log, statement).index])
    digest = None if content is None else _digest(log, content)
    found = log.find(content=digest, snapshot=snapshot, atom=atom)
    return (entry.index for entry in found)


def _between(log: Ledger, one: str, other: str, tick: Callable[[int], None]) -> Selection:
    older, newer = sorted(find_statement(log, typed).index for typed in (one, other))
    chosen = selection.between(log.store, log.genesis, older, newer, tick)
    if not chosen.count:
        raise LogError("not_found", f"#{newer} does not build on #{older}")
    return chosen


def _digest(log: Ledger, content: str) -> bytes:
    path = Path(content)
    if _DIGEST.fullmatch(content) and not path.exists():
        return bytes.fromhex(content)
    if log.salted:
        bad_call(
            "in a salted ledger the hash of a file finds nothing",
            hint="give the sha256 that `vif show` prints for a reference",
        )
    hasher = ContentHasher("application/octet-stream")
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_BLOCK_BYTES):
                hasher.update(piece)
    except OSError as error:
        raise LedgerError("file_unreadable", f"{path}: {error.strerror}") from None
    return hasher.finish().sha256


def _nothing(content: str | None, snapshot: str | None, atom: str | None) -> LogError:
    if content is not None:
        return LogError("not_found", f"no statement refers to the content {content}")
    kind = "context" if snapshot is not None else "part of a context"
    return LogError("not_found", f"no statement used the {kind} {snapshot or atom}")


def _write(file: Path | None, format_: str, chosen: Selection, origin: str) -> None:
    if file is None and sys.stdout.isatty():
        write_pieces(None, _pieces(format_, chosen, origin))  # a bar would stand in the answer
        return
    with output.progress("writing", total=chosen.count) as tick:
        chosen.progress = tick
        write_pieces(file, _pieces(format_, chosen, origin))


def _pieces(format_: str, chosen: Selection, origin: str) -> Iterable[str]:
    if format_ == "html":
        return _page(chosen, origin)
    if format_ == "tree":
        return _tree_text(chosen)
    write = {"json": listing, "dot": dot, "mermaid": mermaid, "prov": prov}[format_]
    return write(chosen)


def _page(chosen: Selection, origin: str) -> Iterator[str]:
    yield from page(chosen, origin)  # laid out when the file is known to be new


def _print_tree(chosen: Selection) -> None:
    for line in tree(chosen, output.columns()):
        output.say(*line)
    output.say()
    output.facts(summary_lines(chosen, chosen.basis()))


def _tree_text(chosen: Selection) -> Iterator[str]:
    for line in tree(chosen):
        yield output.plain_line(line)
    yield "\n"
    for label, value in summary_lines(chosen, chosen.basis()):
        if value:
            yield output.plain_line([f"{label:<14}", value])
