"""Where a request may go: the paths of an upstream, and nowhere else."""

from __future__ import annotations

import pytest

from ledger.errors import LedgerError
from ledger.proxy.refusals import RefusalError
from ledger.proxy.target import Targets, check_origin, parse_upstream

TARGETS = Targets(
    [
        parse_upstream("openai=https://api.openai.com/v1"),
        parse_upstream("anthropic=https://api.anthropic.com"),
    ]
)


@pytest.mark.parametrize(
    ("path", "query", "url"),
    [
        (b"/openai/v1/chat/completions", b"", "https://api.openai.com/v1/chat/completions"),
        (b"/openai/v1", b"a=1", "https://api.openai.com/v1?a=1"),
        (b"/openai/v1/models/org%2Fname", b"", "https://api.openai.com/v1/models/org%2Fname"),
        (b"/openai/v1/a//b", b"", "https://api.openai.com/v1/a//b"),
        (b"/openai/v1/a;b=1", b"x[]=%20&y", "https://api.openai.com/v1/a;b=1?x[]=%20&y"),
        (b"/anthropic/v1/messages", b"", "https://api.anthropic.com/v1/messages"),
        (b"/anthropic/@evil.org/", b"", "https://api.anthropic.com/@evil.org/"),
    ],
)
def test_a_path_below_an_upstream_goes_there(path: bytes, query: bytes, url: str) -> None:
    """Path and query are handed on as they are, behind the address of the upstream."""
    assert TARGETS.url(path, query) == url


@pytest.mark.parametrize(
    "path",
    [
        b"http://evil.org/v1/models",
        b"evil.org:443",
        b"*",
        b"",
        b"//evil.org/openai/v1/models",
        b"/openai/v1/../../admin",
        b"/openai/v1/..",
        b"/openai/v1/%2e%2e/admin",
        b"/openai/v1/.%2E/admin",
        b"/openai/v1/..%2fadmin",
        b"/openai/v1/x%2f..%2f..%2fadmin",
        b"/openai/v1/..;x/admin",
        b"/openai/v1/./models",
        b"/openai/v1/..\\admin",
        b"/openai/v1/%5c..%5cadmin",
        b"/openai/v1/a%00b",
        b"/openai/v1/a%0d%0aHost:%20evil",
        b"/openai/v1/a#b",
        b"/openai/v1/a b",
        b"/openai/v1/\xff",
    ],
)
def test_what_is_no_plain_path_is_refused(path: bytes) -> None:
    """Other forms of a target, dot segments in every spelling and odd characters are a 400."""
    with pytest.raises(RefusalError) as refused:
        TARGETS.url(path, b"")
    assert (refused.value.status, refused.value.code) == (400, "target_invalid")


@pytest.mark.parametrize(
    "path",
    [b"/", b"/openai", b"/openai/", b"/openai/v10/x", b"/openai/V1/x", b"/openaiv1", b"/v1/x"],
)
def test_what_is_below_no_upstream_is_unknown(path: bytes) -> None:
    """The path of an upstream ends at a slash, and letters keep their case."""
    with pytest.raises(RefusalError) as refused:
        TARGETS.url(path, b"")
    assert (refused.value.status, refused.value.code) == (404, "target_unknown")


def test_an_upstream_is_an_address_without_credentials() -> None:
    """Scheme, host, port and path, in one form; what else an URL may hold is refused."""
    found = parse_upstream("HTTPS://API.example.org:443/v1/")
    assert (found.name, found.url, found.local) == ("", "https://api.example.org/v1", "/v1")
    named = parse_upstream("my-lab=http://localhost:11434/v1")
    assert (named.name, named.local) == ("my-lab", "/my-lab/v1")
    for wrong in (
        "api.openai.com/v1",
        "ftp://host/",
        "https://me:secret@host/v1",
        "https://host/v1?key=x",
        "https://host/v1#x",
        "https://host/v1/../x",
        "https://",
        "",
    ):
        with pytest.raises(LedgerError) as refused:
            parse_upstream(wrong)
        assert refused.value.code == "usage"
    with pytest.raises(LedgerError, match="same name"):
        Targets([found, found])


@pytest.mark.parametrize(
    "host", ["127.0.0.1:80", "localhost", "[::1]:8080", "127.9.9.9", "LOCALHOST:1"]
)
def test_a_loopback_address_is_let_in(host: str) -> None:
    """By each of its names, and for pages of this machine."""
    check_origin(host, None)
    check_origin(host, "http://localhost:3000")


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        (None, None, 421),
        ("evil.org", None, 421),
        ("evil.org:8080", None, 421),
        ("127.0.0.1.evil.org", None, 421),
        ("127.0.0.1:80@evil.org", None, 421),
        ("10.0.0.1", None, 421),
        ("127.0.0.1:80", "https://evil.org", 403),
        ("127.0.0.1:80", "null", 403),
    ],
)
def test_what_a_web_page_sends_is_refused(
    host: str | None, origin: str | None, status: int
) -> None:
    """Neither a foreign page nor a name that resolves to this machine reaches the upstream."""
    with pytest.raises(RefusalError) as refused:
        check_origin(host, origin)
    assert refused.value.status == status
