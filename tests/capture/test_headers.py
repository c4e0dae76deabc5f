"""Headers by allow-list above a floor, and the look for keys in bodies."""

from __future__ import annotations

import pytest

from ledger.capture.headers import HeaderAllowList
from ledger.capture.secrets import PATTERNS, find_secrets
from ledger.errors import RecordError
from ledger.model import SECRET_HEADERS, Raw

SECRET = "sk-proj-" + "a1B2" * 10


def test_only_allowed_headers_are_kept() -> None:
    """Names in lower case and in order; everything else is left out."""
    given = [("X-Request-Id", "r"), ("Content-Type", "a"), ("X-Internal", "i"), ("Cookie", "c")]
    assert HeaderAllowList().select(given) == {"content-type": "a", "x-request-id": "r"}


def test_a_configuration_can_only_extend() -> None:
    """Added names are kept, the default ones stay."""
    chosen = HeaderAllowList(["X-Internal"])
    assert chosen.select({"x-internal": "i", "date": "d"}) == {"date": "d", "x-internal": "i"}


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
def test_the_floor_cannot_be_configured_away(name: str) -> None:
    """Asking for a header that carries credentials is an error, in whatever case it is written."""
    with pytest.raises(RecordError, match="never recorded"):
        HeaderAllowList([name.title()])


@pytest.mark.parametrize("name", ["", "a b", "x_y", "blake3", "h" * 65])
def test_a_name_that_cannot_be_recorded_is_refused(name: str) -> None:
    """A name that would break the record breaks the configuration first."""
    with pytest.raises(RecordError, match="record_invalid"):
        HeaderAllowList([name])


def test_headers_that_come_twice_are_joined() -> None:
    """As RFC 9110 §5.3 says."""
    assert HeaderAllowList().select([("Server", "a"), ("server", "b")]) == {"server": "a, b"}


@pytest.mark.parametrize("value", [SECRET, "x" * 5000, "a\0b", "\ud800"])
def test_a_value_that_must_not_or_cannot_be_kept_is_left_out(value: str) -> None:
    """A key in an allowed header is not recorded, nor what has no room."""
    assert HeaderAllowList().select({"user-agent": value, "date": "d"}) == {"date": "d"}


def test_what_is_selected_always_fits_a_record() -> None:
    """However many headers are allowed and sent."""
    names = [f"x-{number}" for number in range(200)]
    chosen = HeaderAllowList(names).select(dict.fromkeys(names, "v" * 1000))
    assert 1 <= len(chosen) <= 64
    Raw(request_headers=chosen)


KEYS = {
    "Anthropic API key": "sk-ant-api03-" + "a" * 40,
    "OpenAI API key": SECRET,
    "AWS access key id": "AKIA" + "A1" * 8,
    "Google API key": "AIza" + "a" * 35,
    "Google OAuth token": "ya29." + "a" * 30,
    "GitHub token": "ghp_" + "a" * 36,
    "Hugging Face token": "hf_" + "a" * 34,
    "Groq API key": "gsk_" + "a" * 52,
    "xAI API key": "xai-" + "a" * 80,
    "Slack token": "xoxb-" + "1" * 12,
    "Stripe key": "sk_live_" + "a" * 24,
    "bearer token": "Bearer " + "a" * 30,
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", PATTERNS)
def test_well_known_keys_are_found_but_never_repeated(kind: str) -> None:
    """A finding says kind and place; the key itself is not in it."""
    key = KEYS[kind]
    found = find_secrets(f"é say {key}, please")
    assert [(finding.kind, finding.offset) for finding in found] == [(kind, len("é say ".encode()))]
    assert key not in repr(found)


@pytest.mark.parametrize("text", ["", "risk-averse task-list-of-many-words-and-more", "sk-learn"])
def test_ordinary_text_is_not_a_finding(text: str) -> None:
    """A prefix inside a word is none."""
    assert find_secrets(text) == ()
