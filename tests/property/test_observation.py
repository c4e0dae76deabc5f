"""Properties of observations and environments (specs/13 section 4)."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.formats import observation
from ledger.formats.call import canonical
from ledger.formats.observation import Observation, Raw, environment, parse, parse_environment
from tests.helpers.quick import runs
from tests.replay_strategies import environments, observations


def refuse(call: Any, *arguments: Any, **named: Any) -> None:
    """Expect the code of the page."""
    with pytest.raises(FormatError) as caught:
        call(*arguments, **named)
    assert caught.value.code == "body_invalid"


@given(observations())
def test_an_observation_comes_back_from_its_bytes(seen: Observation) -> None:
    """Its form is that of RFC 8785, and nothing is lost in it."""
    data = seen.encode()
    assert parse(data) == seen
    assert canonical(json.loads(data)) == data


@given(environments)
def test_an_environment_comes_back_from_its_bytes(document: dict[str, Any]) -> None:
    """Equal environments are equal bytes, in whatever order they were given."""
    data = environment(document)
    assert parse_environment(data) == document
    assert environment(dict(reversed(document.items()))) == data


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_is_written_can_be_read(value: float) -> None:
    """Any finite log-probability comes back, or is refused before it is recorded."""
    if 2**53 <= abs(value) < 1e21:
        refuse(Observation, logprobs=[value])
    else:
        assert parse(Observation(logprobs=[value]).encode()).logprobs == (value,)


@runs(200)
@given(observations(), st.data())
def test_other_spellings_are_refused(seen: Observation, draw: st.DataObject) -> None:
    """White space, another order of members, a byte more or less."""
    data = seen.encode()
    at = draw.draw(st.integers(0, len(data)))
    for other in (data[:at], data + b"\n", b" " + data, json.dumps(json.loads(data)).encode()):
        if other != data:
            refuse(parse, other)


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{}", b"[]", b"null", b'{"note":1}', b'{"token_ids":1}', b'{"token_ids":null}',
        b'{"token_ids":[-1]}', b'{"token_ids":[4294967296]}', b'{"token_ids":[1.5]}',
        b'{"token_ids":[true]}', b'{"token_ids":["1"]}', b'{"token_ids":[1.0]}',
        b'{"token_texts":[1]}', b'{"token_texts":["\\ud800"]}', b'{"logprobs":["0"]}',
        b'{"logprobs":[NaN]}', b'{"logprobs":[-Infinity]}', b'{"logprobs":[null]}',
        b'{"logprobs":[false]}', b'{"logprobs":[9007199254740992]}', b'{"logprobs":[-0]}',
        b'{"logprobs":[0],"token_ids":[]}', b'{"logprobs":[],"token_texts":["a"]}',
        b'{"raw":{}}', b'{"raw":null}', b'{"raw":1}', b'{"logprobs":[0],"logprobs":[0]}',
        b'\xef\xbb\xbf{"token_ids":[]}', b'{"token_texts":["\xff"]}',
        b'{"raw":{"sha256":"%s"}}' % (b"0" * 64),
        b'{"raw":{"sha256":"%s","size_bytes":1}}' % (b"0" * 63),
        b'{"raw":{"sha256":"%s","size_bytes":1}}' % (b"A" * 64),
        b'{"raw":{"sha256":"%s","size_bytes":-1}}' % (b"0" * 64),
        b'{"raw":{"sha256":"%s","size_bytes":true}}' % (b"0" * 64),
        b'{"raw":{"note":1,"sha256":"%s","size_bytes":1}}' % (b"0" * 64),
    ],
)  # fmt: skip
def test_what_is_no_observation(document: bytes) -> None:
    """Each clause of the page, broken alone."""
    refuse(parse, document)


@pytest.mark.parametrize(
    "document",
    [
        b"", b"[]", b"1", b'{"a":null}', b'{"a":1.5}', b'{"a":[]}', b'{"a":{"b":{}}}',
        b'{"a":{"b":null}}', b'{"a":{"b":0.5}}', b'{"a":9007199254740992}', b'{"a":1,"a":1}',
        b'{"a":1e3}', b'{"b":1,"a":1}', b'{"a": 1}',
    ],
)  # fmt: skip
def test_what_is_no_environment(document: bytes) -> None:
    """Each clause of the page, broken alone."""
    refuse(parse_environment, document)


def test_the_ends_of_what_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 members, 1,024 in an object, a million tokens, integers to 2^53 - 1."""
    limit = 2**53 - 1
    most: dict[str, Any] = {f"{n}": -limit for n in range(63)}
    most["objects"] = {f"{n}": limit for n in range(1024)}
    assert parse_environment(environment(most)) == most
    refuse(environment, most | {"more": 1})
    refuse(environment, {"a": {f"{n}": 1 for n in range(1025)}})
    refuse(environment, {"a": limit + 1})
    refuse(environment, {"a": "\ud800"})
    refuse(environment, {1: "a"})
    refuse(environment, [])
    assert environment({}) == b"{}"

    assert parse(Observation(token_ids=[]).encode()).token_ids == ()
    refuse(Observation)
    refuse(Observation, token_ids=[True])
    refuse(Observation, token_ids={1: 2})
    refuse(Observation, logprobs=[math.nan])
    refuse(Observation, logprobs=[10**400])
    refuse(Observation, raw={"sha256": bytes(32), "size_bytes": 1})
    refuse(Raw, bytes(31), 1)
    refuse(Raw, bytes(32), -1)
    refuse(Observation(token_texts=["\ud800"]).encode)
    whole = [0] * observation.OBSERVATION_TOKENS_MAX
    assert len(Observation(token_ids=whole).token_ids or ()) == len(whole)
    refuse(Observation, token_ids=[*whole, 0])

    data = Observation(token_texts=["ten bytes."]).encode()
    monkeypatch.setattr(observation, "OBSERVATION_MAX_BYTES", len(data))
    assert parse(data).encode() == data
    refuse(parse, data[:-2] + b',"more"]}')
    refuse(Observation(token_texts=["eleven bytes"]).encode)
