"""Credentials are found where they stand, and nothing that is none."""

from __future__ import annotations

import io
from typing import Any

import pytest

from ledger.capture import redaction
from ledger.capture.redaction import (
    Secret,
    find_in_text,
    redact_document,
    redact_pieces,
    redact_text,
)
from tests.capture.foreign import KEY

PRIVATE = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"key {KEY} here", "key REDACTED here"),
        ('{"api_key": "abcdefgh1234"}', '{"api_key": "REDACTED"}'),
        ('{"Authorization": ["Bearer abcdefgh"]}', '{"Authorization": ["REDACTED"]}'),
        (
            '{"a": "{\\"api_key\\": \\"abcdefgh1234\\"}"}',
            '{"a": "{\\"api_key\\": \\"REDACTED\\"}"}',
        ),
        ("X_API_KEY=abcdefgh1234\n", "X_API_KEY=REDACTED\n"),
        ("x-api-key: abcdefgh12345678", "x-api-key: REDACTED"),
        ("grant_type=x&client_secret=abcd1234", "grant_type=x&client_secret=REDACTED"),
        ("GET https://h/p?a=1&key=abc#f", "GET https://h/p?a=1&key=REDACTED#f"),
        ("https://me:secretly@h/p", "https://REDACTED@h/p"),
        (f"before\n{PRIVATE}\nafter", "before\nREDACTED\nafter"),
    ],
)
def test_a_credential_is_replaced(text: str, left: str) -> None:
    """Only the value goes; what is left has none."""
    cleaned, hits = redact_text(text.encode())
    assert cleaned.decode() == left
    assert hits
    assert not find_in_text(cleaned)


@pytest.mark.parametrize(
    "text",
    [
        '{"token": "hello world", "logprob": -0.1}',
        '{"signature": "EqQBCkYIARgCKkD"}',
        '{"authorization": "REDACTED", "api_key": "<your key>"}',
        '{"prompt_tokens": 12, "max_tokens": "16384"}',
        'client = OpenAI(api_key=os.environ["OPENAI_API_KEY"])',
        "the password: it is none",
        "https://h/p?tokens=abc&keyword=def",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    """Words that only look like it are common in what models are asked."""
    assert redact_text(text.encode()) == (text.encode(), [])


def test_a_document_keeps_its_shape() -> None:
    """Headers as maps, lists or pairs; parts without a credential are the same objects."""
    document: dict[str, Any] = {
        "headers": {"authorization": ["Bearer abcdefgh"], "accept": ["*/*"]},
        "attributes": [{"key": "http.request.header.authorization", "value": {"s": "abc"}}],
        "rest": [1, None, {"text": "plain"}],
    }
    found = list[Secret]()
    cleaned = redact_document(document, "line 1", found)
    assert cleaned["headers"] == {"authorization": ["REDACTED"], "accept": ["*/*"]}
    assert cleaned["attributes"][0]["value"] == {"s": "REDACTED"}
    assert cleaned["rest"] is document["rest"]
    assert len(found) == 2
    assert "abc" not in str(found)


def test_a_key_on_the_edge_of_two_pieces_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read in pieces, and no key is cut in two; its line is told."""
    monkeypatch.setattr(redaction, "PIECE_BYTES", 1000)
    monkeypatch.setattr(redaction, "OVERLAP_BYTES", 200)
    for start in range(960, 1010):
        data = b"\n" * start + KEY.encode() + b"\n" * 3000
        found = list[Secret]()
        pieces = b"".join(redact_pieces(io.BytesIO(data), found))
        assert pieces == b"\n" * start + b"REDACTED" + b"\n" * 3000
        assert found == [Secret(f"line {start + 1}", "OpenAI API key")]
