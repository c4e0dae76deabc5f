"""The look for keys in bodies: well-known ones are found, whatever stands around them."""

from __future__ import annotations

import base64
import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.capture.secrets import FINDINGS_MAX, PATTERNS, find_secrets

JWT = "eyJ" + "hbGciOiJ" * 3 + ".eyJ" + "zdWIiOiI" * 3 + "." + "s" * 43
KEYS = {
    "Anthropic API key": "sk-ant-api03-" + "a" * 40,
    "OpenRouter API key": "sk-or-v1-" + "0f" * 32,
    "OpenAI API key": "sk-proj-" + "a1B2" * 10,
    "AWS access key id": "AKIA" + "A1" * 8,
    "Google API key": "AIza" + "a" * 35,
    "Google OAuth token": "ya29." + "a" * 30,
    "Google OAuth client secret": "GOCSPX-" + "a" * 28,
    "GitHub token": "ghp_" + "a" * 36,
    "GitHub fine-grained token": "github_pat_" + "a" * 82,
    "GitLab token": "glpat-" + "a" * 20,
    "Hugging Face token": "hf_" + "a" * 34,
    "Groq API key": "gsk_" + "a" * 52,
    "xAI API key": "xai-" + "a" * 80,
    "Perplexity API key": "pplx-" + "a" * 48,
    "Replicate token": "r8_" + "a" * 37,
    "NVIDIA API key": "nvapi-" + "a" * 64,
    "Cerebras API key": "csk-" + "a" * 48,
    "Together API key": "tgp_v1_" + "a" * 43,
    "Databricks token": "dapi" + "0f" * 16,
    "LangSmith API key": "lsv2_pt_" + "0f" * 16 + "_" + "0f" * 5,
    "Slack token": "xoxb-" + "1" * 12,
    "Stripe key": "sk_live_" + "a" * 24,
    "SendGrid API key": "SG." + "a" * 22 + "." + "b" * 43,
    "npm token": "npm_" + "a" * 36,
    "PyPI token": "pypi-AgEIcHlwaS5vcmc" + "a" * 60,
    "Azure storage key": "AccountKey=" + "a" * 86 + "==",
    "Azure SAS signature": "https://a.blob.core.windows.net/c/b?sv=1&sig=" + "a" * 43 + "%3D",
    "AWS request signature": "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + "0f" * 32,
    "JSON web token": JWT,
    "bearer token": "Bearer " + "a" * 30,
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
}
PREFIXES = sorted({key[:5] for key in KEYS.values()} | {"eyJ", "sk-", "sig=", "&sig=", ".eyJ"})


def kinds(content: bytes | str) -> list[str]:
    return [finding.kind for finding in find_secrets(content)]


@pytest.mark.parametrize("kind", PATTERNS)
def test_well_known_keys_are_found_but_never_repeated(kind: str) -> None:
    """A finding says kind and place; the key itself is not in it."""
    key = KEYS[kind]
    found = find_secrets(f"é say {key}, please")
    assert [finding.kind for finding in found] == [kind]
    start = found[0].offset - len("é say ".encode())
    assert key.encode()[start : start + found[0].size_bytes] == key.encode()[start:]
    assert key not in repr(found)


@pytest.mark.parametrize("kind", PATTERNS)
@pytest.mark.parametrize(
    "around", ["key:\n{}\n", "\t{}", '"{}"', "key={}&", "<{}>", "`{}`", "({})", "{}", "key = '{}'"]
)
def test_a_key_is_found_in_the_json_of_a_prompt(kind: str, around: str) -> None:
    """Escapes before a key are no letters of a word; nor are they in JSON within JSON."""
    body = json.dumps({"messages": [{"role": "user", "content": around.format(KEYS[kind])}]})
    assert kind in kinds(body)
    assert kind in kinds(json.dumps({"arguments": body}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "risk-averse task-list-of-many-words-and-more",
        "sk-learn",
        "desk-organizing-habits-for-small-rooms",
        "the design=sig=abc",
        "hf_hub_download_with_a_very_long_function_name",
        "npm_config_registry",
        "dapivot",
        "sk-short",
        "AKIAIOSFODNN7EXAMPLEANDMORELETTERS",
        "eyJhbGciOiJub25lIn0",
        "-----BEGIN PUBLIC KEY-----",
    ],
)
def test_ordinary_text_is_not_a_finding(text: str) -> None:
    """A prefix inside a word is none, nor is one without its key."""
    assert find_secrets(text) == ()


def test_images_are_not_findings() -> None:
    """Base64 has every short prefix in it by chance, and yet no key begins within it."""
    data = base64.b64encode(random.Random(7).randbytes(3 << 20))
    assert find_secrets(b'{"image_url":"data:image/png;base64,' + data + b'"}') == ()


def test_no_more_than_a_hundred_places_are_named() -> None:
    """In order of place, the first ones."""
    found = find_secrets(" ".join([KEYS["GitHub token"]] * 300))
    assert len(found) == FINDINGS_MAX
    assert found[-1].offset == 41 * (FINDINGS_MAX - 1)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300) | st.lists(st.sampled_from(PREFIXES), max_size=40).map("".join))
def test_anything_can_be_looked_into(content: bytes | str) -> None:
    """Whatever the bytes, findings are within them."""
    size = len(content if isinstance(content, bytes) else content.encode())
    assert all(
        0 <= one.offset <= one.offset + one.size_bytes <= size for one in find_secrets(content)
    )


@pytest.mark.parametrize("kind", PATTERNS)
def test_every_repetition_is_bounded(kind: str) -> None:
    """No pattern has `*`, `+` or `{n,}`: what one attempt can read has a limit."""
    source = re.sub(rb"\\.|\[[^\]]*\]", b"c", PATTERNS[kind].pattern)
    assert not re.search(rb"[*+]|\{[0-9]+,\}", source)


@pytest.mark.parametrize(
    "piece",
    [
        *("sk-", " sk-", "eyJ", ".eyJaaaaaaaaaaa", " eyJaaaaaaaaaaa.eyJ", "xoxb-", "AKIA"),
        *("&sig=%3", "&sig=" + "a" * 50, "bearer ", "-----BEGIN RSA ", "%2dsk-"),
        *("\\nsk-" + "a" * 19, "SG." + "a" * 22),
    ],
)
def test_text_made_to_be_read_again_and_again_is_read_once(piece: str) -> None:
    """A megabyte of beginnings that lead to nothing: with quadratic time this would not end."""
    assert len(find_secrets(piece * ((1 << 20) // len(piece)))) <= 1
