"""Bodies survive the way to bytes and back, and are what the CDDL says they are."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pycddl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import model
from ledger.errors import RecordError
from ledger.formats import cbor
from ledger.formats.content import references
from ledger.model import from_body, to_body
from tests.strategies import bodies, witnesses

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
CDDL = Path(__file__).resolve().parents[2] / "specs" / "vif.cddl"
# The validator knows no ranges of floats and loses its place in choices of floats (annotation) and
# in arrays of maps with patterns (genesis), so it cannot judge the other bodies.
CHECKED_BY_CDDL = {"enrol", "rotate", "revoke", "erasure", "stream_close", "export", "import"}


@cache
def schema(kind: str) -> pycddl.Schema:
    """The CDDL of a body; its rule `time` renamed where it hides the one of the CDDL prelude."""
    text = re.sub(r"(?<![\w-])time(?![\w-])", "rfc3339-time", CDDL.read_text("utf-8"))
    return pycddl.Schema(f"root = {kind.replace('_', '-')}-body\n{text}")


@SLOW
@given(bodies())
def test_a_body_comes_back_equal_from_its_bytes(drawn: tuple[str, model.Body]) -> None:
    """Model, plain values, CBOR, plain values, model: the two models are equal."""
    kind, body = drawn
    decoded: Any = cbor.decode(cbor.encode(to_body(body)))
    assert from_body(kind, decoded) == body


@SLOW
@given(bodies().filter(lambda drawn: drawn[0] in CHECKED_BY_CDDL))
def test_a_body_is_what_the_cddl_says(drawn: tuple[str, model.Body]) -> None:
    """An independent CDDL validator accepts every body that the models accept."""
    kind, body = drawn
    schema(kind).validate_cbor(cbor.encode(to_body(body)))


@SLOW
@given(witnesses(salted=True))
def test_every_reference_of_a_salted_witness_is_found(body: model.Witness) -> None:
    """The generic rule of specs/06 §1 finds the references that the groups hold."""
    found = list(references(to_body(body)))
    assert body.data.prompt_hash in found
    assert all(ref.salted for ref in found)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values in a body, outside the free `other_params`."""
    found = [path] if path else []
    if isinstance(value, dict) and path[-1:] != ("other_params",):
        for key, item in value.items():
            found += _places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += _places(item, (*path, number))
    return found


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: _replaced(value[path[0]], path[1:], new)}
    return [
        _replaced(item, path[1:], new) if number == path[0] else item
        for number, item in enumerate(value)
    ]


@SLOW
@given(bodies(), st.data())
def test_no_value_of_another_type_passes_for_a_record(
    drawn: tuple[str, model.Body], data: st.DataObject
) -> None:
    """Where a float stands no integer does, where a count stands no boolean, and null nowhere."""
    kind, body = drawn
    plain = to_body(body)
    path = data.draw(st.sampled_from(_places(plain)))
    value = plain
    for step in path:
        value = value[step]
    others: list[Any] = [None, {"x": 1}]
    if isinstance(value, float) and value == int(value):
        others.append(int(value))
    if type(value) is int:
        others += [float(value) if value < 2**53 else None, value == 1]
    if isinstance(value, str):
        others.append(value.encode())
    if path == ("value",) and kind == "annotation":
        others = [None, {"x": 1}]  # the one field with several types
    with pytest.raises(RecordError) as caught:
        from_body(kind, _replaced(plain, path, data.draw(st.sampled_from(others))))
    assert caught.value.code == "body_invalid"


@SLOW
@given(bodies(), st.data())
def test_a_key_that_no_page_names_is_refused(
    drawn: tuple[str, model.Body], data: st.DataObject
) -> None:
    """Every map of a body is closed."""
    kind, body = drawn
    plain = to_body(body)
    maps = [()] + [
        path
        for path in _places(plain)
        if path[-1]
        not in ("other_params", "request_headers", "response_headers", "usage", "prices")
    ]
    path = data.draw(st.sampled_from(maps))
    value = plain
    for step in path:
        value = value[step]
    if isinstance(value, dict):
        with pytest.raises(RecordError, match="body_invalid"):
            from_body(kind, _replaced(plain, path, {**value, "unspecified": 1}))
