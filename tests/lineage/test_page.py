"""The HTML page: sealed, whole, and alive in a real browser."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ledger import Draft, Ledger, LineageError
from ledger.export.text import shown
from ledger.graph import layout, page
from ledger.graph.blocks import Block, blocks_of
from ledger.graph.selection import Selection, upstream
from tests.helpers.places import note
from tests.lineage.graphs import HOSTILE, OUTSIDE, priced, write

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


class Page(HTMLParser):
    """Elements and their attributes, and the texts inside of two of them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inner: dict[str, str] = {}
        self.words: list[str] = []
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        self.inner[self._in] = self.inner.get(self._in, "") + data
        if self._in not in ("style", "script"):
            self.words.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


@pytest.fixture
def rich(log: Ledger) -> Ledger:
    """Six alike and one apart below a note of a hostile name, with a parent elsewhere."""
    alike = [Draft("witness", priced(0.25, HOSTILE)) for _ in range(6)]
    last = Draft("annotation", {"kind": "note", "name": HOSTILE}, [*alike, OUTSIDE])
    log.append_many([*alike, last, Draft("annotation", note(), [last, alike[0]])])
    return log


def drawn(log: Ledger) -> str:
    chosen = upstream(log.store, log.genesis, [len(log) - 1])
    return "".join(page.page(chosen, "example.org/lab"))


@needs_dot
def test_the_page_is_sealed(rich: Ledger) -> None:
    """Nothing is loaded, nothing runs but the named script, and no name is markup."""
    text = drawn(rich)
    found = Page(text)
    assert not re.search(r"https?:|//[a-z]|url\((?!#tip\))|@import", text.replace("www.w3.org", ""))
    assert not any(
        name.startswith("on") or name in {"style", "src", "href", "srcset", "action"}
        for _, attributes in found.elements
        for name in attributes
    )
    (policy,) = [meta["content"] for meta in found.all("meta") if "http-equiv" in meta]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        assert len(found.all(tag)) == 1
        digest = base64.b64encode(hashlib.sha256(found.inner[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "\u202e" not in text
    assert any(shown(HOSTILE) in word for word in found.words)
    assert {tag for tag, _ in found.elements} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "p", "b", "code",
        "div", "svg", "defs", "marker", "path", "rect", "g", "text", "button", "input", "output",
        "aside", "dl", "span", "i", "details", "summary", "table", "thead", "tbody", "tr", "th",
        "td", "script",
    }  # fmt: skip


@needs_dot
def test_every_statement_is_drawn_and_listed(rich: Ledger) -> None:
    text = drawn(rich)
    found = Page(text)
    nodes = [g for g in found.all("g") if (g.get("class") or "").startswith("n ")]
    assert len(nodes) == 9
    assert sum(1 for row in found.all("tr") if "id" in row) == 9
    assert [g["data-p"] for g in nodes][-2:] == ["0 1 2 3 4 5 6", "7 0"]
    for entry in list(rich)[1:]:
        assert entry.leaf_hash.hex() in text
        assert entry.cose.kid.hex() in text
    assert OUTSIDE.leaf_hash.hex() in text
    assert (OUTSIDE.ledger or b"").hex() in text
    assert "$1.50" in text
    # Five of the six answers are linked in the same way: one frame.
    assert sum(1 for rect in found.all("rect") if rect.get("class") == "f") == 1
    corners = {g["transform"] for g in nodes}
    assert len(corners) == len(nodes)


@needs_dot
@pytest.mark.skipif(BROWSER is None, reason="no chromium to look at the page with")
def test_a_browser_runs_it_without_complaint(rich: Ledger, tmp_path: Path) -> None:
    """The script is allowed by the policy, picks the statement of the link, and logs no error."""
    (tmp_path / "x.html").write_text(drawn(rich), encoding="utf-8")
    ran = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=3000", "--dump-dom", f"file://{tmp_path}/x.html#at-0",
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in ran.stderr
    assert "Content Security Policy" not in ran.stderr
    found = Page(ran.stdout)
    classes = {g.get("id"): (g.get("class") or "").split() for g in found.all("g")}
    assert "sel" in classes["n0"]
    assert [name for name, has in classes.items() if "on" in has] == ["n0", "n7", "n8"]
    (panel,) = found.all("aside")
    assert panel["class"] == "open"
    assert rich.get(1).leaf_hash.hex() in ran.stdout


@needs_dot
def test_shapes_of_all_kinds_are_laid_out(log: Ledger) -> None:
    """One node; a fan of pairs, far too wide for layers; a long chain."""
    assert "1</b> statement " in drawn(log)
    write(log, [[]])
    drawn(log)
    pairs: list[list[int]] = []
    for _ in range(120):
        pairs += [[], [len(pairs)]]
    pairs.append(list(range(1, 240, 2)))
    write(log, pairs)
    assert "arranged by nearness" in drawn(log)
    write(log, [[], *([n] for n in range(300))])
    assert "arrows lead from parents, above" in drawn(log)


def test_too_large_a_graph_is_refused_with_a_way_out(
    log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, [[], *([n] for n in range(20))])
    for name, most in (("NODES_MAX", 10), ("EDGES_MAX", 5)):
        with monkeypatch.context() as patch:
            patch.setattr(page, name, most)
            with pytest.raises(LineageError) as caught:
                drawn(log)
        assert caught.value.code == "graph_too_large"
        assert "--depth" in (caught.value.hint or "")


def fake(folder: Path, script: str) -> str:
    (folder / "dot").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "dot").chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (None, "layout_missing"),
        ("exit 1", "layout_failed"),
        ("echo graph 1 x y", "layout_failed"),
        ("echo", "layout_failed"),
        ("exec sleep 20", "layout_failed"),
    ],
)
def test_without_a_layout_there_is_a_clear_error(
    log: Ledger,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    code: str,
) -> None:
    folder = fake(tmp_path, script) if script else str(tmp_path / "nowhere")
    monkeypatch.setenv("PATH", folder + (":/bin:/usr/bin" if script else ""))
    monkeypatch.setattr(layout, "LAYERS_SECONDS", 0.3)
    monkeypatch.setattr(layout, "NEARNESS_SECONDS", 0.3)
    with pytest.raises(LineageError) as caught:
        drawn(log)
    assert caught.value.code == code


def test_only_numbers_reach_graphviz(
    rich: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", fake(tmp_path, f"cat > {tmp_path}/seen; exit 1") + ":/bin:/usr/bin")
    with pytest.raises(LineageError):
        drawn(rich)
    words = set(re.findall(r"[A-Za-z]+", (tmp_path / "seen").read_text()))
    assert words <= {
        "digraph", "graph", "nodesep", "ranksep", "splines", "true", "node", "shape", "box",
        "fixedsize", "label", "edge", "dir", "none", "width", "height",
    }  # fmt: skip


def test_blocks_hold_everything_once() -> None:
    parents = [[], [], [], [0, 1, 2], [3], [3], [], [0, 6]]
    blocks = blocks_of(parents)
    assert sorted(one for block in blocks for one in block.members) == list(range(8))
    assert Block([1, 2]) not in blocks  # two alike are no block
    assert blocks_of([[], [], [], [0, 1, 2]]) == [Block([0, 1, 2]), Block([3])]
    wide = Block(list(range(200))).box
    assert 1 < wide.width / wide.height < 2


def test_a_stream_of_pieces(rich: Ledger) -> None:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    chosen: Selection = upstream(rich.store, rich.genesis, [8])
    pieces: Iterator[str] = page.page(chosen, "o")
    assert next(pieces).startswith("<!doctype html>")
