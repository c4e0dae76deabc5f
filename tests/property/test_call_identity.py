"""Properties of calls: which requests are one call, and what is kept of a URL (specs/10 §7)."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.formats.call import (
    CALL_BODY_MAX_BYTES,
    CALL_JSON_MAX_DEPTH,
    IDENTITY_HEADERS,
    SECRET_PARAMETERS,
    call_digest,
    call_url,
    canonical,
    read_ijson,
)

URL = "https://api.example.org/v1/chat"
JSON = {"content-type": "application/json"}

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
keys = st.none() | st.binary(min_size=32, max_size=32)


def digest(body: bytes | None, headers: dict[str, str] = JSON, key: bytes | None = None) -> bytes:
    return call_digest("POST", URL, headers, body, key)


def shuffled(value: Any, data: st.DataObject) -> Any:
    """The same value with the names of its objects in another order."""
    if isinstance(value, dict):
        names = data.draw(st.permutations(list(value)))
        return {name: shuffled(value[name], data) for name in names}
    return [shuffled(item, data) for item in value] if isinstance(value, list) else value


@given(values, keys, st.data())
def test_spelling_makes_no_other_call(value: Any, key: bytes | None, data: st.DataObject) -> None:
    """Order of names, white space and escapes of a JSON body do not count."""
    first = json.dumps(value).encode()
    again = json.dumps(
        shuffled(value, data),
        ensure_ascii=data.draw(st.booleans()),
        indent=data.draw(st.none() | st.sampled_from(["", "\t", " \r\n"])),
        separators=data.draw(st.sampled_from([(",", ":"), (" , ", " :\n")])),
    ).encode()
    assert digest(first, key=key) == digest(again, key=key)


@given(values, values)
def test_another_value_is_another_call(one: Any, other: Any) -> None:
    """Bodies whose RFC 8785 forms differ have other digests, and equal ones the same."""
    same = canonical(one) == canonical(other)
    assert (digest(json.dumps(one).encode()) == digest(json.dumps(other).encode())) is same


@given(st.dictionaries(text, scalars, min_size=1, max_size=4), st.data())
def test_a_changed_member_is_another_call(value: dict[str, Any], data: st.DataObject) -> None:
    """Changing one member, its name or its value, changes the digest."""
    name = data.draw(st.sampled_from(sorted(value)))
    for changed in (
        {**value, name: [value[name]]},
        {**value, name + "x": 0},
        {key: item for key, item in value.items() if key != name},
    ):
        assume(name + "x" not in value)
        assert digest(json.dumps(value).encode()) != digest(json.dumps(changed).encode())


@given(values)
@example([1e21, -1e21, 5e-324])
def test_what_is_written_is_read_again(value: Any) -> None:
    """Reading and writing the RFC 8785 form changes nothing.

    It has doubles of 2^53 to 1e21 without exponent, as integers, which I-JSON does not take.
    """
    written = canonical(value)
    assume(not re.search(rb"(?<![\d.])\d{16,21}(?![\d.e])", written))
    assert canonical(read_ijson(written)) == written


@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
@example(b'{"a":1,"a":1}')
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"9" * 10_000)
@example(b'"\\ud800"')
@example(b"\xef\xbb\xbf1")
@example(b"NaN")
@example(b"1e999")
def test_any_bytes_have_a_digest(body: bytes) -> None:
    """Whatever the bytes are: they are I-JSON, or they count as bytes, and nothing is raised."""
    for headers in (JSON, {}, {"content-type": "text/plain"}):
        assert len(digest(body, headers)) == 32
    try:
        value = read_ijson(body)
    except ValueError:
        raw = hashlib.sha256(body).hexdigest()
        form = {"method": "POST", "url": URL, "headers": {}, "body_sha256": raw}
        expected = digest(None) if not body else hashlib.sha256(canonical(form)).digest()
        assert digest(body) == expected
    else:
        form = {"method": "POST", "url": URL, "headers": {}, "body": value}
        assert digest(body) == hashlib.sha256(canonical(form)).digest()


@given(
    st.lists(st.sampled_from(list('[]{}",:\\u0a1 ')), max_size=60).map("".join),
    st.integers(0, 4),
)
def test_depth_is_known_before_anything_recurses(noise: str, deep: int) -> None:
    """Brackets in strings are no depth; one level beyond the limit is refused, whatever is inside.

    A text that the standard reader takes at most 64 deep is taken here, but for what I-JSON lacks.
    """
    string = json.dumps(noise)
    for depth in (CALL_JSON_MAX_DEPTH, CALL_JSON_MAX_DEPTH + 1):
        if deep % 2:
            body = '{"a":' * depth + string + "}" * depth
        else:
            body = "[" * depth + string + "]" * depth
        body = body if deep < 2 else f" {body}\n"
        if depth == CALL_JSON_MAX_DEPTH:
            read_ijson(body.encode())
        else:
            with pytest.raises(ValueError, match="deep"):
                read_ijson(body.encode())


def standard(body: str) -> list[Any]:
    """What Python's own reader makes of a text, in a list; nothing if it refuses it."""
    try:
        return [json.loads(body)]
    except ValueError:
        return []


@given(st.text('[]{}",:\\1a ', max_size=40))
def test_json_is_what_the_standard_reader_takes(body: str) -> None:
    """Both readers see the same in short texts of brackets and strings; ours refuses more."""
    wanted = standard(body)
    try:
        found = [read_ijson(body.encode())]
    except ValueError as error:
        stricter = ("twice", "2^53", "surrogate")
        found = wanted if any(word in str(error) for word in stricter) else []
    assert found == wanted


def test_a_body_beyond_the_limit_is_not_read() -> None:
    """The limit is on bytes; at it a body still counts as JSON."""
    body = b"[" + b" " * (CALL_BODY_MAX_BYTES - 2) + b"]"
    assert read_ijson(body) == []
    assert digest(body) == digest(b"[]")
    with pytest.raises(ValueError, match="bytes"):
        read_ijson(body + b" ")
    assert digest(body + b" ") != digest(b"[]")


@given(st.dictionaries(st.sampled_from([*sorted(IDENTITY_HEADERS), "date", "user-agent"]), text))
def test_only_some_headers_count(headers: dict[str, str]) -> None:
    """Headers that are not of the identity change nothing; those that are, do."""
    counted = {name: value for name, value in headers.items() if name in IDENTITY_HEADERS}
    assert digest(b"{}", JSON | headers) == digest(b"{}", JSON | counted)
    assert (digest(b"{}", JSON | headers) == digest(b"{}")) is not counted or not counted


@given(st.binary(min_size=1, max_size=100), st.binary(min_size=32, max_size=32))
def test_with_a_key_the_digest_is_an_hmac(body: bytes, key: bytes) -> None:
    """In a salted ledger the same text is authenticated, so that no guess can be confirmed."""
    raw = {"method": "POST", "url": URL, "headers": {},
           "body_sha256": hashlib.sha256(body).hexdigest()}  # fmt: skip
    headers = {"content-type": "application/octet-stream"}
    wanted = hmac.new(key, canonical(raw), "sha256").digest()
    assert digest(body, headers, key) == wanted
    assert digest(body, headers) == hashlib.sha256(canonical(raw)).digest()


boundaries = st.from_regex(r"[0-9A-Za-z'()+_,\-./:=?]{1,70}", fullmatch=True)


@given(boundaries, boundaries, st.lists(st.binary(max_size=20), max_size=4))
def test_a_boundary_drawn_at_random_does_not_count(
    one: str, other: str, parts: list[bytes]
) -> None:
    """Two uploads of the same parts are one call, whatever boundary the client drew."""
    for boundary in (one, other):
        assume(all(boundary.encode() not in part + b"\r\n--" for part in parts))
        assume(not any(boundary in seam for seam in ("--\r\n--",)))

    def form(boundary: str) -> bytes:
        mark = b"\r\n--" + boundary.encode()
        return mark.join([b"", *parts]) + b"--"

    def once(boundary: str) -> bool:
        return form(boundary).count(boundary.encode()) == len(parts)

    assume(once(one) and once(other))
    first = digest(form(one), {"content-type": f"multipart/form-data; boundary={one}"})
    again = digest(form(other), {"content-type": f'multipart/form-data; boundary="{other}"'})
    assert first == again


hosts = st.sampled_from(["api.example.org", "API.Example.org", "localhost", "[2001:DB8::1]"])
ports = st.sampled_from(["", ":", ":80", ":443", ":8080"])
users = st.sampled_from(["", "me@", "me:sk-secret@", "sk-secret@", "a:sk-secret@b@"])
paths = st.from_regex(r"(/[!-\"$->@-~]{0,6}){0,3}", fullmatch=True)
harmless = st.from_regex(r"[a-f]{1,3}(=[!-\"$-%'-~]{0,6})?", fullmatch=True)


@st.composite
def secret_parameters(draw: st.DrawFn) -> str:
    """A parameter of credentials, its name in any case and encoding."""
    name = draw(st.sampled_from(sorted(SECRET_PARAMETERS)))
    spelled = "".join(
        draw(st.sampled_from([char, char.upper(), f"%{ord(char):02x}", f"%{ord(char):02X}"]))
        for char in name
    )
    return f"{spelled}=sk-secret"


@given(
    st.sampled_from(["http", "https", "HTTP", "hTTps"]),
    users,
    hosts,
    ports,
    paths,
    st.lists(harmless | secret_parameters() | st.just(""), max_size=5),
    st.sampled_from(["", "#", "#sk-secret", "#a?key=sk-secret"]),
)
def test_credentials_never_survive_in_a_url(
    scheme: str, user: str, host: str, port: str, path: str, query: list[str], fragment: str
) -> None:
    """What is recorded holds none of them, and recording it again changes nothing."""
    sent = f"{scheme}://{user}{host}{port}{path}?{'&'.join(query)}{fragment}"
    url = call_url(sent)
    assert "sk-secret" not in url
    assert call_url(url) == url
    kept = [one for one in query if "sk-secret" not in one]
    assert url.partition("?")[2] == "&".join(kept)
    assert url.startswith(f"{scheme.lower()}://{host.lower()}")


def recorded(sent: str) -> str | None:
    """The form of a URL, None if it is refused."""
    try:
        return call_url(sent)
    except FormatError:
        return None


@given(st.text(st.characters(codec="utf-8"), max_size=40) | st.from_regex(r"https?://[!-~]{0,40}"))
def test_any_text_is_a_url_or_refused(sent: str) -> None:
    """Nothing but FormatError is raised; what is returned is its own canonical form."""
    url = recorded(sent)
    if url is None:
        return
    assert call_url(url) == url
    assert url.isascii()
    assert "#" not in url
    assert "@" not in url.split("/")[2]
    for parameter in url.partition("?")[2].split("&"):
        name = unquote_to_bytes(parameter.partition("=")[0]).lower().decode("latin-1")
        assert name not in SECRET_PARAMETERS


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_text_without_utf8_is_refused(odd: str) -> None:
    """Method, URL and headers with half a surrogate pair are a FormatError, all others have one."""
    broken = any("\ud800" <= char <= "\udfff" for char in odd)
    for arguments in (
        (odd, URL, {}, None),
        ("POST", odd, {}, None),
        ("POST", URL, {"openai-beta": odd}, b"{}"),
    ):
        if broken:
            with pytest.raises(FormatError, match="body_invalid"):
                call_digest(*arguments)
        else:
            assert len(call_digest(*arguments)) == 32


@pytest.mark.parametrize(
    "value", [2**53, -(2**53), math.nan, math.inf, "\ud800", {"\udfff": 1}, {1: 2}, b"x", {1, 2}]
)
def test_what_rfc_8785_cannot_say_is_refused(value: object) -> None:
    """Other values than those of JSON are a FormatError, never an error of the library."""
    with pytest.raises(FormatError, match="body_invalid"):
        canonical(value)


def test_the_example_of_rfc_8785() -> None:
    """Numbers, escapes and the order of names as in section 3.2.2 and 3.2.3 of the RFC."""
    given_ = (
        '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        '"string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",'
        '"literals": [null, true, false]}'
    )
    assert canonical(read_ijson(given_.encode())).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    names = {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\x80": 6, "ö": 7}
    assert list(json.loads(canonical(names))) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


def test_quoting_does_not_hide_a_name() -> None:
    """Each name is found however it is spelled, and longer names are not taken for it."""
    for name in SECRET_PARAMETERS:
        everything = "".join(f"%{ord(char):02x}" for char in name)
        for spelled in (name, name.upper(), everything, quote(name.title())):
            assert call_url(f"{URL}?a=1&{spelled}=x&b=2") == f"{URL}?a=1&b=2"
            assert call_url(f"{URL}?{spelled}x=x") == f"{URL}?{spelled}x=x"
