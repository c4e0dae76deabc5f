"""An Inspect log: what can be run again is planned, and what cannot is named with its reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ledger import Ledger
from ledger.capture.inspect_log import import_inspect
from ledger.export import export
from ledger.formats.content import from_cbor
from ledger.replay import Resources, replay
from tests.capture.conftest import theory_of_mind
from tests.helpers.places import Place
from tests.replay.test_endpoints import answering, send
from verifier import verify_package

__all__ = ["theory_of_mind"]
SOME = 12


@pytest.fixture
def imported(place: Place, theory_of_mind: Path) -> Iterator[Ledger]:
    """The sample log in a ledger: 100 answers and 100 verdicts of a hosted model."""
    place.init()
    with place.open() as log:
        import_inspect(log, theory_of_mind)
        yield log


def test_all_of_it_is_planned_and_verified(imported: Ledger, tmp_path: Path) -> None:
    made = export(imported, tmp_path / "package", replay=True)
    lines = (tmp_path / "package/data/replay/plan.jsonl").read_bytes().splitlines()
    plan = [json.loads(line) for line in lines]
    assert Counter((one["engine"], one["needs"]) for one in plan) == {("openai", "endpoint"): 200}
    assert {tuple(one["levels"]) for one in plan} == {("archive", "text", "bits")}
    page = (tmp_path / "package/REPLAY.md").read_text(encoding="utf-8")
    assert "`gpt-4o-mini-2024-07-18`" in page
    assert "may have changed or withdrawn it since" in page
    report = verify_package(
        str(tmp_path / "package"), trust=made.genesis, known_head=made.known_head, jobs=1
    )
    assert report.exit_code == 0, report.to_text()
    assert report.counts["planned"] == 200


def test_without_the_hosted_model_each_is_named_with_the_reason(imported: Ledger) -> None:
    names = [entry.id for entry in imported.find(type="witness")][:SOME]
    runs = list(replay(imported, names))
    assert {(ran.body.level, ran.body.reason) for ran in runs} == {("archive", "model_unavailable")}
    assert runs[0].body.message == "gpt-4o-mini is behind an endpoint, and none was named"


def test_a_server_that_answers_as_it_did_reproduces_it(imported: Ledger) -> None:
    """Same request, byte for byte; whoever still serves that model can be asked."""
    entries = list(imported.find(type="witness"))[:SOME]
    raws = [entry.payload.body["raw"] for entry in entries]
    answers = {
        imported.content(from_cbor(raw["request"])): imported.content(from_cbor(raw["response"]))
        for raw in raws
    }

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        return send(handler, answers[body])

    with answering(answer) as url:
        runs = list(
            replay(
                imported,
                [entry.id for entry in entries],
                wanted="bits",
                resources=Resources(endpoint=url),
            )
        )
    assert [ran.body.level for ran in runs] == ["bits"] * SOME
