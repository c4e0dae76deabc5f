"""`vif show`: one statement in full, or a content that it refers to."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, BinaryIO

import typer

from ledger import Entry, Ledger
from ledger.cli import output
from ledger.cli.arguments import AsJson, LedgerFolder, StatementRef
from ledger.cli.describe import BAND_STYLES, TYPE_STYLES, statement_json
from ledger.cli.failures import bad_call
from ledger.cli.ledgers import find_statement, reading
from ledger.cli.refs import CONTENTS, named_content
from ledger.cli.text import counted, human_bytes, moment
from ledger.errors import ContentError, RecordError
from ledger.formats.content import ContentRef, from_cbor
from ledger.formats.payload import Parent
from ledger.model import from_body, to_body
from ledger.model.replay import LEVELS

_BLOCK_BYTES = 1 << 16
_LABEL_COLUMNS = 23
_ITEMS_SHOWN = 20
_CHILDREN_LOOKED_AT = 10_000


def show(
    ledger: LedgerFolder,
    statement: StatementRef,
    content: Annotated[
        str | None,
        typer.Option(
            "--content", "-c", metavar="NAME", help=f"Print a content: {', '.join(CONTENTS)}."
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="With --content: the exact bytes.", metavar="")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a statement, or one of its contents.

    Examples:
      vif show runs.vif 12
      vif show runs.vif 12 --content output
      vif show runs.vif last --content response --raw > response.json

    With --json the statement as in vif log --json.
    """
    if raw and content is None:
        bad_call("--raw needs --content")
    if content is not None and as_json:
        bad_call("--content stands alone: it prints the content itself")
    with reading(ledger) as log:
        entry = find_statement(log, statement)
        if content is not None:
            _show_content(log, named_content(entry, content), raw)
        elif as_json:
            output.emit(statement_json(entry))
        else:
            _show_statement(log, entry)


def _show_statement(log: Ledger, entry: Entry) -> None:
    payload = entry.payload
    style = TYPE_STYLES.get(payload.type, "yellow")
    output.say((f"#{entry.index}  ", "bold"), (payload.type, f"bold {style}"), f"  {payload.id}")
    output.say()
    parents = [_parent(log, parent) for parent in payload.parents]
    output.facts(
        [
            ("created", f"{moment(payload.created_at)}.{payload.created_at[20:26]} UTC"),
            ("leaf hash", entry.leaf_hash.hex()),
            ("stream", f"{payload.stream_id}  seq {payload.seq}"),
            ("session", payload.session or ""),
            ("signed by", f"{entry.cose.iss}  key {entry.cose.kid.hex()[:16]}"),
            *(("" if number else "parents", text) for number, text in enumerate(parents)),
            ("replayed", _replayed(log, entry)),
        ]
    )
    body = _in_order(payload.type, payload.body)
    groups = {k: v for k, v in body.items() if isinstance(v, dict) and "blake3" not in v}
    plain = {k: v for k, v in body.items() if k not in groups}
    for title, group in [("", plain), *groups.items()]:
        rows = [row for key, value in group.items() for row in _rows(log, key, value)]
        if rows:
            output.say()
            if title:
                output.say((title, "bold"))
            indent = 2 if title else 0
            output.facts(rows, indent=indent, label_columns=_LABEL_COLUMNS - indent)


def _replayed(log: Ledger, entry: Entry) -> str:
    """How often a witness was run again in this ledger, and how far the same came out."""
    if entry.payload.type != "witness":
        return ""
    near = islice(log.children(entry.id), _CHILDREN_LOOKED_AT)
    levels = Counter(one.payload.body["level"] for one in near if one.payload.type == "replay")
    if not levels:
        return ""
    reached = ", ".join(
        f"{level} {levels[level]}" for level in (*reversed(LEVELS), "none") if levels[level]
    )
    return f"{counted(sum(levels.values()), 'time')}, level reached: {reached}"


def _parent(log: Ledger, parent: Parent) -> str:
    if parent.ledger is not None:
        return f"in ledger {parent.ledger.hex()[:16]}…  {parent.id}"
    return f"#{log.by_id(parent.id).index}  {parent.id}"


def _in_order(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a body in the order of specs/03 and not of the encoding, which sorts by length."""
    try:
        return to_body(from_body(kind, body))
    except RecordError:
        return body


def _rows(
    log: Ledger, key: str, value: Any
) -> Iterator[tuple[str, output.Part | list[output.Part]]]:
    if _is_ref(value):
        size, media_type = human_bytes(value["size_bytes"]), value["media_type"]
        salted = "  salted" if value.get("salted") else ""
        yield key, [f"{size}  {media_type}{salted}  ", _presence(log, value)]
        yield "", (f"sha256 {value['sha256'].hex()[:48]}…", "dim")
    elif key == "top_k_probs":
        yield key, "  ".join(f"{item['token']!r} {item['probability']:.3f}" for item in value[:4])
        if len(value) > 4:
            yield "", (f"and {len(value) - 4} more", "dim")
    elif key == "confidence_band":
        yield key, (str(value), BAND_STYLES.get(value, ""))
    elif key == "kappa_gate_passed":
        yield key, ("yes", "green") if value else ("no", "red")
    elif isinstance(value, Mapping):
        for number, (inner, item) in enumerate(value.items()):
            yield "" if number else key, f"{inner}: {_scalar(item)}"
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for number, item in enumerate(value[:_ITEMS_SHOWN]):
            yield "" if number else key, _item(item)
        if len(value) > _ITEMS_SHOWN:
            yield "", (f"and {len(value) - _ITEMS_SHOWN} more", "dim")
    elif isinstance(value, list):
        yield key, ", ".join(_scalar(item) for item in value[:8])
        if len(value) > 8:
            yield "", (f"and {len(value) - 8} more", "dim")
    else:
        yield key, _scalar(value)


def _item(item: Mapping[str, Any]) -> str:
    """Return an item of a list in one line; what is not text stands behind its name."""
    shown = [
        _scalar(value) if isinstance(value, str) else f"{key} {_scalar(value)}"
        for key, value in item.items()
        if not isinstance(value, Mapping | list)
    ]
    sizes = [human_bytes(value["size_bytes"]) for value in item.values() if _is_ref(value)]
    return "  ".join(shown + sizes)


def _is_ref(value: Any) -> bool:
    return isinstance(value, Mapping) and "blake3" in value


def _scalar(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) if str(value) else "(empty)"


def _presence(log: Ledger, value: Mapping[str, Any]) -> output.Part:
    ref = from_cbor(value)
    try:
        log.open_content(ref).close()
    except ContentError as error:
        return (error.code.removeprefix("content_"), "red")
    return ("in the archive", "green")


def _show_content(log: Ledger, ref: ContentRef, raw: bool) -> None:
    with log.open_content(ref) as file:
        if raw:
            if sys.stdout.isatty():
                bad_call(
                    "--raw writes bytes as they are, which a terminal may obey",
                    hint="redirect it to a file or a pipe, or leave --raw away",
                )
            output.write_bytes(iter(lambda: file.read(_BLOCK_BYTES), b""))
            return
        _show_text(file, ref)


def _show_text(file: BinaryIO, ref: ContentRef) -> None:
    try:
        text = file.read().decode()
    except UnicodeDecodeError:
        bad_call(
            f"the content is {human_bytes(ref.size_bytes)} of {ref.media_type}, not text",
            hint="add --raw and redirect it to a file",
        )
    output.say(text.removesuffix("\n"), keep="\n\t")
