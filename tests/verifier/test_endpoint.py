"""Requests sent again to an endpoint: honest, wrong, slow, hostile (specs/13 section 11)."""

from __future__ import annotations

import gzip
import json
import socket
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier import build, replan, serving
from tests.verifier.replan import JSON, Shop, answer
from tests.verifier.serving import Server, answering, endless, sending
from verifier import Report, posting, verify_package
from verifier.__main__ import main
from verifier.endpoint import addresses_of, parse_endpoint
from verifier.engines import Way
from verifier.errors import Fatal

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
BODY = answer()


def asked(**more: Any) -> Shop:
    """A ledger with one chat completion that can be asked for again."""
    s = Shop()
    raw = s.raw(b'{"messages":[ 1 ]}', BODY, openai_beta="z")
    given = {"raw": raw, "output": {"output_hash": s.ref(b"Hello")}, **more}
    s.witness("chat", **given)
    return s


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A package of such a ledger, and its pins."""
    return pack(asked(), tmp_path_factory.mktemp("packed"))


def pack(s: Shop, folder: Path, **given: Any) -> tuple[Path, dict[str, str]]:
    files = build.package(s.ledger, **given)
    head = f"{len(s.ledger.entries)}:{s.ledger.root().hex()}"
    return build.write(files, folder / "p"), {"trust": s.ledger.genesis.hex(), "known_head": head}


def run(packed: tuple[Path, dict[str, str]], url: str, timeout: float = 5, **given: Any) -> Report:
    path, pins = packed
    return verify_package(
        path,
        **pins,
        replay_endpoint=url,
        replay_timeout=timeout,
        **given,  # type: ignore[arg-type]
    )


def only(report: Report) -> dict[str, Any]:
    assert report.replay_run is not None
    (one,) = report.replay_run["runs"]
    found: dict[str, Any] = one
    return found


def weighing(report: Report) -> list[str]:
    return [f["code"] for f in report.findings if f["severity"] in ("fail", "limit", "fatal")]


def refused_at(packed: tuple[Path, dict[str, str]], behave: serving.Behaviour,
               timeout: float = 5) -> str:  # fmt: skip
    """Why an endpoint gave no answer; the package is limited by it, and nothing more."""
    with serving.serving(behave) as server:
        report = run(packed, server.url, timeout)
    assert weighing(report) == ["endpoint_failed"]
    one = only(report)
    assert (one["reason"], one["level"], report.exit_code) == ("engine_failed", "archive", 3)
    assert one["levels"] == {"archive": "match", "text": "not_run", "tokens": "not_run",
                             "logprobs": "not_run", "bits": "not_run"}  # fmt: skip
    assert report.status("replay") == "limited"
    message: str = one["message"]
    return message


def test_the_same_answer(packed: tuple[Path, dict[str, str]]) -> None:
    """The recorded bytes go to the recorded path, and what comes back is compared."""
    with serving.serving(answering(BODY)) as server:
        report = run(packed, server.url)
    assert weighing(report) == []
    assert (report.exit_code, report.status("replay")) == (0, "verified")
    assert report.summaries["replay"] == "1 request, 1 reproduced"
    one = only(report)
    assert one["levels"] == {"archive": "match", "text": "match", "tokens": "match",
                             "logprobs": "match", "bits": "not_observable"}  # fmt: skip
    assert (one["level"], one["reason"], one["first_difference"]) == ("logprobs", None, None)
    assert report.replay_run is not None
    members = {k: report.replay_run[k] for k in ("endpoint", "level", "asked", "reproduced")}
    assert members == {"endpoint": server.url, "level": "text", "asked": 1, "reproduced": 1}
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == b'{"messages":[ 1 ]}'
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /v1/chat/completions HTTP/1.1"
    assert sorted(lines) == sorted([
        f"host: 127.0.0.1:{server.port}", "content-type: application/json",
        "content-length: 18", "accept: */*", "connection: close", "user-agent: vif-verify",
        "openai-beta: z",
    ])  # fmt: skip


def test_another_answer(packed: tuple[Path, dict[str, str]]) -> None:
    with serving.serving(answering(answer("Help!"))) as server:
        report = run(packed, server.url)
    assert (weighing(report), report.exit_code) == (["not_reproduced"], 3)
    one = only(report)
    assert (one["reason"], one["level"]) == ("output_differs", "archive")
    assert one["first_difference"] == {"character": 3}
    assert one["levels"]["tokens"] == "differs"  # the same tokens, after a text that differs
    assert one["message"] == "text differs, first at character 3"


@pytest.mark.parametrize(
    ("level", "code"),
    [("archive", None), ("tokens", None), ("logprobs", None), ("bits", "not_reproduced")],
)
def test_the_level_wanted(
    packed: tuple[Path, dict[str, str]], level: str, code: str | None
) -> None:
    """A level that cannot be observed is not reached."""
    with serving.serving(answering(BODY)) as server:
        report = run(packed, server.url, replay_level=level)
    assert weighing(report) == ([code] if code else [])
    assert only(report)["reason"] == ("not_observable" if code else None)


def test_bits_in_another_environment(tmp_path: Path) -> None:
    s = asked(model={"system_fingerprint": "fp"})
    where = {"model": "m-1", "system_fingerprint": "fp"}
    body = answer(**where)
    s = Shop()
    s.witness("chat", raw=s.raw(b'{"messages":[]}', body), model={"system_fingerprint": "fp"},
              output={"output_hash": s.ref(b"Hello")})  # fmt: skip
    package = pack(s, tmp_path)
    with serving.serving(answering(body)) as server:
        assert only(run(package, server.url, replay_level="bits"))["level"] == "bits"
    with serving.serving(answering(answer(**where | {"system_fingerprint": "x"}))) as server:
        one = only(run(package, server.url, replay_level="bits"))
    assert (one["level"], one["reason"]) == ("logprobs", "environment_differs")


def test_the_headers_of_the_intent(tmp_path: Path) -> None:
    """Content type and identity headers are those of the call; no other header is."""
    s = Shop()
    outcome = s.call(body=b'{"x":1}')
    told = build.payload(s.ledger.entries[outcome - 1])["body"]
    s.witness("call", [outcome], raw={"request": told["request"]},
              output={"output_hash": s.ref(b"Hello")})  # fmt: skip
    package = pack(s, tmp_path, signed=False)
    with serving.serving(answering(BODY)) as server:
        run(package, server.url)
        run(package, server.url + "/proxy/v9/")
    assert [one.split(b" ")[1] for one in server.requests] == [
        b"/openai/v1/chat/completions?api-version=7",
        b"/proxy/v9/chat/completions?api-version=7",
    ]
    lines = server.requests[0].split(b"\r\n")
    assert b"content-type: application/json; v=1" in lines
    assert b"openai-beta: b=1" in lines
    assert len(lines) == 1 + 7 + 2


@pytest.mark.parametrize("name", ["content_type", "anthropic_beta"])
def test_a_recorded_header_cannot_smuggle(tmp_path: Path, name: str) -> None:
    """A recorded value with a line break is not sent, and neither is the request."""
    s = Shop()
    raw = s.raw(b'{"messages":[]}', **{name: "a\r\nx-evil: 1"})
    s.witness("chat", raw=raw, output={"output_hash": s.ref(b"Hello")})
    package = pack(s, tmp_path)
    with serving.serving(answering(BODY)) as server:
        report = run(package, server.url)
    assert (weighing(report), server.requests) == (["endpoint_failed"], [])
    assert only(report)["message"].endswith("cannot be sent")


def test_who_is_asked_for(tmp_path: Path) -> None:
    """In order of index: those of an endpoint with request and output, and no others."""
    s = replan.shop()
    raw = s.raw(b'{"messages":[],"n":2}')
    out = {"output_hash": s.ref(b"Hello")}
    s.witness("again", raw=raw, output=out)
    erased = s.ref(b'{"messages":[],"n":3}', JSON)
    s.witness("erased", raw={"request": erased}, output=out)
    s.ledger.add("erasure", {"content": erased, "reason": "r"}, stream="admin")
    del s.ledger.contents[erased["blake3"]]
    package = pack(s, tmp_path)
    with serving.serving(answering(BODY)) as server:
        report = run(package, server.url)
    assert report.replay_run is not None
    indices = [one["index"] for one in report.replay_run["runs"]]
    assert indices == [s.at["chat"], s.at["again"]]
    assert len(server.requests) == 2


def test_only_the_selection_is_asked_for(tmp_path: Path) -> None:
    """A call of another session, slipped into a package of one, is not sent anywhere."""
    s = asked()
    raw = s.raw(b'{"messages":["private"]}')
    other = s.ledger.add(
        "witness",
        build.witness() | {"raw": raw, "output": {"output_hash": s.ref(b"Hello")}},
        stream="b",
        session="run-2",
    )
    path, pins = pack(s, tmp_path, kind="session", session="run-1", extra=[other])
    with serving.serving(answering(BODY)) as server:
        run((path, pins), server.url)
    assert len(server.requests) == 1
    assert b"private" not in server.requests[0]


def test_an_archive_that_is_not_whole(tmp_path: Path) -> None:
    """The answer is the same, the recorded one was erased: no level is reached."""
    s = asked()
    gone = build.payload(s.ledger.entries[s.at["chat"]])["body"]["raw"]["response"]
    s.ledger.add("erasure", {"content": gone, "reason": "r"}, stream="admin")
    del s.ledger.contents[gone["blake3"]]
    with serving.serving(answering(BODY)) as server:
        report = run(pack(s, tmp_path), server.url)
    one = only(report)
    assert (weighing(report), one["reason"], one["level"]) == (
        ["not_reproduced"], "content_missing", "none",
    )  # fmt: skip
    assert (one["levels"]["archive"], one["levels"]["text"]) == ("differs", "differs")


def test_a_witness_with_a_finding_is_not_asked_for(tmp_path: Path) -> None:
    """An altered request, a wrong band, a plan that says otherwise: nothing is sent."""
    s = asked()
    path, pins = pack(s, tmp_path, signed=False)
    ref = build.payload(s.ledger.entries[s.at["chat"]])["body"]["raw"]["request"]
    address = ref["blake3"].hex()
    (path / f"data/content/{address[:2]}/{address}").write_bytes(b'{"messages":[ 2 ]}')
    with serving.serving(answering(BODY)) as server:
        report = run((path, pins), server.url)
    assert (report.exit_code, server.requests) == (1, [])
    s = asked(uncertainty={"confidence_band": "C"})
    package = pack(s, tmp_path / "band")
    with serving.serving(answering(BODY)) as server:
        report = run(package, server.url)
    assert ("band_mismatch" in weighing(report), server.requests) == (True, [])
    s = asked()
    s.reason("chat", "not_recorded")
    package = pack(s, tmp_path / "plan", more=s.files())
    with serving.serving(answering(BODY)) as server:
        report = run(package, server.url)
    assert (weighing(report), server.requests) == (["plan_mismatch"], [])


def test_an_endpoint_that_is_not_there(packed: tuple[Path, dict[str, str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    report = run(packed, f"http://127.0.0.1:{port}")
    assert weighing(report) == ["endpoint_failed"]
    assert "refused" in only(report)["message"]


@pytest.mark.parametrize("status", ["500 Oops", "404 No", "204 Nothing", "201 Made", "101 Other"])
def test_another_status_is_no_answer(packed: tuple[Path, dict[str, str]], status: str) -> None:
    assert refused_at(packed, answering(BODY, status)) == f"status {status[:3]}"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_no_redirect_is_followed(packed: tuple[Path, dict[str, str]], status: str) -> None:
    """The place that an endpoint points to sees no request."""
    with serving.serving(answering(BODY)) as target:
        behave = answering(b"", status, f"location: {target.url}/v1/chat/completions")
        assert refused_at(packed, behave) == f"status {status[:3]}"
        assert target.requests == []


def test_no_proxy_is_used(
    packed: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving.serving(answering(BODY)) as proxy, serving.serving(answering(BODY)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert weighing(run(packed, server.url)) == []
        assert (len(server.requests), proxy.requests) == (1, [])


@pytest.mark.parametrize(
    "behave",
    [
        serving.hanging,
        serving.deaf,
        endless(b"", b"H", 0.05),
        endless(OK, b"a", 0.05),
        endless(OK, b"x-a: b\r\n", 0.05),
        endless(OK + b"content-length: 1000\r\n\r\n", b"a", 0.05),
        endless(CHUNKED, b"1\r\na\r\n", 0.05),
        endless(CHUNKED, b"0", 0.05),
        endless(OK + b"\r\n", b"data: {}\n\n", 0.05),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["hangs", "deaf", "drips-status", "drips-line", "drips-headers", "drips-body",
         "drips-chunks", "drips-chunk-size", "drips-stream", "drips-continue", "continues"],
)  # fmt: skip
def test_time_is_up_however_slowly_it_comes(
    packed: tuple[Path, dict[str, str]], behave: serving.Behaviour
) -> None:
    """Every byte arrives well within the limit; the whole does not."""
    message = refused_at(packed, behave, 0.4)
    assert message == "no whole answer within 0.4 seconds"


def test_sending_ends_in_time(tmp_path: Path) -> None:
    """A large request to an endpoint that reads nothing."""
    s = Shop()
    request = json.dumps({"messages": "x" * 20_000_000}).encode()
    s.witness("big", raw=s.raw(request), output={"output_hash": s.ref(b"Hello")})
    assert refused_at(pack(s, tmp_path), serving.deaf, 0.4).startswith("no whole answer")


@pytest.mark.parametrize(
    "behave",
    [
        sending(OK + b"content-length: 10000000000\r\n\r\n" + b"a" * 1000),
        endless(OK + b"\r\n", b"a" * 65536),
        endless(CHUNKED, b"10000\r\n" + b"a" * 65536 + b"\r\n"),
        endless(CHUNKED, b"fffffffff\r\n" + b"a" * 65536),
        endless(CHUNKED, b"-1\r\n" + b"a" * 65536),
        endless(CHUNKED, b"1;" + b"e" * 60000 + b"\r\na\r\n"),
        endless(CHUNKED + b"0\r\n", b"x: " + b"e" * 60000 + b"\r\n"),
        endless(OK + b"content-length: -5\r\n\r\n", b"a" * 65536),
    ],
    ids=["says-10-GB", "stream", "chunks", "one-chunk", "negative-chunk", "extensions",
         "trailers", "negative-length"],
)  # fmt: skip
def test_reading_stops_at_the_bound(
    packed: tuple[Path, dict[str, str]], behave: serving.Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that never ends is given up at its bound, without that memory."""
    monkeypatch.setattr(posting, "REPLAY_ANSWER_MAX_BYTES", 1 << 20)
    monkeypatch.setattr(posting, "_WIRE_MAX_BYTES", 2 << 20)
    tracemalloc.start()
    try:
        message = refused_at(packed, behave, 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "bytes" in message or message == "no answer: IncompleteRead"
    assert peak < 16 << 20


def test_a_bomb_is_not_unpacked(
    packed: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gigabyte in a megabyte, once and twice compressed."""
    monkeypatch.setattr(posting, "REPLAY_DECODED_MAX_BYTES", 1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    for body, encoding in ((bomb, "gzip"), (gzip.compress(bomb), "gzip, gzip")):
        tracemalloc.start()
        try:
            behave = answering(body, "200 OK", f"content-encoding: {encoding}")
            assert "when decoded" in refused_at(packed, behave, 20)
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("encoding", "pack_up"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
        ("deflate, gzip", lambda raw: gzip.compress(zlib.compress(raw))),
    ],
)
def test_an_encoding_is_undone(
    packed: tuple[Path, dict[str, str]], encoding: str, pack_up: Callable[[bytes], bytes]
) -> None:
    behave = answering(pack_up(BODY), "200 OK", f"content-encoding: {encoding}")
    with serving.serving(behave) as server:
        assert weighing(run(packed, server.url)) == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"not json", b"{}", b'{"choices":[]}', b"[" * 100_000, b"\xff\xfe"]
)
def test_an_answer_that_says_nothing(packed: tuple[Path, dict[str, str]], body: bytes) -> None:
    message = refused_at(packed, answering(body))
    assert message == "an answer without an output that can be read"


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        (sending(), "no answer: RemoteDisconnected"),
        (sending(OK + b"content-length: 1000\r\n\r\n" + BODY[:100]),
         "the connection ended before the answer"),
        (sending(CHUNKED + b"ff\r\nabc"), "no answer: IncompleteRead"),
        (sending(CHUNKED + b"zz\r\nabc"), "no answer: IncompleteRead"),
        (sending(b"220 smtp ready\r\n"), "no answer: BadStatusLine"),
        (sending(b"\x16\x03\x01" + bytes(100)), "no answer: BadStatusLine"),
        (sending(OK + b"x: y\r\n" * 200 + b"\r\n"), "no answer: HTTPException"),
        (answering(b"x", "200 OK", "content-encoding: br"),
         "an answer with a content encoding that cannot be undone"),
        (answering(b"x", "200 OK", "content-encoding: gzip"),
         "an answer without an output that can be read"),
    ],
)  # fmt: skip
def test_answers_that_are_none(
    packed: tuple[Path, dict[str, str]], behave: serving.Behaviour, message: str
) -> None:
    assert refused_at(packed, behave) == message


def test_a_stream_is_read(packed: tuple[Path, dict[str, str]]) -> None:
    parts = [{"choices": [{"index": 0, "delta": {"content": t}}]} for t in ("Hel", "lo")]
    body = b"".join(b"data: " + json.dumps(p).encode() + b"\n\n" for p in parts) + b"data: [DONE]"
    head = b"%x\r\n" % len(body)
    with serving.serving(sending(CHUNKED, head, body, b"\r\n0\r\n\r\n")) as server:
        one = only(run(packed, server.url))
    assert one["levels"] == {"archive": "match", "text": "match", "tokens": "not_observable",
                             "logprobs": "not_observable", "bits": "not_observable"}  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "http://10.0.0.1:8080",
        "http://0.0.0.0",
        "http://[::]",
        "http://169.254.169.254/latest",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://[fe80::1]",
        "http://[::ffff:10.0.0.1]",
        "http://localhost@example.org",
        "http://user:pw@localhost",
        "http://localhost?x=1",
        "http://localhost#x",
        "http://localhost:0",
        "http://localhost:99999",
        "ftp://localhost",
        "file:///etc/passwd",
        "localhost:8080",
        "http://",
        "http://local host",
        "http://localhost/a\r\nx-evil: 1",
        "",
    ],
)
def test_an_endpoint_that_is_refused(
    packed: tuple[Path, dict[str, str]], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is looked up, connected to, or verified."""

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a name was looked up or a connection made")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setattr(socket, "socket", never)
    report = run(packed, url)
    assert (weighing(report), report.exit_code) == (["usage"], 2)
    assert report.replay_run is None


def test_a_localhost_that_is_elsewhere(
    packed: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One address that is not of this machine is enough to refuse the name."""

    def lying(host: str, port: int, **_: Any) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", port)), (*kind, ("192.0.2.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    with serving.serving(answering(BODY)) as server:
        report = run(packed, f"http://localhost:{server.port}")
    assert (weighing(report), server.requests) == (["usage"], [])
    assert "192.0.2.1" in report.findings[0]["message"]


def test_the_address_is_looked_up_once(
    packed: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is what is connected to, even if the name changes its mind."""
    looked_up = []

    def once(host: str, port: int, **_: Any) -> list[Any]:
        looked_up.append(host)
        assert len(looked_up) == 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", once)
    with serving.serving(answering(BODY)) as server:
        assert weighing(run(packed, f"http://localhost:{server.port}")) == []
        assert f"host: localhost:{server.port}".encode() in server.requests[0]


def test_another_machine_if_it_is_allowed(
    packed: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

    monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
    with serving.serving(answering(BODY)) as server:
        report = run(packed, "http://replay.example.org", allow_remote=True)
    assert weighing(report) == []
    assert b"host: replay.example.org\r\n" in server.requests[0]


def test_plain_text_is_no_tls(packed: tuple[Path, dict[str, str]]) -> None:
    """With https, an endpoint that speaks something else gets no request."""
    with serving.serving(sending(b"HTTP/1.1 400 Bad\r\n\r\n")) as server:
        report = run(packed, server.url.replace("http:", "https:"), 2)
    assert weighing(report) == ["endpoint_failed"]
    assert not any(b"messages" in one for one in server.requests)


@pytest.mark.parametrize(
    ("url", "path", "expected"),
    [
        ("http://localhost", "/v1/messages?beta=1", "/v1/messages?beta=1"),
        ("http://localhost/", "/v1/messages?beta=1", "/v1/messages?beta=1"),
        ("http://localhost/x", "/v1/messages?beta=1", "/x/messages?beta=1"),
        ("http://localhost/x/y/", "/v1/messages", "/x/y/messages"),
        ("https://localhost:443/x", "/a/messages", "/x/messages"),
    ],
)
def test_where_a_request_goes(url: str, path: str, expected: str) -> None:
    way = Way("anthropic", "messages", path)
    assert parse_endpoint(url, False).target(way) == expected


def test_authorities() -> None:
    for url, expected in (
        ("http://LOCALHOST:80/", "localhost"), ("https://[::1]:8443", "[::1]:8443"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"), ("https://127.9.9.9", "127.9.9.9"),
    ):  # fmt: skip
        assert parse_endpoint(url, False).authority() == expected


def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    with pytest.raises(Fatal, match="has no address"):
        addresses_of(parse_endpoint("http://nowhere.example", True), True)


def test_wrong_calls(packed: tuple[Path, dict[str, str]]) -> None:
    for given in ({"replay_level": "all"}, {"timeout": 0}, {"timeout": float("nan")}):
        with pytest.raises(ValueError, match=r"level|replay_timeout"):
            run(packed, "http://localhost", **given)  # type: ignore[arg-type]


def test_the_command_line(
    packed: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text, JSON and page say what came back for each witness and level."""
    path, pins = packed
    call = [str(path), "--trust", pins["trust"], "--known-head", pins["known_head"],
            "--replay-timeout", "5"]  # fmt: skip
    with serving.serving(answering(answer("<b>\x1b[2J"))) as server:
        call += ["--replay-endpoint", server.url]
        assert main(call) == 3
        text = capsys.readouterr().out
        assert main([*call, "--json"]) == 3
        report = json.loads(capsys.readouterr().out)
        page = tmp_path / "r.html"
        assert main([*call, "--html", str(page), "--quiet"]) == 3
    assert f"replay at {server.url}: 1 request, 0 reproduced at text" in text
    assert "reached archive   archive=match text=differs tokens=differs" in text
    assert "output_differs: text differs, first at character 0" in text
    assert "\x1b" not in text
    assert report["replay_run"]["runs"][0]["levels"]["text"] == "differs"
    assert [*report].index("replay_run") == [*report].index("lineage") + 2
    html = page.read_text()
    assert f"Replay at {server.url}" in html
    assert "output_differs" in html
    capsys.readouterr()
    for wrong in (
        ["--replay-level", "all"],
        ["--replay-timeout", "x"],
        ["--replay-timeout", "-1"],
        ["--replay-timeout", "5"],
        ["--replay-level", "bits"],
        ["--allow-remote"],
    ):
        with pytest.raises(SystemExit):
            main([str(path), *wrong])
    assert main([str(path), "--replay-endpoint", "http://example.org"]) == 2
    assert "not localhost or a loopback address" in capsys.readouterr().err


def test_nothing_is_sent_without_being_asked(packed: tuple[Path, dict[str, str]],
                                             monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket, "socket", never)
    path, pins = packed
    report = verify_package(path, **pins)  # type: ignore[arg-type]
    assert (report.exit_code, report.to_dict()["replay_run"]) == (0, None)


def test_a_package_with_nothing_to_ask(tmp_path: Path) -> None:
    s = Shop()
    s.witness("plain")
    with serving.serving(answering(BODY)) as server:
        report = run(pack(s, tmp_path), server.url)
    assert (report.status("replay"), report.summaries["replay"]) == (
        "verified", "0 requests, 0 reproduced",
    )  # fmt: skip


def test_the_server_of_the_tests_stops() -> None:
    server = Server(serving.hanging)
    server.stop()
    assert server.over
