"""The report as one self-contained page: no script, nothing loaded, everything escaped."""

from __future__ import annotations

from html import escape
from typing import Any

from .errors import AXES
from .levels import LEVELS
from .report import Report
from .text import safe

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;
color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;vertical-align:top;
overflow-wrap:anywhere}
th,.short{white-space:nowrap}.short{font-size:.85em}
code{font-family:ui-monospace,monospace;font-size:.9em}
.verified{background:#e2f3e4}.failed,.fail,.fatal{background:#fbe0de}
.limited,.limit{background:#fdf2d0}
"""
_HEAD = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
)


def _text(value: object) -> str:
    """Return a value for the page; control characters as escapes, absence as a dash."""
    if value is None or value == "":
        return "&ndash;"
    return escape("".join(c if c.isprintable() else safe(c) for c in str(value)), quote=True)


def _row(cells: list[object], kind: str = "", tag: str = "td", short: int = 0) -> str:
    """Return a row; the first `short` cells are not broken into lines."""
    mark = f' class="{escape(kind, quote=True)}"' if kind else ""
    marks = [' class="short"' if place < short else "" for place in range(len(cells))]
    found = (f"<{tag}{m}>{_text(c)}</{tag}>" for m, c in zip(marks, cells, strict=True))
    return f"<tr{mark}>" + "".join(found) + "</tr>\n"


def to_html(report: Report) -> str:
    """Return the report as an HTML page, UTF-8."""
    r: dict[str, Any] = report.to_dict()
    out = [
        _HEAD,
        f"<title>{_text(r['verdict'])}: {_text(r['origin'])}</title>\n<style>{_STYLE}</style>\n",
        "</head>\n<body>\n<main>\n",
        *_report(r),
    ]
    if r["lineage"] is not None:
        out += _lineage(r["lineage"])
    if r["replay_run"] is not None:
        out += _replay_run(r["replay_run"])
    for other in r.get("beside", ()):
        out.append(f"<hr>\n<h2>Beside: {_text(other['package'])}</h2>\n")
        out += _report(other)
    out.append("</main>\n</body>\n</html>\n")
    return "".join(out).encode("utf-8", "backslashreplace").decode("utf-8")


def _report(r: dict[str, Any]) -> list[str]:
    verdict = r["verdict"]
    known = r["known_head"]
    facts: list[tuple[str, object]] = [
        ("Package", r["package"]),
        ("Origin", r["origin"]),
        ("Genesis", r["genesis"]),
        ("Head", None if r["size"] is None else f"{r['size']}:{r['root']}"),
        ("Known head", None if known is None else f"{known['size']}:{known['root']}"),
        ("Genesis pinned", "yes" if r["pinned"] else "no"),
        ("Verified at", r["verified_at"]),
        ("Verifier", r["verifier"]),
    ]
    out = [
        f'<h1 class="{escape(verdict)}">{_text(verdict)}</h1>\n<table>\n',
        *(_row([name, value]) for name, value in facts),
        "</table>\n<h2>Axes</h2>\n<table>\n",
        _row(["Axis", "Status", "Summary"], tag="th"),
    ]
    for axis in AXES:
        one = r["axes"][axis]
        out.append(_row([axis, one["status"].replace("_", " "), one["summary"]], one["status"]))
    out.append("</table>\n<h2>Counts</h2>\n<table>\n")
    out += [_row([name.replace("_", " "), n]) for name, n in r["counts"].items()]
    out.append("</table>\n<h2>Findings</h2>\n")
    out += _findings(r)
    if r["replays"]:
        out += _replays(r["replays"])
    if r["not_checked"]:
        out.append("<h2>Not checked</h2>\n<ul>\n")
        out += [f"<li>{_text(sentence)}</li>\n" for sentence in r["not_checked"]]
        out.append("</ul>\n")
    return out


def _replays(replays: list[dict[str, Any]]) -> list[str]:
    names = ("Key", "Name", "Ledger", "Reproduced", "Witnesses", "Lowest level reached")
    out = ["<h2>Replays</h2>\n<table>\n", _row([*names], tag="th")]
    for one in replays:
        ledger = f"{one['genesis']} (this ledger)" if one["own"] else one["genesis"]
        ledger += "" if one["pinned"] else ", not pinned"
        done = f"{one['reproduced']} of {one['replays']}"
        out.append(_row([one["kid"], one["name"], ledger, done, one["witnesses"], one["level"]]))
    return [*out, "</table>\n"]


def _lineage(lineage: dict[str, Any]) -> list[str]:
    columns = ("index", "type", "id", "leaf_hash", "genesis")
    of = lineage["of"]
    out = [
        f"<h2>Lineage of index {of['index']}</h2>\n<table>\n",
        _row(["Index", "Type", "Id", "Leaf hash", "Ledger"], tag="th"),
        *(_row([one[c] for c in columns]) for one in (of, *lineage["ancestors"])),
        "</table>\n",
    ]
    if lineage["cut"]:
        out.append("<p>There are more.</p>\n")
    if lineage["outside"]:
        out += [
            "<h3>Not at hand</h3>\n<table>\n",
            _row(["Id", "Leaf hash", "Ledger"], tag="th"),
            *(_row([one[c] for c in columns[2:]]) for one in lineage["outside"]),
            "</table>\n",
        ]
    return out


def _replay_run(run: dict[str, Any]) -> list[str]:
    out = [
        f"<h2>Replay at {_text(run['endpoint'])}</h2>\n<p>{run['asked']} asked, "
        f"{run['reproduced']} reproduced at {_text(run['level'])}.</p>\n<table>\n",
        _row(["Index", "Id", "Level reached", *LEVELS, "Reason", "Message"], tag="th"),
    ]
    for one in run["runs"]:
        states = [one["levels"][level].replace("_", " ") for level in LEVELS]
        cells = [one["index"], one["id"], one["level"], *states, one["reason"], one["message"]]
        out.append(_row(cells, "verified" if one["reason"] is None else "limit", short=1))
    out.append("</table>\n")
    return out


def _findings(r: dict[str, Any]) -> list[str]:
    findings = r["findings"]
    if not findings:
        return ["<p>None.</p>\n"]
    always = ("severity", "code", "index")
    seldom = [c for c in ("id", "path", "expected", "actual") if any(one[c] for one in findings)]
    columns = (*always, *seldom, "message")
    out = ["<table>\n", _row([c.capitalize() for c in columns], tag="th")]
    short = len(always) + ("id" in seldom)
    out += [_row([one[c] for c in columns], one["severity"], short=short) for one in findings]
    out.append("</table>\n")
    total = sum(r["finding_counts"].values())
    if total > len(findings):
        out.append(f"<p>{total} findings, {len(findings)} shown.</p>\n")
    return out
