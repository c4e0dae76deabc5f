"""`vif operation`, and statements of operations in `vif log` and `vif show`."""

from __future__ import annotations

from pathlib import Path

import pytest

import ledger
from tests.cli.world import FORBIDDEN, HOSTILE_NAME, Vif
from tests.operations.lab import FINDING, Story, content

MODELS = "strong-1 → cheap-1"


@pytest.fixture
def runs() -> Path:
    """A ledger with a sound operation, one that claims too much, and an open one."""
    path = Path("runs.vif")
    ledger.init(path, origin="example.org/lab")
    with ledger.open(path, session="pilot") as log:
        Story(log).tell()
        corpus = content(log, b"a corpus")

        def said(body: dict[str, object]) -> None:
            body["claims"] = {"status": "outside"}
            body["data"] = [{"role": "corpus", "name": "papers", "content": corpus}]
            body["interactions"] = [
                {"source": "a", "target": "b", "type": "review", "content": corpus, "step": 1}
            ]

        Story(log, "claimed").tell(provenance=said)
    with ledger.open(path) as log:
        Story(log, "open").insight()
    return path


def test_a_list_says_what_became_of_each(vif: Vif, runs: Path) -> None:
    """A line each: models, state, cost, quality; exit code 1, because one is wrong."""
    ran = vif("operation", runs)
    assert ran.code == 1
    head, first, second, third = ran.out.splitlines()
    assert head.split()[:4] == ["#", "OPERATION", "MODELS", "STAGES"]
    assert "review/1" in first
    assert MODELS in first
    assert "combined" in first
    assert "0.5000 USD" in first
    assert "100%" in first
    assert "verified" in first
    assert "failed" in second
    assert "interrupted" in third


def test_a_list_of_one_session_as_json(vif: Vif, runs: Path) -> None:
    """An object a line."""
    found = vif("operation", runs, "--session", "pilot", "--json").lines
    assert [(one["name"], one["status"], one["sound"]) for one in found] == [
        ("review", "verified", True),
        ("claimed", "verified", False),
    ]
    assert found[0]["stages"] == {"insight": 1, "transfer": 1, "execution": 1}
    assert (found[0]["cost_usd"], found[0]["quality"], found[0]["preservation"]) == (0.5, 0.5, 1.0)
    assert vif("operation", runs, "--session", "none").code == 0
    assert "no operations" in vif("operation", runs, "--session", "none").err


def test_one_in_full(vif: Vif, runs: Path) -> None:
    """By any of its statements: the chain, the whole, what was computed, what differs."""
    with ledger.open(runs, read_only=True) as log:
        chains = list(log.find(type="provenance"))
    ran = vif("operation", runs, chains[0].index)
    assert ran.code == 0
    for text in ("review/1", MODELS, "insight 1", "transfer 1", "0.5000 USD", "status", "verified"):
        assert text in ran.out
    ran = vif("operation", runs, chains[1].id)
    assert ran.code == 1
    assert "claim_mismatch" in ran.out
    assert "a → b  review  8 B  at step 2" in ran.out
    assert "papers  8 B" in ran.out
    found = vif("operation", runs, chains[1].id, "--json").json
    assert [one["code"] for one in found["findings"]] == ["claim_mismatch"]
    assert found["computed"]["trust_chain"][0]["kid"] == chains[1].cose.kid.hex()
    assert [part["state"] for part in found["parts"]] == ["here"] * 3
    assert found["provenance"]["body"]["claims"] == {"status": "outside"}


def test_what_is_no_statement_of_an_operation(vif: Vif, runs: Path) -> None:
    """It says what to give instead."""
    error = vif("operation", runs, 1, "--json").error
    assert error["code"] == "not_found"
    assert "insight" in error["hint"]
    assert vif("operation", runs, 2, "--session", "pilot").code == 2


def test_log_and_show_say_what_a_stage_is(vif: Vif, runs: Path) -> None:
    """One line each, readable bodies, and contents by name."""
    lines = vif("log", runs, "--session", "pilot").out
    assert "review/1  1  strong-1  quality 0.50  0.2500 USD" in lines
    assert "review/1  1  strong-1 → cheap-1" in lines
    assert "review/1  insight → transfer → execution" in lines
    assert f"review/1  {MODELS}  quality 0.50, 100% preserved  0.5000 USD" in lines
    assert "body does not follow its page" not in lines
    with ledger.open(runs, read_only=True) as log:
        found = {entry.payload.type: entry.index for entry in log.find(session="pilot")}
    assert "passed 0" in vif("show", runs, found["cross_model"]).out
    assert vif("show", runs, found["transfer"], "--content", "content").out.strip() == FINDING
    assert vif("show", runs, found["execution"], "--content", "output").out.strip() == "Done."
    assert vif("show", runs, found["provenance"], "--content", "papers").out.strip() == "a corpus"
    shown = vif("show", runs, found["provenance"], "--content", "interaction-1").out
    assert shown.strip() == "a corpus"


def test_names_cannot_write_to_the_terminal(vif: Vif) -> None:
    """Models and versions come from whoever wrote the record."""
    ledger.init("runs.vif", origin="example.org/lab")
    with ledger.open("runs.vif") as log:

        def hostile(body: dict[str, object]) -> None:
            body["model_id"] = body["model_version"] = HOSTILE_NAME

        Story(log).insight(hostile)
    for command in ("log", "operation"):
        out = vif(command, "runs.vif").out
        assert not set(FORBIDDEN) & set(out)
        assert "[bold]m[/bold]" in out
    assert not set(FORBIDDEN) & set(vif("operation", "runs.vif", "last").out)


def test_doctor_names_what_does_not_fit(vif: Vif, runs: Path) -> None:
    """As a problem of the ledger; an open operation is a note."""
    found = vif("doctor", runs, "--json")
    assert found.code == 1
    codes = [(one["code"], one["severity"]) for one in found.json["problems"]]
    assert ("claim_mismatch", "fail") in codes
    assert ("operation_open", "note") in codes
