"""Identity of calls: canonical JSON, urls, boundaries, digests, content encodings, bodies."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import struct
import zlib
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier import build
from verifier import encodings
from verifier.bodies import BODIES, check_body
from verifier.calls import boundary_of, call_digest, media_type, replaced
from verifier.encodings import check_decoded, encodings_of
from verifier.errors import BadValue, Refused
from verifier.jcs import CALL_JSON_MAX_DEPTH, canonical, canonical_number
from verifier.policy import mismatches
from verifier.urls import SECRET_PARAMETERS, check_url, recorded_url

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=25,
)


def spelled(value: Any, data: st.DataObject) -> str:
    """Write a value as JSON in any of the ways in which it may be written."""
    space = data.draw(st.sampled_from(["", " ", "\n\t", "\r"]))
    if isinstance(value, dict):
        members = data.draw(st.permutations(list(value.items())))
        parts = [f"{spelled(k, data)}{space}:{spelled(v, data)}" for k, v in members]
        return f"{{{space}{(',' + space).join(parts)}{space}}}"
    if isinstance(value, list):
        return f"[{space}{(space + ',').join(spelled(v, data) for v in value)}{space}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    return space + json.dumps(value)


@given(values, st.data())
@settings(max_examples=300, deadline=None)
def test_canonical_is_that_of_another_library(value: Any, data: st.DataObject) -> None:
    """However a value is spelled, its form is the one that another implementation gives."""
    raw = spelled(value, data).encode()
    wanted = rfc8785.dumps(value)
    assert canonical(raw) == wanted
    # A double from 2^53 to 10^21 is written as an integer, which is no I-JSON any more.
    assert canonical(wanted) in (wanted, None)


@given(st.binary(max_size=60) | values.map(lambda v: json.dumps(v).encode()), st.data())
@settings(max_examples=300, deadline=None)
def test_reader_takes_only_json(raw: bytes, data: st.DataObject) -> None:
    """What is taken is JSON with the same value; what the standard library refuses is refused."""
    if raw and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + data.draw(st.binary(max_size=3)) + raw[at + 1 :]
    found = canonical(raw)
    if found is not None:
        both = [json.loads(text, parse_int=float) for text in (raw.decode(), found)]
        assert both[0] == both[1]
        assert canonical(found) in (found, None)


@given(st.binary(min_size=8, max_size=8))
@settings(max_examples=1000)
def test_numbers_of_all_doubles(raw: bytes) -> None:
    """Any double is written as ECMAScript writes it, and read back as itself."""
    (number,) = struct.unpack(">d", raw)
    if math.isfinite(number):
        text = canonical_number(number)
        assert text.encode() == rfc8785.dumps(number)
        assert float(text) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (1e21, "1e+21"), (1e20, "100000000000000000000"),
        (1e-6, "0.000001"), (1e-7, "1e-7"), (-1.5, "-1.5"), (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (4.5, "4.5"), (2e-3, "0.002"),
        (333333333.33333329, "333333333.3333333"), (9007199254740994.0, "9007199254740994"),
    ],
)  # fmt: skip
def test_numbers_of_the_rfc(number: float, text: str) -> None:
    """The edges of the notations."""
    assert canonical_number(number) == text


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"\xef\xbb\xbf1", b"1 2", b"[1,]", b"[,1]", b"[1 2]", b"{a:1}", b"{'a':1}",
        b'{"a":1,}', b'{"a"}', b'{"a":}', b'{"a":1 "b":2}', b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":2}',
        b"01", b"+1", b"1.", b".5", b"1e", b"0x1", b"-", b"NaN", b"Infinity", b"-Infinity", b"True",
        b"nul", b'"\n"', b'"\\x"', b'"\\u12"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff"', b'"a',
        b'{"\\ud800":1}', b"9007199254740992", b"-9007199254740992", b"1" * 5000, b"1e400",
        b"-1e999", b"[1,2", b"]", b"}", b"\x00", b"1\x0b", b"// x\n1", b'"\xed\xa0\x80"', b'"\\',
        b"[" * 65 + b"]" * 65, b"[" * 100_000, b'{"a":' * 100_000,
    ],
)  # fmt: skip
def test_reader_refuses(raw: bytes) -> None:
    """What is not I-JSON has no canonical form, however deep or long it is."""
    assert canonical(raw) is None


def test_reader_bounds() -> None:
    """The limits themselves are inside."""
    deep = b"[" * CALL_JSON_MAX_DEPTH + b"]" * CALL_JSON_MAX_DEPTH
    assert canonical(deep) == deep
    for raw in (b"9007199254740991", b"-9007199254740991", b"1e308", b"1e-400", b"-0"):
        assert canonical(raw) is not None
    assert canonical(b"[1, 2 ,3,\n-4 , 0,1.0]") == b"[1,2,3,-4,0,1]"
    many = json.dumps(list(range(1000))).encode()
    assert canonical(many) == many.replace(b" ", b"")


def slow_digest(
    method: str, url: str, headers: dict[str, str], body: bytes | None, key: bytes | None
) -> bytes:
    """The digest by the words of the page, for bodies that are JSON or have no boundary."""
    import hmac

    named = ("anthropic-beta", "anthropic-version", "openai-beta")
    members: dict[str, Any] = {"method": method, "url": url}
    members["headers"] = {n: headers[n] for n in named if n in headers}
    if body is not None:
        kind = headers.get("content-type")
        plain = None if kind is None else kind.split(";")[0].strip(" \t").lower()
        json_like = plain is None or plain == "application/json" or plain.endswith("+json")
        if json_like and canonical(body) is not None:
            members["body"] = json.loads(body)
        else:
            members["body_sha256"] = hashlib.sha256(body).hexdigest()
    text = rfc8785.dumps(members)
    return hashlib.sha256(text).digest() if key is None else hmac.digest(key, text, "sha256")


@given(
    body=st.none() | st.binary(max_size=40) | values.map(lambda v: json.dumps(v).encode()),
    headers=st.dictionaries(
        st.sampled_from(["anthropic-beta", "openai-beta", "x-other", "content-type"]),
        st.sampled_from(
            ["application/json", "Application/X+JSON ;a=b", "text/plain", "\u20ac", ""]
        ),
    ),
    key=st.none() | st.binary(min_size=32, max_size=32),
    data=st.data(),
)
@settings(max_examples=300, deadline=None)
def test_digest_by_the_page(
    body: bytes | None, headers: dict[str, str], key: bytes | None, data: st.DataObject
) -> None:
    """The digest is that of the obvious definition, in whatever pieces the body is read."""
    pieces = None
    if body is not None:
        cut = data.draw(st.integers(0, len(body)))
        pieces = (len(body), lambda: iter([body[:cut], body[cut:]]))
    found = call_digest("POST", "https://a/", headers, pieces, key)
    assert found == slow_digest("POST", "https://a/", headers, body, key)


@given(values, st.data())
@settings(max_examples=200, deadline=None)
def test_digest_does_not_see_spelling(value: Any, data: st.DataObject) -> None:
    """Order of names, white space and escapes do not make another call; a method does."""
    one, two = (spelled(value, data).encode() for _ in range(2))
    digests = {
        call_digest("POST", "u", {}, (len(r), lambda r=r: iter([r])), None) for r in (one, two)
    }
    assert len(digests) == 1
    assert call_digest("PUT", "u", {}, (len(one), lambda: iter([one])), None) not in digests


@given(
    st.lists(st.sampled_from([b"--B", b"B", b"-", b"x", b"BB", b"AB"]), max_size=20).map(b"".join),
    st.sampled_from([b"B", b"BB", b"--B", b"ABB", b"BxB"]),
    st.lists(st.integers(1, 5), max_size=40),
)
@settings(max_examples=300)
def test_boundary_replaced_in_pieces(body: bytes, boundary: bytes, cuts: list[int]) -> None:
    """Whatever the pieces, all of the body is searched from left to right."""
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(body[at : at + cut])
        at += cut
    pieces.append(body[at:])
    assert b"".join(replaced(iter(pieces), boundary)) == body.replace(boundary, b"vif-boundary")


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data;BOUNDARY="a b" ; x=y', b"a b"),
        ("multipart/form-data; x; boundary=a; boundary=b", b"a"),
        ("multipart/form-data; boundary=" + "a" * 71, b""),
        ("multipart/form-data; boundary=", b""),
        ('multipart/form-data; boundary=""', b""),
        ("multipart/form-data; boundary=a\u20ac", b""),
        ("multipart/form-data; boundary =a", b""),
        ("multipart/form-data", b""),
        ('multipart/form-data; boundary="a', b""),
    ],
)
def test_boundary(content_type: str, boundary: bytes) -> None:
    """The boundary is taken by one simple rule, and counts only if it is a plain one."""
    assert media_type(content_type) == "multipart/form-data"
    assert boundary_of(content_type) == boundary


def test_multipart_is_one_call() -> None:
    """Two uploads of the same form have one digest, whatever their random boundaries."""
    digests = set()
    for boundary in (b"aaaa1111", b"zz"):
        body = b"--" + boundary + b"\r\n\r\nfile\r\n--" + boundary + b"--\r\n"
        kind = {"content-type": "multipart/form-data; boundary=" + boundary.decode()}
        pieces = (len(body), lambda body=body: iter([body[:7], body[7:]]))
        digests.add(call_digest("POST", "https://a/", kind, pieces))
    assert len(digests) == 1


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7F), max_size=40))
@settings(max_examples=300)
def test_recorded_url_is_stable(tail: str) -> None:
    """What is recorded is recorded as itself, has no credentials and no secret parameter."""
    for text in ("https://" + tail, "HTTP://u:p@Host:80/" + tail, "https://a/?" + tail):
        try:
            found = recorded_url(text)
        except BadValue:
            continue
        assert recorded_url(found) == found
        check_url(found)
        assert "#" not in found
        assert "u:p" not in found.partition("/?")[0].split("://")[1].split("/")[0]


@pytest.mark.parametrize("name", sorted(SECRET_PARAMETERS))
def test_secret_parameters(name: bytes) -> None:
    """A parameter that carries a secret is never recorded, however it is written."""
    encoded = "".join(f"%{byte:02X}" for byte in name)
    for spelling in (name.decode(), name.decode().upper(), encoded):
        url = f"https://a/x?b=1&{spelling}=secret&c"
        assert recorded_url(url) == "https://a/x?b=1&c"
        with pytest.raises(BadValue):
            check_url(url)


@given(
    st.binary(max_size=3000), st.lists(st.sampled_from(["gzip", "deflate", "raw"]), max_size=3),
    st.integers(1, 2000),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_encodings_undone(plain: bytes, applied: list[str], size: int) -> None:
    """Encodings are undone last first, whatever the pieces; another body is refused."""
    wire = plain
    for one in applied:
        wbits = -15 if one == "raw" else 15
        wire = gzip.compress(wire) if one == "gzip" else zlib.compress(wire, wbits=wbits)
    header = ", ".join("Deflate" if one != "gzip" else "X-Gzip" for one in applied)
    named = encodings_of(header)
    assert named is not None
    pieces = [wire[i : i + size] for i in range(0, len(wire), size)]
    assert check_decoded(pieces, named, build.sha(plain), len(plain))
    for sha, length in ((build.sha(b"x" + plain), len(plain)), (build.sha(plain), len(plain) + 1)):
        with pytest.raises(Refused, match="decoded_mismatch"):
            check_decoded(pieces, named, sha, length)


def test_encodings_of_streams() -> None:
    """Several members count whole; what was cut off counts as far as it goes; junk is refused."""
    two = gzip.compress(b"one") + gzip.compress(b"two")
    assert check_decoded([two], ["gzip"], build.sha(b"onetwo"), 6)
    long = bytes(range(256)) * 500
    cut = gzip.compress(long)[:-20]
    held = zlib.decompressobj(31).decompress(cut)
    assert check_decoded([cut], ["gzip"], build.sha(held), len(held))
    for junk in (b"no gzip at all", gzip.compress(b"x") + b"trailing"):
        with pytest.raises(Refused, match="decoded_mismatch"):
            check_decoded([junk], ["gzip"], build.sha(b"x"), 1)
    with pytest.raises(Refused, match="decoded_mismatch"):
        check_decoded([zlib.compress(b"x") + b"y"], ["deflate"], build.sha(b"x"), 1)
    assert encodings_of("br") is None
    assert encodings_of("gzip, zstd") is None
    assert encodings_of("") == []


def test_bomb_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    """What claims little is stopped there; what claims much is left at the bound."""
    bomb = gzip.compress(bytes(1 << 24))
    with pytest.raises(Refused, match="longer"):
        check_decoded([bomb], ["gzip"], bytes(32), 1000)
    monkeypatch.setattr(encodings, "DECODED_MAX_BYTES", 1 << 20)
    assert not check_decoded([bomb], ["gzip"], bytes(32), 1 << 40)
    assert not check_decoded([gzip.compress(bomb)], ["gzip", "gzip"], bytes(32), 1 << 40)


@pytest.mark.parametrize(
    ("cost", "code"),
    [
        ({"cost_usd": 0.000018, "usage": {"in": 4, "out": 5}, "prices": {"in": 2.0, "out": 2.0}},
         None),
        ({"cost_usd": 0.00002, "usage": {"in": 4, "out": 5}, "prices": {"in": 2.0, "out": 2.0}},
         "cost_mismatch"),
        ({"cost_usd": 0.0, "usage": {"x": 2**63 - 1}, "prices": {"x": 1e308}}, "cost_mismatch"),
        ({"cost_usd": 0.1, "usage": {"in": 4}}, "body_invalid"),
        ({"usage": {"in": 4}, "prices": {"in": 1.0}}, "body_invalid"),
        ({"cost_usd": 0.1, "prices": {"in": 1.0}}, "body_invalid"),
        ({"cost_usd": 0.1, "usage": {"in": 4}, "prices": {"out": 1.0}}, "body_invalid"),
        ({"usage": {}}, "body_invalid"),
        ({"usage": {"In": 1}}, "body_invalid"),
        ({"usage": {"blake3": 1}}, "body_invalid"),
        ({"usage": {f"u{i}": 1 for i in range(17)}}, "body_invalid"),
        ({"usage": {"in": 4}}, None),
    ],
)  # fmt: skip
def test_cost(cost: dict[str, Any], code: str | None) -> None:
    """A cost follows from usage and prices, added in the order of the encoding."""
    if "cost_usd" in cost:
        cost = {**cost, "price_table": "p"}
    ledger = build.Ledger()
    at = ledger.add("witness", {**build.witness(), "cost": cost})
    p = build.payload(ledger.entries[at])
    from verifier import cbor

    try:
        check_body(p, cbor.find_marked(p, "blake3"), False)
        found = [e.code for e in mismatches(p["body"])]
    except BadValue as e:
        found = [e.code]
    assert found == ([code] if code else [])


REF = build.ref(b"x")
OPEN = {"run": 1, "writer": "w", "on_unknown": "ask", "environment": REF, "frozen": []}
INTENT = {
    "call": {"digest": bytes(32), "replicate": 1}, "attempt": 1, "method": "POST",
    "url": "https://a/", "request": REF,
}  # fmt: skip
CLOSE = {"run": 1, "status": "complete", "answered": 0, "failed": 0, "unknown": 0, "reused": 0,
         "unpriced": 0}  # fmt: skip
FILE = {"role": "file", "name": "a", "content": REF}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("session_open", OPEN, [{"run": 0}, {"run": 2}, {"previous": "killed"}, {"changed": []},
                                {"frozen": [FILE, FILE]}, {"call_key": REF}, {"on_unknown": "x"},
                                {"frozen": [{**FILE, "role": "x"}]}, {"budget_usd": 1}]),
        ("intent", INTENT, [{"attempt": 2}, {"after": "failed"}, {"method": "post"},
                            {"url": "https://a"}, {"url": "https://u@a/"}, {"stage": "a b"},
                            {"request": {**REF, "size_bytes": 0}}, {"request_headers": {}},
                            {"request_headers": {"authorization": "x"}}, {"model": ""},
                            {"call": {"digest": bytes(31), "replicate": 1}},
                            {"call": {"digest": bytes(32), "replicate": 0}}]),
        ("outcome", {"status": "answered", "http_status": 200, "streaming": "closed"},
         [{"http_status": 300}, {"reason": "timeout"}, {"streaming": "error"}, {"status": "failed"},
          {"decoded": {"sha256": bytes(32), "size_bytes": 1}}, {"duration_ms": 1}]),
        ("outcome", {"status": "unknown", "reason": "killed"},
         [{"duration_ms": 1.0}, {"reason": "stream"}, {"reason": "x"}, {"response": REF}]),
        ("outcome", {"status": "unknown", "reason": "stream", "streaming": "error"},
         [{"streaming": "complete"}, {"reason": "timeout"}]),
        ("outcome", {"status": "failed", "reason": "not_sent"},
         [{"http_status": 500}, {"reason": "http_status"}, {"status": "unknown"}]),
        ("reuse", {"calls": 1}, [{"calls": 0}, {"calls": 257}]),
        ("savepoint", {"stage": "s", "complete": True, "state": REF},
         [{"stage": ""}, {"complete": 1}, {"state": {}}]),
        ("session_close", CLOSE, [{"status": "killed"}, {"reason": "x"}, {"answered": -1},
                                  {"status": "interrupted"}, {"cost_usd": -1.0}, {"run": 0}]),
    ],
)  # fmt: skip
def test_session_bodies(kind: str, good: dict[str, Any], bad: list[dict[str, Any]]) -> None:
    """Each table takes what its page says and refuses the values beside it."""
    table = BODIES[kind]
    table(good)
    assert table.all([good, good])
    for change in [*bad, {"note": 1}]:
        with pytest.raises(BadValue):
            table({**good, **change})
        assert not table.all([good, {**good, **change}])
    for name in good:
        if name not in ("request", "streaming"):
            with pytest.raises(BadValue):
                table({k: v for k, v in good.items() if k != name})
