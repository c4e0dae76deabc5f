"""A graph as an indented tree for a terminal.

A graph has more paths than statements, up to exponentially more: each statement is expanded where
it comes first, and is one line without its own links after that. The walk keeps a list of what is
still to be shown, and the indentation stops growing at `LEVELS_SHOWN`, where the level is written
as a number instead.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence

from ledger.cli import output
from ledger.cli.describe import BAND_STYLES, TYPE_STYLES, has_words, summary
from ledger.cli.text import counted
from ledger.graph.node import Node
from ledger.graph.selection import Selection, nodes
from ledger.graph.words import cost_words, dollars
from ledger.views import lineage
from ledger.views.basis import Basis
from ledger.views.index import INDEX, source_size
from ledger.views.marks import Marks

__all__ = ["summary_lines", "tree"]

LEVELS_SHOWN = 12
MODELS_SHOWN = 5

Line = list[output.Part]


def tree(chosen: Selection, room: int | None = None) -> Iterator[Line]:
    """The lines of the tree, cut to so many columns."""
    down = chosen.direction == "down"
    following = _children(chosen) if down else None
    shown = Marks()
    more_at = [False] * (LEVELS_SHOWN + 1)
    # Two numbers for each statement yet to be shown: its index; its level, and if it is the last.
    waiting = array("Q")
    starts = chosen.starts.upwards(keep=True) if not down else chosen.starts.downwards(keep=True)
    for index in starts:
        waiting.extend((index, 1))
    while waiting:
        level, last = divmod(waiting.pop(), 2)
        index = waiting.pop()
        if level <= LEVELS_SHOWN:
            more_at[level] = not last
        guide = _guide(more_at, level, bool(last))
        if index in shown:
            yield _fit([(guide, "dim"), f"#{index}", ("  shown above", "dim")], room)
            continue
        shown.add(index)
        node = next(nodes(chosen.store, [index]))
        further = following(index) if following else node.parents
        inside = [one for one in further if one in chosen.marks]
        for place, one in enumerate(reversed(inside)):
            waiting.extend((one, 2 * (level + 1) + (place == 0)))
        yield _fit([(guide, "dim"), *_words(node, bold=index in chosen.starts)], room)
        for parent in node.outside:
            guide = _guide(more_at, level + 1, False)
            ledger = "?" if parent.ledger is None else parent.ledger.hex()[:16]
            yield _fit(
                [
                    (guide, "dim"),
                    ("outside", "magenta"),
                    f"  ledger {ledger}…  {parent.id}  ",
                    (parent.leaf_hash.hex()[:16] + "…", "dim"),
                ],
                room,
            )


def summary_lines(chosen: Selection, found: Basis) -> list[tuple[str, str]]:
    """Labels and values of the sums, for the end of the tree."""
    models = sorted(found.models.items(), key=lambda item: (-item[1].statements, item[0]))
    named = [f"{name or 'others'} {usage.statements:,}" for name, usage in models[:MODELS_SHOWN]]
    if len(models) > MODELS_SHOWN:
        named.append(f"and {len(models) - MODELS_SHOWN} more")
    far = "" if chosen.depth is None else f", at most {counted(chosen.depth, 'link')} away"
    lowest = ""
    if found.lowest_confidence is not None:
        lowest = f"{found.lowest_confidence:.2f}, at #{found.lowest_confidence_index}"
    return [
        ("statements", f"{found.total.statements:,}{far}"),
        ("models", ", ".join(named)),
        ("cost", cost_words(found.total)),
        ("tokens", f"{found.total.tokens:,}" if found.total.tokens else ""),
        ("sessions", f"{len(found.sessions):,}" if found.sessions else ""),
        ("signing keys", f"{len(found.keys):,}"),
        ("confidence", f"lowest {lowest}" if lowest else ""),
        (
            "outside",
            counted(found.outside, "parent") + " in other ledgers" if found.outside else "",
        ),
    ]


def _words(node: Node, *, bold: bool) -> Line:
    style = TYPE_STYLES.get(node.type, "yellow")
    parts: Line = [
        (f"#{node.index}", "bold" if bold else ""),
        "  ",
        (node.type, style),
        "  ",
        *_said(node),
    ]
    if node.cost_usd is not None:
        parts.append((f"  {dollars(node.cost_usd)}", "dim"))
    return parts


def _said(node: Node) -> Line:
    if has_words(node.type) or not (node.model or node.title):
        return summary(node.type, node.payload.body)
    parts: Line = ["  ".join(filter(None, (node.title, node.model)))]
    if node.confidence is not None:
        parts.append((f"  {node.band} {node.confidence:.2f}", BAND_STYLES.get(node.band, "")))
    if node.sum_usd is not None:
        parts.append((f"  sum {dollars(node.sum_usd)}", "dim"))
    return parts


def _guide(more_at: Sequence[bool], level: int, last: bool) -> str:
    if level == 0:
        return ""
    drawn = min(level, LEVELS_SHOWN)
    bars = "".join("│  " if more_at[one] else "   " for one in range(1, drawn))
    if level > LEVELS_SHOWN:
        return f"{bars}{level}: "
    return bars + ("└─ " if last else "├─ ")


def _fit(line: Line, room: int | None) -> Line:
    return line if room is None else output.fit(line, room)


def _children(chosen: Selection) -> Callable[[int], Sequence[int]]:
    """A way to the children of a statement."""
    with chosen.store.reading() as snapshot:
        complete = INDEX.size(snapshot) >= source_size(snapshot)
    if complete:
        return lambda index: list(lineage.filed_children(chosen.store, index))
    # Where the view cannot be brought up to date, each look-up would read the rest of the log.
    known: dict[int, array[int]] = {}
    for node in chosen.nodes():
        for parent in node.parents:
            if parent in chosen.marks:
                known.setdefault(parent, array("Q")).append(node.index)
    return lambda index: known.get(index, ())
