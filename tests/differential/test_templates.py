"""Prompts made of templates: both programs make the same text, or none (specs/13 section 3)."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.errors import ReplayError
from ledger.replay.prompts import render
from verifier.errors import BadValue
from verifier.templates import filling, made, parse_snapshot, parse_variables

NAMES = ["a", "b", "atoms", "atom.1", "atom.2", "atom.0", "atom.01", "atom.12345678901", "a-b_c.d"]
PIECES = ["x", " ", "{", "}", "{{", "}}", "{{}}", "{{ a }}", "{{ä}}", "\n", *NAMES]
TEXTS = ["", "one", "{{a}}", "ä\n", "}}"]

templates = st.lists(
    st.one_of(st.sampled_from(PIECES), st.sampled_from([f"{{{{{name}}}}}" for name in NAMES])),
    max_size=6,
).map("".join)
variables = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TEXTS), max_size=4)
atoms = st.none() | st.lists(st.sampled_from(TEXTS), max_size=3)


def ledger_makes(template: str, filled: dict[str, str], chosen: list[str] | None) -> bytes | None:
    try:
        return render(template, filled, chosen).encode()
    except ReplayError:
        return None


def verifier_makes(template: str, filled: dict[str, str], chosen: list[str] | None) -> bytes | None:
    ids = [f"id {number}" for number in range(len(chosen or ()))]
    snapshot = None
    if chosen is not None:
        document = {"atoms": dict(zip(ids, chosen, strict=True))}
        snapshot = parse_snapshot(json.dumps(document).encode())
    told = parse_variables(json.dumps(filled).encode())
    try:
        return made(template.encode(), filling(told, snapshot, ids), 1 << 20)
    except BadValue:
        return None


@settings(max_examples=500, deadline=None)
@given(templates, variables, atoms)
@example("{{atoms}}", {}, [])
@example("{{atoms}}", {"atoms": "x"}, [])
@example("{{atom.2}}", {"atom.2": "x"}, ["one"])
@example("{{atom.12345678901}}", {"atom.12345678901": "x"}, ["one"])
@example("{{atom.1}}{{atoms}}", {"atom.1": "x", "atoms": "y"}, None)
def test_both_make_the_same_text(
    template: str, filled: dict[str, str], chosen: list[str] | None
) -> None:
    text = ledger_makes(template, filled, chosen)
    assert text == verifier_makes(template, filled, chosen)


@pytest.mark.parametrize(
    ("template", "chosen"), [("{{atoms}}", []), ("{{atom.2}}", ["one"]), ("{{atom.0}}", ["one"])]
)
def test_a_key_with_nothing_to_put_in_breaks_the_rule(template: str, chosen: list[str]) -> None:
    assert ledger_makes(template, {"atoms": "x", "atom.2": "x"}, chosen) is None
