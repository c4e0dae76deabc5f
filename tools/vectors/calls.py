"""Cases of specs/10 section 7: which call a request is, and what is recorded of its URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ledger.formats.call import call_digest
from tools.vectors.case import Case

_URL = "https://api.example.org/v1/chat/completions"
_JSON = {"content-type": "application/json"}
_KEY = bytes(range(32))
_FORM = b'--%b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--%b--\r\n'


def cases() -> Iterator[Case]:
    """Yield the cases of kinds call and call_url."""
    yield from _json()
    yield from _raw()
    yield from _multipart()
    yield from _requests()
    yield from _other_calls()
    yield from _urls()
    yield from _no_urls()


def _call(
    name: str,
    told: str,
    body: bytes | None,
    headers: Mapping[str, str] = _JSON,
    *,
    method: str = "POST",
    url: str = _URL,
    key: bytes | None = None,
    digest: bytes | None = None,
) -> Case:
    """Make a case of a call; one with another digest than its own is to be refused."""
    own = call_digest(method, url, headers, body, key)
    expect = "ok" if digest in (None, own) else "call_mismatch"
    arguments: dict[str, Any] = {"method": method, "url": url, "request_headers": dict(headers)}
    if key is not None:
        arguments["key"] = key.hex()
    arguments["digest"] = (digest or own).hex()
    files = {} if body is None else {"input.bin": body}
    return Case(f"call_{name}", "call", told, expect, arguments, files)


def _json() -> Iterator[Case]:
    """Bodies that count as JSON values."""
    body = b'{"model": "small", "messages": [{"role": "user", "content": "6 x 7?"}], "n": 1}'
    yield _call("json", "a JSON body", body)
    text = b'{"n":1.0,"messages":[{"content":"6 x 7?","role":"user"}],"model":"sm\\u0061ll"}'
    yield _call("json_spelling", "the same value: other order, spaces, escapes and number", text)
    assert call_digest("POST", _URL, _JSON, body) == call_digest("POST", _URL, _JSON, text)
    yield _call("json_suffix", "a type with the suffix +json, parameters and capitals", body,
                {"content-type": " Application/Vnd.Api+JSON ; charset=x"})  # fmt: skip
    yield _call("json_untyped", "a body without content-type", body, {})
    samples: list[tuple[str, str, bytes]] = [
        ("scalar", "a JSON text that is a number", b" 7\n"),
        ("string", "a JSON text that is a string", b'"a"'),
        ("null", "a JSON text that is null", b"null"),
        ("empty_containers", "empty arrays and objects", b'{"b": [], "a": {}}'),
        ("order", "names are ordered by UTF-16 code units",
         '{"€":1,"\\r":2,"\\ufb33":3,"1":4,"\U0001f600":5,"\\u0080":6,"ö":7,"\\ue000":8}'.encode()),
        ("integers", "the largest integers",
         b"[9007199254740991,-9007199254740991,0,-0,10,1e0]"),
        ("floats", "numbers as RFC 8785 writes them",
         b"[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,1.0,-0.0,1e2]"),
        ("floats_edges", "where ECMAScript changes its notation",
         b"[1e20,1e21,123456789012345680000.0,1.5e21,0.000001,0.0000001,1.25e-7,100e-1]"),
        ("floats_limits", "the smallest and largest doubles",
         b"[5e-324,2.2250738585072014e-308,1.7976931348623157e308,-1.7976931348623157e+308]"),
        ("floats_rounded", "numbers that are rounded to a double",
         b"[9007199254740993.0,1e23,0.1e-400,9007199254740992e0,1.00000000000000011]"),
        ("escapes", "escapes of RFC 8785",
         b'"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/\\b\\f\\n\\r\\t\\u007f"'),
        ("pairs", "a surrogate pair, escaped and not", '["\\ud83d\\ude00","😀"]'.encode()),
        ("not_normalised", "a letter and its accent stay two characters",
         '["\u00c5","A\\u030a"]'.encode()),
        ("depth_64", "64 arrays in each other", b"[" * 64 + b"]" * 64),
        ("depth_brackets", "brackets in strings are no depth",
         b'["' + b"[{" * 70 + b'\\"[\\\\",' + b'"]}"]'),
        ("wide", "many arrays beside each other", b"[" + b"[[]]," * 100 + b"{}]"),
    ]  # fmt: skip
    for name, told, sample in samples:
        yield _call(f"json_{name}", told, sample)


def _raw() -> Iterator[Case]:
    """Bodies that count as their bytes: read by nobody, or not by everybody alike."""
    samples: list[tuple[str, str, bytes]] = [
        ("cut", "JSON that ends too early", b'{"a":1'),
        ("two", "two JSON texts", b"{}{}"),
        ("spaces", "only white space", b" \n"),
        ("space_other", "white space that JSON does not have", b"\x0b[]"),
        ("bom", "a byte order mark", b"\xef\xbb\xbf{}"),
        ("utf16", "UTF-16", "{}".encode("utf-16-le")),
        ("utf8", "bytes that are no UTF-8", b'"\xff"'),
        ("utf8_surrogate", "a surrogate in UTF-8", b'"\xed\xa0\x80"'),
        ("names_twice", "a name twice", b'{"a":1,"b":2,"a":1}'),
        ("names_twice_inner", "a name twice, further in", b'[{"x":{"a":1,"a":1}}]'),
        ("names_twice_escaped", "a name twice, once escaped", b'{"a":1,"\\u0061":2}'),
        ("lone_high", "half a surrogate pair", b'["\\ud83d"]'),
        ("lone_low", "the other half", b'["\\udE00x"]'),
        ("lone_reversed", "a pair the wrong way round", b'["\\ude00\\ud83d"]'),
        ("lone_name", "half a pair in a name", b'{"\\uD800":1}'),
        ("integer", "2^53", b"[9007199254740992]"),
        ("integer_negative", "-2^53", b"[-9007199254740992]"),
        ("integer_long", "an integer of 5,000 digits", b"1" * 5000),
        ("overflow", "a number beyond all doubles", b"[1e309]"),
        ("overflow_negative", "another", b"[-1.8e308]"),
        ("nan", "NaN", b"[NaN]"),
        ("infinity", "an infinity", b"[-Infinity]"),
        ("leading_zero", "a number with a leading zero", b"[01]"),
        ("plus", "a number with a plus", b"[+1]"),
        ("point", "a number that begins with its point", b"[.5]"),
        ("digits", "digits of another script", "[١]".encode()),
        ("comma", "a comma too many", b"[1,]"),
        ("quotes", "single quotes", b"['a']"),
        ("comment", "a comment", b"[1] // one"),
        ("control", "a control character in a string", b'["a\tb"]'),
        ("escape", "an escape that JSON does not have", b'["\\x41"]'),
        ("depth_65", "65 arrays in each other", b"[" * 65 + b"]" * 65),
        ("depth_mixed", "65 deep, arrays and objects by turns",
         b'{"a":[' * 32 + b"[]" + b"]}" * 32),
        ("depth_10000", "10,000 deep", b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        ("depth_open", "100,000 brackets that nobody closes", b"[" * 100_000),
    ]  # fmt: skip
    for name, told, sample in samples:
        yield _call(f"raw_{name}", told, sample)
    for name, content_type in [
        ("text", "text/plain"),
        ("ndjson", "application/x-ndjson"),
        ("json_text", "text/json"),
        ("json_like", "application/jsonx"),
        ("empty_type", ""),
        ("json_parameter", "text/plain; x=application/json"),
    ]:
        yield _call(f"raw_type_{name}", "a body of a type that is not JSON", b'{"a": 1}',
                    {"content-type": content_type})  # fmt: skip


def _multipart() -> Iterator[Case]:
    """The boundary that a client draws at random does not count."""

    def form(boundary: str, inside: str | None = None) -> bytes:
        data = (boundary if inside is None else inside).encode()
        return _FORM % (data, data)

    for name, told, content_type, body in [
        ("plain", "a boundary", "multipart/form-data; boundary=abc123", form("abc123")),
        (
            "other",
            "another boundary, the same call",
            "Multipart/Form-Data;charset=utf-8;BOUNDARY=--x",
            form("--x"),
        ),
        (
            "quoted",
            "a boundary in quotes, with a space",
            'multipart/form-data; boundary="a b"',
            form("a b"),
        ),
        (
            "first",
            "the first of two parameters counts",
            "multipart/form-data; boundary=one; boundary=two",
            form("one"),
        ),
        (
            "no_value",
            "a parameter without = has no name",
            "multipart/form-data; boundary; boundary=two",
            form("two"),
        ),
        (
            "overlapping",
            "occurrences are replaced from left to right",
            "multipart/form-data; boundary=aa",
            b"aaaaa",
        ),
        ("absent", "no boundary is named", "multipart/form-data", form("abc")),
        ("empty", "an empty boundary", 'multipart/form-data; boundary=""', form("abc")),
        (
            "long",
            "a boundary of 71 characters",
            "multipart/form-data; boundary=" + "a" * 71,
            form("a" * 71),
        ),
        (
            "strange",
            "a boundary with a character that none may have",
            "multipart/form-data; boundary=a#b",
            form("a#b"),
        ),
        ("mixed", "another multipart type", "multipart/mixed; boundary=abc", form("abc")),
    ]:
        yield _call(f"multipart_{name}", told, body, {"content-type": content_type})


def _requests() -> Iterator[Case]:
    """Method, URL, headers and key."""
    yield _call("no_body", "a request without a body", None, {}, method="GET")
    yield _call("no_bytes", "a body of no bytes is none", b"", {}, method="GET")
    counted = {"anthropic-beta": "a,b", "anthropic-version": "2023-06-01", "openai-beta": "x=1"}
    yield _call("headers", "headers that count", b"{}", _JSON | counted)
    yield _call("headers_other", "headers that do not count", b"{}",
                _JSON | {"user-agent": "lab", "date": "today", "x-request-id": "7"})  # fmt: skip
    yield _call("headers_text", "a header that is not ASCII", b"{}", {"openai-beta": 'ä"\\'})
    yield _call("url", "another URL", b"{}", url="http://localhost:8080/v1?a=1&b=%2F")
    yield _call("salted", "in a salted ledger", b"{}", key=_KEY)
    yield _call("salted_raw", "in a salted ledger, not JSON", b"\0", key=_KEY)
    yield _call("salted_no_body", "in a salted ledger, no body", None, {}, key=_KEY, method="GET")


def _other_calls() -> Iterator[Case]:
    """Digests of requests that look alike and are others."""
    body = b'{"a":1}'
    for name, told, digest in [
        ("value", "another value", call_digest("POST", _URL, _JSON, b'{"a":2}')),
        ("type", "a text instead of a number", call_digest("POST", _URL, _JSON, b'{"a":"1"}')),
        ("bytes", "the body as bytes", call_digest("POST", _URL, {"content-type": "x"}, body)),
        ("method", "another method", call_digest("PUT", _URL, _JSON, body)),
        ("host", "another URL", call_digest("POST", _URL + "/", _JSON, body)),
        (
            "header",
            "another header that counts",
            call_digest("POST", _URL, _JSON | {"openai-beta": "x"}, body),
        ),
        ("no_body", "no body", call_digest("POST", _URL, _JSON, None)),
        ("key", "a key where there is none", call_digest("POST", _URL, _JSON, body, _KEY)),
    ]:
        yield _call(f"other_{name}", f"the digest of another call: {told}", body, digest=digest)
    yield _call("other_unsalted", "the digest without the key that there is", body, key=_KEY,
                digest=call_digest("POST", _URL, _JSON, body))  # fmt: skip
    array = call_digest("POST", _URL, _JSON, b"[1,2]")
    yield _call("other_order", "the order of an array counts", b"[2,1]", digest=array)


def _urls() -> Iterator[Case]:
    for name, told, sent, url in [
        ("plain", "nothing to change", "https://a.example/v1?x=1", "https://a.example/v1?x=1"),
        (
            "case",
            "scheme and host in lower case, the path as it is",
            "HTTPS://A.Example/V1/%7Euser/../x",
            "https://a.example/V1/%7Euser/../x",
        ),
        ("port_443", "the default port of https", "https://a:443/", "https://a/"),
        ("port_80", "the default port of http", "http://a:80/", "http://a/"),
        ("port_other", "the default port of the other scheme", "http://a:443/", "http://a:443/"),
        ("port_empty", "a colon without a port", "https://a:/x", "https://a/x"),
        ("port_65535", "the last port", "https://a:65535/", "https://a:65535/"),
        ("no_path", "no path", "https://a", "https://a/"),
        ("no_path_query", "no path before a query", "https://a?x=1", "https://a/?x=1"),
        ("user", "a user name", "https://me@a/", "https://a/"),
        ("password", "a password with an @", "https://me:p@ss@a:8443/", "https://a:8443/"),
        ("backslash", "a backslash belongs to the password", "https://me:x\\y@a/", "https://a/"),
        ("fragment", "a fragment", "https://a/x#key=1", "https://a/x"),
        ("fragment_query", "a query within a fragment", "https://a#b?c=1", "https://a/"),
        ("at_later", "an @ in the path", "https://a/@x?y=@z", "https://a/@x?y=@z"),
        ("ipv4", "an IPv4 address", "http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ("ipv6", "an IPv6 address", "http://me@[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
        ("ipv6_port", "an IPv6 address and a port", "https://[::1]:80/", "https://[::1]:80/"),
        ("key", "a key", "https://a/v1?key=secret", "https://a/v1"),
        ("key_case", "a name in other case", "https://a/v1?x=1&API-Key=s", "https://a/v1?x=1"),
        (
            "key_encoded",
            "a name with percent-encoding",
            "https://a/?%6b%45y=s&x=1&acce%73s%5Ftoken=s",
            "https://a/?x=1",
        ),
        (
            "key_encoded_twice",
            "what is encoded twice is another name",
            "https://a/?%256bey=1",
            "https://a/?%256bey=1",
        ),
        (
            "key_broken",
            "a percent sign without digits stays",
            "https://a/?%6key=1&%=2&ke%79",
            "https://a/?%6key=1&%=2",
        ),
        ("key_bare", "a name without a value", "https://a/?key&x&token", "https://a/?x"),
        (
            "key_kelvin",
            "case is that of ASCII letters alone",
            "https://a/?%E2%84%AAey=1",
            "https://a/?%E2%84%AAey=1",
        ),
        (
            "key_like",
            "names that are longer or shorter",
            "https://a/?keys=1&ke=2&xkey=3&+key=4",
            "https://a/?keys=1&ke=2&xkey=3&+key=4",
        ),
        ("key_value", "a value that holds a name", "https://a/?x=key=1", "https://a/?x=key=1"),
        (
            "key_encoded_equals",
            "an encoded = belongs to the name",
            "https://a/?key%3Dx=1",
            "https://a/?key%3Dx=1",
        ),
        (
            "all",
            "every name",
            "https://a/?access_token=1&api-key=1&api_key=1&apikey=1&key=1&sig=1&signature=1&token=1"
            "&x-amz-credential=1&x-amz-security-token=1&x-amz-signature=1",
            "https://a/",
        ),
        (
            "between",
            "the others keep their order and spelling",
            "https://a/?b=%2f&key=1&a=%2F&b=",
            "https://a/?b=%2f&a=%2F&b=",
        ),
        ("empty_parts", "empty parts stay", "https://a/?&x=1&&key=1&", "https://a/?&x=1&&"),
        (
            "empty_left",
            "two empty parts are a query of one character",
            "https://a/?&key=1&",
            "https://a/?&",
        ),
        ("question", "a question mark without a query", "https://a/x?", "https://a/x"),
        ("question_key", "nothing is left but an empty part", "https://a/x?key=1&", "https://a/x"),
        (
            "questions",
            "a second question mark belongs to the query",
            "https://a/?x=1?key=2&key=3",
            "https://a/?x=1?key=2",
        ),
        (
            "semicolon",
            "a semicolon separates nothing",
            "https://a/?x=1;key=2",
            "https://a/?x=1;key=2",
        ),
        ("longest", "4,096 characters", "https://a/" + "x" * 4086, "https://a/" + "x" * 4086),
        ("long_key", "longer, but for a key", "https://a/x?token=" + "x" * 5000, "https://a/x"),
    ]:
        arguments = {"sent": sent, "url": url}
        yield Case(f"call_url_{name}", "call_url", told, "ok", arguments)


def _no_urls() -> Iterator[Case]:
    for name, told, sent in [
        ("nothing", "no characters", ""),
        ("relative", "no scheme", "/v1/chat"),
        ("scheme", "another scheme", "ftp://a/"),
        ("slashes", "one slash", "https:/a/"),
        ("space_before", "a space before it", " https://a/"),
        ("space", "a space", "https://a/ b"),
        ("newline", "a newline", "https://a/\n"),
        ("control", "a control character", "https://a/\x7f"),
        ("letters", "a letter that is not ASCII", "https://a/ä"),
        ("long_s", "a letter that only becomes ASCII in another case", "http\u017f://a/"),
        ("host_letters", "a host that is not ASCII", "https://ä.example/"),
        ("host_empty", "no host", "https:///x"),
        ("host_only_user", "a user and no host", "https://me@/x"),
        ("host_only_port", "a port and no host", "https://:443/"),
        ("host_percent", "an encoded host", "https://a%2eb/"),
        ("host_backslash", "a backslash in the host", "https://a\\b/"),
        ("ipv6_open", "a bracket that is not closed", "https://[::1/"),
        ("ipv6_zone", "an address with a zone", "https://[fe80::1%25en0]/"),
        ("ipv6_bare", "an IPv6 address without brackets", "https://::1/"),
        ("port_letters", "a port that is no number", "https://a:http/"),
        ("port_0", "port 0", "https://a:0/"),
        ("port_zero", "a port with a leading zero", "https://a:0443/"),
        ("port_65536", "a port that does not exist", "https://a:65536/"),
        ("port_sign", "a port with a sign", "https://a:+80/"),
        ("long", "4,097 characters", "https://a/" + "x" * 4087),
    ]:
        arguments = {"sent": sent}
        yield Case(f"call_url_{name}", "call_url", told, "body_invalid", arguments)
