"""Which headers pass through."""

from __future__ import annotations

import gzip

import pytest

from ledger.capture.exchange import Response
from ledger.proxy.headers import acceptable, forwarded, passed_back
from ledger.proxy.refusals import RefusalError


def test_headers_of_one_hop_stay_on_it() -> None:
    """Those of RFC 9110 and those that Connection names; everything else passes in its order."""
    said = forwarded(
        [
            (b"host", b"127.0.0.1:1"),
            (b"authorization", b"Bearer x"),
            (b"connection", b"keep-alive, X-Private"),
            (b"x-private", b"1"),
            (b"keep-alive", b"5"),
            (b"te", b"trailers"),
            (b"trailer", b"x"),
            (b"transfer-encoding", b"chunked"),
            (b"upgrade", b"h2c"),
            (b"proxy-authorization", b"Basic x"),
            (b"content-length", b"3"),
            (b"expect", b"100-continue"),
            (b"accept-encoding", b"gzip, br"),
            (b"x-twice", b"a"),
            (b"x-twice", b"b"),
        ]
    )
    assert said.headers == [
        (b"authorization", b"Bearer x"),
        (b"accept-encoding", b"gzip, br"),
        (b"x-twice", b"a"),
        (b"x-twice", b"b"),
    ]
    back = passed_back(
        [
            (b"Set-Cookie", b"a=1"),
            (b"Set-Cookie", b"b=2"),
            (b"Connection", b"close"),
            (b"vif-reused", b"true"),
        ]
    )
    assert back == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]


def test_the_own_headers_are_taken_out() -> None:
    """They say which call it is and of what stage, and the upstream does not see them."""
    said = forwarded([(b"vif-replicate", b"3"), (b"vif-stage", b"extraction"), (b"a", b"b")])
    assert (said.headers, said.replicate, said.stage) == ([(b"a", b"b")], 3, "extraction")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"vif-replicate", b"0")],
        [(b"vif-replicate", b"1000001")],
        [(b"vif-replicate", b"01")],
        [(b"vif-replicate", b"\xb2")],
        [(b"vif-replicate", b"1"), (b"vif-replicate", b"2")],
        [(b"vif-stage", b"")],
        [(b"vif-stage", b"a\x1bb")],
        [(b"vif-replicats", b"1")],
    ],
)
def test_own_headers_that_say_nothing_clear_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    """A misspelt name must not pass for none: what is paid for depends on it."""
    with pytest.raises(RefusalError) as refused:
        forwarded(headers)
    assert (refused.value.status, refused.value.code) == (400, "header_invalid")


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ("gzip, br", True),
        ("*", True),
        ("x-gzip", True),
        ("br", False),
        ("gzip;q=0", False),
        (None, False),
    ],
)
def test_a_recorded_answer_comes_in_a_coding_that_is_understood(
    asked: str | None, same: bool
) -> None:
    """As it was recorded where the client takes that, decoded where it does not."""
    headers = (("content-encoding", "gzip"), ("content-type", "text/plain"))
    recorded = Response(200, headers, gzip.compress(b"hello"))
    given = acceptable(recorded, [] if asked is None else [("accept-encoding", asked)])
    if same:
        assert given == recorded
    else:
        assert given == Response(200, (("content-type", "text/plain"),), b"hello")
