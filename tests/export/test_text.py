"""Hostile text made harmless for HTML and Markdown pages."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from ledger.export.text import excerpt, markdown_code, shown, size

HOSTILE = [
    "<script>alert(1)</script>",
    "`<b>`",
    "``` ``",
    "`",
    "[x](https://evil.example)",
    "https://evil.example www.evil.example a@evil.example",
    "![x](https://evil.example/x.png)",
    "a|b",
    "&lt;b&gt;",
    "\\`\\",
    " ",
    "# heading",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_span_holds_whatever_it_is_given(text: str) -> None:
    """A Markdown reader sees one code span with the text, no link, no image, no HTML."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = markdown.parseInline(f"before {markdown_code(text)} after")[0].children
    assert tokens is not None
    assert [token.type for token in tokens] == ["text", "code_inline", "text"]
    assert tokens[1].content.strip() == text.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("größe 🙂 日本", "größe 🙂 日本"),
        ("a\x00b\x1b[31m", "a⟨0000⟩b⟨001B⟩[31m"),
        ("a\x7f", "a⟨007F⟩"),
        ("\x9b31m", "⟨009B⟩31m"),
        ("invoice\u202egpj.exe", "invoice⟨202E⟩gpj.exe"),
        ("pay\u200bpal", "pay⟨200B⟩pal"),
        ("a\u2028b", "a⟨2028⟩b"),
        ("\u2066x\u2069", "⟨2066⟩x⟨2069⟩"),
        ("\U000e0041", "⟨E0041⟩"),
        ("a\nb", "a⟨000A⟩b"),
    ],
)
def test_unseen_characters_become_visible(text: str, expected: str) -> None:
    """Controls, bidirectional and zero-width characters cannot hide or reorder anything."""
    assert shown(text) == expected


def test_an_excerpt_is_one_bounded_line() -> None:
    """Line ends and runs of spaces become one space; the cut is marked."""
    assert excerpt("a\n\n  b\tc") == "a b c"
    assert excerpt("x" * 300) == "x" * 280 + "…"
    assert excerpt("") == ""
    assert excerpt(" " * 10_000 + "late") == "…"
    assert excerpt("a\x00b") == "a⟨0000⟩b"


def test_sizes_are_for_people() -> None:
    """Powers of 1,000 and one decimal."""
    assert [size(n) for n in (0, 999, 1000, 1_500_000, 10**15)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.5 MB",
        "1,000.0 TB",
    ]
