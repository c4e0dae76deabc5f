"""specs/vif.cddl says the same as the pages: it takes what they take, and refuses what it can."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pycddl
import pytest

from ledger.formats import cbor, cose

SPECS = Path(__file__).resolve().parents[2] / "specs"
VECTORS = SPECS / "vectors"

# pycddl 0.6 lacks parts of RFC 8610. The first three of these say the same in other words, the
# others leave the rule on the keys of a map to the prose.
ADAPTED = [
    ("ratio = 0.0..1.0", "ratio = from-0 .and to-1"),
    ("signed-ratio = -1.0..1.0", "signed-ratio = from-minus-1 .and to-1"),
    (
        "integer64 = -9223372036854775808..9223372036854775807",
        "integer64 = from-min .and to-max",
    ),
    (
        "{ 1*32 label => name / integer64 / float64 / bool }",
        "{ 1*32 tstr => name / integer64 / float64 / bool }",
    ),
    ("{ 1*64 label => float64 }", "{ 1*64 tstr => float64 }"),
    ("{ 1*64 name => any }", "{ 1*64 tstr => any }"),
    ("{ 1*64 header-name => prose }", "{ 1*64 tstr => prose }"),
    ("? usage: { 1*16 op-name => count }", "? usage: { 1*16 tstr => count }"),
    ("? prices: { 1*16 op-name => amount }", "? prices: { 1*16 tstr => amount }"),
]
BOUNDS = """
from-0 = float64 .ge 0.0
from-minus-1 = float64 .ge -1.0
to-1 = float64 .le 1.0
from-min = int .ge -9223372036854775808
to-max = int .le 9223372036854775807
"""
ENVELOPE = re.compile(r"^envelope<t, b> = (\{.*?\n\})\n", re.DOTALL | re.MULTILINE)
INSTANCE = re.compile(r'= envelope<("\w+"), ([\w-]+)>')
RULE = re.compile(r"^([\w-]+) = ", re.MULTILINE)

# Bodies that break a rule which only the prose states.
PROSE = re.compile(
    r"witness_(empty_(?!tools)|without_|alone_|header_|hidden_|top_k_order|top_k_sum)"
    r"|witness_(total_without_|model_model_id_[23]_|replay_other_params_[23]_)"
    r"|witness_(raw_request_headers_[1-57]_|model_model_build_date_0_|temporal_occurred_at_1_)"
    r"|witness_cost_(prices_2|usage_([234]|10))_|witness_prices_without_"
    r"|annotation_value_7_|erasure_reason_3_|revoke_reason_6_"
    r"|session_open_(previous_[12]_|changed_[134]_|frozen_[3456]_|call_key_size_)"
    r"|session_intent_(after_[12]_|attempt_4_|url_([2-9]|1[0-4])_|request_3_|request_headers_[23]_)"
    r"|session_outcome_((answered|failed|unknown|refused|not_sent|timeout|disconnected|stream"
    r"|abandoned|killed)_|decoded_alone_|response_headers_2_)"
    r"|(insight|transfer|execution|cross_model|provenance_interactions_0)_(metadata_([4569]|16)_"
    r"|ended_at_[23]_|started_at_3_|trace_(trace|span)_id_2_|usage_[34]_|atoms_2_)"
    r"|(insight|transfer|execution|provenance_interactions_0)_(confidence|quality)(_method)?_1_"
    r"|(transfer_checks|provenance_interactions_0_checks|cross_model_replay_validation"
    r"|cross_model_validation_results)_3_"
    r"|transfer_delivered_2_|provenance_(claims_1|interactions_0_step_2|steps_4)_"
    r"|cross_model_(metrics_[36]|quality_1|quality_components_1|replay_1|replay_runs_[12]"
    r"|replay_succeeded_1|cost_(baseline_(usd|method)_1|breakdown_1|priced_3))_"
    r"|replay_(operation_)?(rule|ended_at_[23]|started_at_3|message_3)_"
    r"|replay_(first_difference_1|run_number_1|operation_(checks_4|stages_4|stages_0_level_1))_"
)
# Bodies that break the CDDL, which pycddl does not notice: it takes other types where the length of
# text is bounded, and a key too many in a map inside of an array.
UNNOTICED = re.compile(
    r"witness_model_model_id_[45]_|witness_data_context_atom_ids_4_|witness_top_k_token_bytes_"
    r"|witness_unknown_uncertainty_top_k_probs_0_key_|export_streams_0_note_|annotation_value_[56]_"
    r"|session_open_(changed_0_content|frozen_0_note)_"
    r"|(insight|transfer|execution|cross_model|provenance_interactions_0)_(metadata_1[34]_|atoms_6_)"
    r"|(transfer_checks|provenance_interactions_0_checks|cross_model_replay_validation"
    r"|cross_model_validation_results)_16_|provenance_(data|interactions|steps)_0_note_"
    r"|cross_model_((insights|executions)_0_label|transfers_0_model_id"
    r"|quality_(trends|predictions)_0_note)_"
    r"|replay_(operation_)?message_2_|replay_operation_(checks_17|stages_0_note_1)_"
)


def adapted(text: str) -> str:
    """Return the schema in the words that pycddl understands."""
    text = re.sub(r";.*", "", text) + BOUNDS
    for there, instead in ADAPTED:
        assert text.count(there) == 1, f"{there} is not in vif.cddl any more"
        text = text.replace(there, instead)
    # A regular expression of CDDL has to match the whole text.
    text, count = re.subn(r'\.regexp "(.*)"', r'.regexp "^(\1)$"', text)
    assert count >= 7
    # pycddl binds all instances of a generic rule to the arguments of the first: write them out.
    envelope = ENVELOPE.search(text)
    assert envelope is not None
    generic = envelope[1].replace("type: t,", "type: %s,").replace("body: b,", "body: %s,")
    text = ENVELOPE.sub("", text)
    text, count = INSTANCE.subn(lambda match: "= " + generic % (match[1], match[2]), text)
    assert count == 23
    # pycddl takes a member key for the rule of that name: no rule keeps the name of a key.
    for rule in RULE.findall(text):
        text = re.sub(rf'(?<![\w"-]){rule}(?![\w"-]|\s*:)', f"rule-{rule}", text)
    return text


@pytest.fixture(scope="module")
def schema() -> Callable[[str | None], pycddl.Schema]:
    """Return a function that gives the schema of a payload, or of the body of a type."""
    text = adapted((SPECS / "vif.cddl").read_text())
    made: dict[str | None, pycddl.Schema] = {}

    def of(kind: str | None) -> pycddl.Schema:
        if kind not in made:
            root = f"root = rule-{kind.replace('_', '-')}-body\n" if kind else ""
            made[kind] = pycddl.Schema(root + text)
        return made[kind]

    return of


def cases(kind: str) -> list[tuple[Path, dict[str, Any]]]:
    """Return folder and case.json of all cases of a kind."""
    found = []
    for path in sorted(VECTORS.glob(f"{kind}_*/case.json")):
        found.append((path.parent, json.loads(path.read_bytes())))
    assert len(found) > 100
    return found


def valid(schema: pycddl.Schema, data: bytes) -> bool:
    """Tell whether an item of CBOR validates."""
    try:
        schema.validate_cbor(data)
    except pycddl.ValidationError:
        return False
    return True


def test_every_accepted_payload_validates(schema) -> None:
    """Payloads of known types that the programs accept are valid by the CDDL."""
    types = set()
    for folder, case in cases("statement"):
        if case["expect"] in ("ok", "signature_invalid"):
            payload = cose.parse((folder / "input.bin").read_bytes()).payload
            kind = cbor.decode(payload)["type"]
            borrowed = kind != "witness" and "_parents_ledger_" in folder.name  # a witness's body
            if kind != "dream" and not borrowed:
                assert valid(schema(None), payload), folder.name
                types.add(kind)
    assert types == {
        *("genesis", "witness", "annotation", "stream_close", "cross_model", "replay"),
    }


def test_every_accepted_body_validates(schema) -> None:
    """Bodies that are accepted, or whose numbers alone disagree, are valid by the CDDL."""
    types = set()
    for folder, case in cases("body"):
        if case["expect"] != "body_invalid":
            assert valid(schema(case["type"]), (folder / "input.bin").read_bytes()), folder.name
            types.add(case["type"])
    assert len(types) == 23


def test_bodies_are_refused_by_what_the_cddl_says(schema) -> None:
    """What the programs refuse is invalid by the CDDL too, but for rules that are only prose."""
    refused = 0
    for folder, case in cases("body"):
        if case["expect"] == "body_invalid":
            name = folder.name.removeprefix("body_")
            passes = valid(schema(case["type"]), (folder / "input.bin").read_bytes())
            assert passes == bool(PROSE.match(name) or UNNOTICED.match(name)), name
            refused += not passes
    assert refused > 200
