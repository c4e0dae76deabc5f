"""Sessions as the verifier sees them, which shares no code with what wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.export.package import export
from tests.helpers.places import Place
from tests.helpers.world import found
from tests.session.lab import NAME, Prices, answer, ask, do, kill
from verifier import verify_package


@pytest.mark.parametrize("salted", [False, True])
def test_nothing_is_wrong_with_a_session(place: Place, tmp_path: Path, salted: bool) -> None:
    """Killed, changed, repeated, failed, abandoned, reused, staged: listed, and nothing refused."""
    genesis = place.init(salted=salted).genesis
    plan = tmp_path / "plan.md"
    plan.write_text("one")
    with place.open() as log:
        session = log.session(NAME, prices=Prices(), experiment=plan)
        for number in range(5):
            do(session, ask(str(number)), answer(tokens=number))
        session.begin(ask("killed"))
        session.begin(ask("late")).broke("timeout")
        kill(session)
        plan.write_text("two")
        with log.session(
            NAME, prices=Prices(), experiment=plan, on_change="continue", on_unknown="retry"
        ) as session:

            @session.step
            def step(prompt: str) -> int:
                do(session, ask(prompt))
                session.record(model="m", prompt="p")
                return 1

            for number in range(7):
                do(session, ask(str(number)))
            do(session, ask("killed"))
            session.begin(ask("refused")).responded(answer(status=429))
            step("new")
            step("1")
            with session.stage("s") as stage:
                stage.result = {"a": 1}
            session.begin(ask("abandoned"))
            with session.replicate(1):
                for _ in range(3):
                    do(session, ask("1"))
        export(log, tmp_path / "package", session=NAME)
    report = verify_package(str(tmp_path / "package"), trust=genesis.hex(), jobs=1)
    assert found(report) == set()
    codes = sorted(code for code, _ in found(report, "note"))
    assert codes == ["call_repeated", "outcome_unknown", "outcome_unknown", "outcome_unknown"]
