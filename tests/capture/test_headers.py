"""Headers by allow-list above a floor."""

from __future__ import annotations

import pytest

from ledger.capture.headers import DEFAULT_HEADERS, HeaderAllowList
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


RATE_LIMITS = {
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "12ms",
    "anthropic-ratelimit-input-tokens-remaining": "49000",
    "anthropic-ratelimit-requests-reset": "2026-11-20T10:41:00Z",
}
PROTOCOL = {"anthropic-beta": "a", "openai-beta": "assistants=v2", "x-ms-region": "East US"}
ACCOUNT = ("openai-organization", "openai-project", "anthropic-organization-id", "x-api-key")


def test_how_a_call_went_is_kept_and_whose_account_it_was_is_not() -> None:
    """Rate limits and protocol versions are kept by default; identities of an account are not."""
    given = {**RATE_LIMITS, **PROTOCOL, **dict.fromkeys(ACCOUNT, "org-1")}
    assert HeaderAllowList().select(given) == dict(sorted({**RATE_LIMITS, **PROTOCOL}.items()))


def test_the_default_list_never_names_a_secret() -> None:
    """Nothing of the floor is on the list, and every name on it can be recorded."""
    assert not DEFAULT_HEADERS & SECRET_HEADERS
    for name in DEFAULT_HEADERS:
        Raw(request_headers={name: "v"})
