"""Text of strangers on a terminal: what is dangerous becomes visible, everything else stays."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.cli.text import clip, counted, human_bytes, pad, visible, visible_json, width

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@given(text=ANY_TEXT)
def test_nothing_that_a_terminal_obeys_comes_out(text: str) -> None:
    """Whatever the text, no control, format or separator character is left but the joiners."""
    left = {c for c in visible(text) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert left <= {"\u200c", "\u200d"}


@given(text=ANY_TEXT)
def test_json_keeps_its_value(text: str) -> None:
    """Making a JSON document safe for a terminal changes no value in it."""
    document = json.dumps({"text": text}, ensure_ascii=False)
    assert json.loads(visible_json(document)) == {"text": text}
    assert "\x9b" not in visible_json(document)
    assert "\u202e" not in visible_json(document)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Zürich, 東京, می‌خواهم, 👩‍🔬", "Zürich, 東京, می‌خواهم, 👩‍🔬"),
        ("a\tb\nc\r", "a\\tb\\nc\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b\x7f", "\\x9b\\x7f"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_escapes_are_readable(text: str, shown: str) -> None:
    """Scripts of all languages stay as they are; what is invisible is named."""
    assert visible(text) == shown


def test_line_ends_can_be_kept() -> None:
    """A content of several lines keeps its lines and nothing else."""
    assert visible("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


@given(text=st.text(), columns=st.integers(1, 40))
def test_columns_are_kept(text: str, columns: int) -> None:
    """Clipped text fits, padded text fills its columns, also with wide letters."""
    assert width(clip(visible(text), columns)) <= columns
    assert width(pad(visible(text), columns)) == columns


def test_numbers_are_for_people() -> None:
    """Sizes have a unit and one decimal; one thing is not called many."""
    assert [human_bytes(n) for n in (0, 999, 1000, 41_234, 999_950, 12_000_000_000_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "41.2 kB",
        "1.0 MB",
        "12.0 TB",
    ]
    assert [counted(n, "witness", "witnesses") for n in (0, 1, 2000)] == [
        "0 witnesses",
        "1 witness",
        "2,000 witnesses",
    ]
