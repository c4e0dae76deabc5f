"""Bodies of specs/13, the fields of a witness that are for it, and how they are built."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from ledger import Ledger, model
from ledger.errors import RecordError
from ledger.formats import cbor
from ledger.formats.content import refer
from ledger.formats.observation import Observation
from ledger.formats.payload import OWN_PARENTS, PRODUCER_TYPES, REPLAY_TYPES, Parent
from ledger.model import BODIES, from_body, to_body
from ledger.model.archive import JSON, Media
from ledger.model.build import witness
from ledger.model.replay import LEVELS
from ledger.writer.bodies import encode_model
from tests.helpers.places import Place
from tests.helpers.quick import runs
from tests.replay_strategies import replay_bodies
from tools.vectors import replay_lab

STATES = ["match", "differs", "not_observable"]


def test_the_types() -> None:
    """Both are producers' types; only a replay may be of a witness in another ledger."""
    assert REPLAY_TYPES < PRODUCER_TYPES
    assert REPLAY_TYPES.issubset(BODIES)
    assert "replay" not in OWN_PARENTS
    assert "replay_operation" in OWN_PARENTS


@runs(200)
@given(replay_bodies)
def test_a_body_comes_back_equal_from_its_bytes(drawn: tuple[str, model.Body]) -> None:
    """Model, plain values, CBOR, plain values, model: the two models are equal."""
    kind, body = drawn
    data = cbor.encode(to_body(body))
    assert encode_model(body) == data
    assert from_body(kind, cbor.decode(data)) == body


def answer(states: dict[str, str], wanted: str, level: str) -> dict[str, Any]:
    """A body in which these states may stand, if they may stand at all."""
    body = replay_lab.differing() | {"levels": states, "wanted": wanted, "level": level}
    body["raw_identical"] = body["environment_identical"] = states["bits"] == "match"
    body["logprob_difference"] = 0.0 if states["logprobs"] == "match" else 1.0
    body["first_difference"] = {
        key: 0 for key, one in (("token", "tokens"), ("character", "text"))
        if states[one] == "differs"
    }  # fmt: skip
    if states["text"] == "not_observable":
        body["expected"] = {k: v for k, v in body["expected"].items() if k != "output"}
    if states["bits"] == "not_observable":
        del body["raw_identical"]
    if states["logprobs"] == "not_observable":
        del body["epsilon"], body["logprob_difference"]
    if not body["first_difference"]:
        del body["first_difference"]
    if states[wanted] == "match":
        body["success"] = True
        del body["reason"]
    elif "differs" not in list(states.values())[: LEVELS.index(wanted) + 1]:
        body["reason"] = "not_observable"
    elif body["environment_identical"]:
        body["reason"] = "output_differs"
    return body


def test_each_level_implies_those_before() -> None:
    """Of all combinations of states those are taken in which no match comes after a difference."""
    taken = 0
    for found in product(STATES[:2], *[STATES] * 4):
        states = dict(zip(LEVELS, found, strict=True))
        fits = "differs" not in found or "match" not in found[found.index("differs") :]
        reached = [level for level in LEVELS if states[level] == "match"]
        for wanted, level in product(LEVELS, ("none", *LEVELS)):
            right = fits and level == (reached[-1] if reached else "none")
            body = answer(states, wanted, level)
            if right:
                assert to_body(from_body("replay", body)) == body
                taken += 1
            else:
                with pytest.raises(RecordError, match="body_invalid"):
                    from_body("replay", body)
    # archive matches: 2^4 without a difference, 2^n 2^(3-n) with the first one at level n;
    # archive differs: 2^4
    assert taken == 5 * (16 + 4 * 8 + 16)


@pytest.mark.parametrize("name", ["archived", "reproduced", "differing", "agreeing", "not_run"])
def test_no_field_can_be_taken_away_or_made_null(name: str) -> None:
    """Each field is there because others say so, but those that may or may not be known."""
    free = {"environment_identical", "logprob_difference", "first_difference"}
    body: dict[str, Any] = getattr(replay_lab, name)()
    for key in body:
        with pytest.raises(RecordError, match="body_invalid"):
            from_body("replay", body | {key: None})
        if key in free:
            continue
        with pytest.raises(RecordError, match="body_invalid"):
            from_body("replay", {k: v for k, v in body.items() if k != key})


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """A ledger with nothing but its genesis."""
    monkeypatch.setenv("VIF_KEYS", str(tmp_path / "default-keys"))
    place = Place(tmp_path / "runs.vif", tmp_path / "keys")
    place.init()
    with place.open(stream="s") as opened:
        yield opened


def test_the_number_of_parents(log: Ledger) -> None:
    """A replay is of one statement; a replayed operation has one more than its replays."""
    parents = [log.append("annotation", {"kind": "note"}, parents=[log[0]]) for _ in range(4)]
    for kind, body, wanted in (
        ("replay", replay_lab.archived(), 1),
        ("replay_operation", replay_lab.operation(), 1),
        ("replay_operation",
         replay_lab.operation() | {"stages": replay_lab.stages((1, 1), (2, 2))}, 4),
    ):  # fmt: skip
        for number in range(5):
            if number == wanted:
                log.append(kind, body, parents=parents[:number])
                continue
            with pytest.raises(RecordError, match="body_invalid"):
                log.append(kind, body, parents=parents[:number])


def test_a_witness_of_another_ledger_can_be_replayed(log: Ledger) -> None:
    """An operation cannot: its replays are statements of one ledger."""
    far = Parent(log[0].payload.id, bytes(31) + b"\x01", bytes(32))
    receipt = log.append("replay", replay_lab.archived(), parents=[far])
    assert log[receipt.index].payload.parents == (far,)
    with pytest.raises(RecordError, match="body_invalid"):
        log.append("replay_operation", replay_lab.operation(), parents=[far])


def test_documents_are_archived_in_their_one_form() -> None:
    """Whatever they are given as; strings of prompts, too."""
    seen = Observation(token_ids=[1, 2], logprobs=[-0.5, 0.0])
    where = {"threads": 1, "libraries": {"numpy": "2"}, "a": True}
    record, contents = witness(
        model="m",
        prompt="p",
        engine="transformers",
        environment=where,
        observation=seen,
        prompt_variables={"b": "2", "a": "1"},
        context_snapshot={"atoms": {"x": "six"}},
    )
    assert record.replay is not None
    assert record.replay.engine == "transformers"
    held = {item.ref: item.data for item in contents}
    assert held[record.replay.observation] == b'{"logprobs":[-0.5,0],"token_ids":[1,2]}'
    assert held[record.replay.environment] == b'{"a":true,"libraries":{"numpy":"2"},"threads":1}'
    assert held[record.data.prompt_variables] == b'{"a":"1","b":"2"}'
    assert held[record.data.context_snapshot] == b'{"atoms":{"x":"six"}}'
    assert {ref.media_type for ref in held} == {JSON, "text/plain; charset=utf-8"}

    ways: list[Any] = [seen.encode(), seen.encode().decode(), seen.document()]
    ways += [Media(seen.encode(), JSON), refer(seen.encode(), JSON)[0]]
    for way in ways:
        again, _ = witness(model="m", prompt="p", observation=way)
        assert again.replay is not None
        assert again.replay.observation == record.replay.observation


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("observation", {}),
        ("observation", {"token_ids": [0.5]}),
        ("observation", b'{"token_ids": [1]}'),
        ("observation", "1"),
        ("observation", [1]),
        ("environment", {"a": 0.5}),
        ("environment", {"a": None}),
        ("environment", b'{"a":1.0}'),
        ("prompt_variables", {"a": 1}),
        ("prompt_variables", {"a": "\ud800"}),
        ("prompt_variables", ["a"]),
        ("prompt_variables", "a"),
        ("prompt_variables", b'{"a":"1","a":"2"}'),
        ("context_snapshot", {"a": "1"}),
        ("context_snapshot", {"atoms": {"a": 1}}),
        ("context_snapshot", {"atoms": []}),
        ("context_snapshot", {"atoms": {}, "note": "1"}),
        ("engine", "a b"),
    ],
)
def test_documents_of_another_shape_are_refused(name: str, value: object) -> None:
    """Before anything is recorded, and with the name of the field."""
    fields: Any = {name: value}
    with pytest.raises(RecordError, match=name) as caught:
        witness(model="m", prompt="p", **fields)
    assert caught.value.code == "body_invalid"
