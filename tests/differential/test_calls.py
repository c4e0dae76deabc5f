"""Calls: both programs compute one digest, and record one form of a URL (specs/10 section 7)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ledger.formats import call
from tests.helpers.outcome import outcome
from tests.helpers.quick import runs
from verifier.calls import call_digest
from verifier.urls import recorded_url

URL = "https://api.example.org/v1/chat"
TYPES = [
    "application/json",
    "Application/JSON ; charset=x",
    "application/vnd.api+json",
    "application/jsonx",
    "text/plain",
    "",
    "multipart/form-data; boundary=ab",
    'multipart/form-data; boundary="a "; x=y',
    "multipart/form-data; boundary; BOUNDARY=a",
    "multipart/form-data",
]
PIECES = [
    "{", "}", "[", "]", ",", ":", " ", "\n", "\x0b", '"', '"a"', '"b"', '"\\u0061"', '"\\ud83d"',
    '"\\ud83d\\ude00"', '"\\x"', '"\\/"', "1", "01", "-0", "1.0", "1e21", "1e400", "1E-7",
    "9007199254740991", "9007199254740992", "9007199254740993.0", "true", "null", "NaN", "\ufeff",
]  # fmt: skip

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
bodies = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=10).map(lambda some: "".join(some).encode()),
    st.builds(
        lambda value, ascii_: json.dumps(value, ensure_ascii=ascii_).encode(),
        values,
        st.booleans(),
    ),
    st.builds(
        lambda depth, inside: b"[" * depth + inside + b"]" * depth,
        st.integers(62, 67),
        st.sampled_from([b"", b"1", b"{}", b'{"a":[]}', b'"[[["']),
    ),
)
headers = st.fixed_dictionaries(
    {},
    optional={"content-type": st.sampled_from(TYPES), "openai-beta": text, "user-agent": text},
)


def their_digest(head: dict[str, str], body: bytes, key: bytes | None, cut: int) -> Any:
    pieces = [body[at : at + cut] for at in range(0, len(body), cut)]
    given_ = (len(body), lambda: iter(pieces)) if body else None
    return call_digest("POST", URL, head, given_, key)


@runs(600)
@given(headers, bodies, st.none() | st.binary(min_size=32, max_size=32), st.integers(1, 9))
@example({"content-type": "multipart/form-data; boundary=aa"}, b"aaaaa", None, 1)
def test_digests_are_the_same(
    head: dict[str, str], body: bytes, key: bytes | None, cut: int
) -> None:
    """Whatever the body is, in pieces of any size: one digest."""
    assert call.call_digest("POST", URL, head, body, key) == their_digest(head, body, key, cut)


@runs(1500)
@given(
    st.sampled_from(["", "http://", "https://", "HTTPS://a", "https://a/?", "http://[::1]:"]),
    st.text("ahtps:/@?#&=%kKeEyY[]:.0123456_-\\ äſK;+~", max_size=20) | st.text(max_size=8),
)
def test_urls_are_recorded_in_one_form(start: str, rest: str) -> None:
    """Both programs refuse the same texts as URLs, and make the same of all others."""
    mine, yours = outcome(call.call_url, start + rest), outcome(recorded_url, start + rest)
    assert (mine.accepted, mine.value, mine.code) == (yours.accepted, yours.value, yours.code)
