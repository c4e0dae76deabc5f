"""The pages for people: nothing in the log can act in them (specs/07 §7)."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from ledger.export import export, package
from ledger.export.overview import OPERATIONS_SHOWN, TABLE_MAX
from tests.export.lab import Lab, draft, fill, read_package

HOSTILE = [
    "<script>alert(1)</script>",
    "</title></style><img src=x onerror=alert(1)>",
    "\"><a href='javascript:alert(1)'>x</a>",
    "{{ 7*7 }}{% raw %}",
    "\u202egnp.exe\u2066",
    "`]( https://evil.example ) www.evil.example",
    "&lt;b&gt; &amp;",
]


class Elements(HTMLParser):
    """Collects the tags, attributes and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.text += " "
        self.attributes += attrs
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def hostile_page(lab: Lab, tmp_path: Path) -> str:
    """A summary of a log whose names, outputs and verdicts all attack the page."""
    with lab.open(session="run-1") as log:
        for number, text in enumerate(HOSTILE):
            one = draft(
                log, number, model=text, provider=text, output=text.encode() + b"\x00\x1b[31m"
            )
            (receipt,) = log.append_many([one])
            body = {"kind": "score", "name": text, "value": text}
            log.append("annotation", body, parents=[receipt])
        export(log, tmp_path / "whole")
    return (tmp_path / "whole" / "data" / "summary.html").read_text()


def test_hostile_text_is_text(hostile_page: str) -> None:
    """No element, attribute or address comes from the log; what was recorded can be read."""
    page = Elements(hostile_page)
    assert page.open == []
    assert not page.tags & {"script", "img", "a", "link", "iframe", "object", "form", "base", "svg"}
    assert {name for name, _ in page.attributes} <= {
        *("lang", "charset", "name", "content", "http-equiv", "class", "title", "colspan", "dir")
    }
    for text in HOSTILE:
        if "\u202e" not in text:
            assert text in page.text
    assert "⟨202E⟩gnp.exe⟨2066⟩" in page.text


def test_nothing_unseen_is_in_the_page(hostile_page: str) -> None:
    """Neither raw nor as a character reference: no controls, no bidirectional marks."""
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f]", hostile_page
    )
    assert not re.search("&#x?(0*1b|0*27|202e|8238);", hostile_page.replace("&#39;", ""), re.I)
    assert "⟨001B⟩[31m" in hostile_page


def test_the_page_loads_nothing_and_forbids_it(hostile_page: str) -> None:
    """A policy without any source, and no address in the style."""
    policy = "default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;"
    assert "default-src 'none'; style-src 'unsafe-inline'" in hostile_page or policy in hostile_page
    style = hostile_page.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|https?:", style)


def test_the_page_says_what_the_log_says(lab: Lab, tmp_path: Path) -> None:
    """Counts, tokens, cost, bands, gates, keys and the genesis are those of the records."""
    with lab.open(session="run-1") as log:
        one = fill(log, 2, score=0.97)
        fill(log, 3, score=0.5, model="small")
        log.append("annotation", {"kind": "score", "name": "judge", "value": 0.25}, parents=one)
        log.append("annotation", {"kind": "score", "name": "judge", "value": 0.75}, parents=one)
        log.append_many([draft(log, 9, output=None)])
        export(log, tmp_path / "whole")
        producer = log.keys().keys[2].kid.hex()
    text = " ".join(Elements((tmp_path / "whole/data/summary.html").read_text()).text.split())
    assert lab.made.genesis.hex() in text
    assert "6 AI operations 2 models 72 tokens $0.0015 cost" in text
    assert "3 below the gate" in text
    assert "gpt-4o openai 3 36 $0.00075 0.947 A 2 B 1" in text
    assert "small openai 3 36 $0.00075 0.500 C 3" in text
    assert "score judge 2 0.5 0.25 … 0.75" in text
    assert f"producer producer {producer[:16]}… 0 valid 8" in text
    assert "no output (no reason recorded)" in text
    assert "It is 7." in text
    assert "records 0 to 8: 9 statements" in text


def test_a_long_log_makes_a_page_of_bounded_size(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 operations and 200 rows a table; the rest is counted in one row, and said."""
    with lab.open() as log:
        many = OPERATIONS_SHOWN + 50
        log.append_many([draft(log, n, model=f"model-{n}", output=b"x") for n in range(many)])
        export(log, tmp_path / "whole")
    page = (tmp_path / "whole/data/summary.html").read_text()
    assert page.count("<article") == OPERATIONS_SHOWN
    assert f"The first {OPERATIONS_SHOWN} of {many}." in page
    assert page.count("<td><bdi>model-") == TABLE_MAX
    assert "further models" in page
    assert len(page) < 1_000_000


def test_binary_and_empty_outputs_are_named_not_shown(lab: Lab, tmp_path: Path) -> None:
    """Only text is quoted; broken UTF-8 is replaced, and a long text is cut."""
    with lab.open() as log:
        log.append_many(
            [
                draft(log, 1, output=b"\x89PNG", media_type="image/png"),
                draft(log, 2, output=b"caf\xe9 " + b"long " * 2000),
                draft(log, 3, output=b" \n "),
            ]
        )
        export(log, tmp_path / "whole")
    page = (tmp_path / "whole/data/summary.html").read_text()
    assert "output of type image/png" in page
    assert "caf\ufffd long" in page
    assert "long…" in page
    assert "empty output" in page
    assert package.EXCERPT_BYTES < 10_000


def test_the_readme_has_no_markup_from_the_log(lab: Lab, tmp_path: Path) -> None:
    """A session label may look like an address; in the README it is code and nothing else."""
    session = "https://evil.example/@x"
    with lab.open(session=session) as log:
        fill(log, 1)
        export(log, tmp_path / "part", session=session)
    readme = (tmp_path / "part" / "README.md").read_text()
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(readme)
    inline = [child for token in tokens for child in token.children or []]
    assert not {token.type for token in tokens} & {"html_block"}
    assert not {child.type for child in inline} & {"link_open", "image", "html_inline"}
    assert session in [child.content for child in inline if child.type == "code_inline"]
    assert "evil" not in "".join(child.content for child in inline if child.type == "text")


def test_the_readme_tells_the_command_and_where_trust_comes_from(lab: Lab, tmp_path: Path) -> None:
    """One command; the genesis is shown for comparison; every folder that is there is explained."""
    with lab.open() as log:
        fill(log, 1)
        export(log, tmp_path / "whole")
        export(log, tmp_path / "bare", unsigned=True, contents="withheld")
    readme = (tmp_path / "whole" / "README.md").read_text()
    assert "vif-verify . --trust" in readme
    assert "--known-head" in readme
    assert lab.made.genesis.hex() in readme
    assert "`data/content/`" in readme
    bare = (tmp_path / "bare" / "README.md").read_text()
    assert "not signed" in bare
    assert "unsigned" in bare
    assert "`data/content/`" not in bare
    assert "seal-sha256" not in bare
    assert set(read_package(tmp_path / "bare")) & {"seal-sha256.txt"} == set()
