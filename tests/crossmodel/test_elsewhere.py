"""Stages run elsewhere: ids over the borders of processes and ledgers (specs/12 section 9)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger
from ledger import ContentError, FormatError, Ledger, RecordError
from ledger.formats.handover import Handover, parse_tracestate
from ledger.formats.payload import Parent
from ledger.session import Session
from tests.crossmodel.lab import CHEAP, STRONG, body, session, stages, think, work
from tests.helpers.places import Place, problems
from tests.session.lab import answer, ask, do


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Ledger]:
    """Another ledger, with other keys."""
    path, keys = tmp_path / "there.vif", tmp_path / "there-keys"
    ledger.init(path, origin="example.net/service", keys=keys)
    with ledger.open(path, keys=keys) as opened:
        yield opened


def test_headers_name_a_stage_to_a_service(log: Ledger, there: Ledger) -> None:
    """The service's insight builds on a stage in the caller's ledger, in one trace."""
    with session(log) as here:
        operation = here.cross_model("x", insight=STRONG, execution=CHEAP)
        with operation.insight() as insight:
            think(here)
        headers = insight.headers()
        with session(there) as run:
            asked = run.cross_model("y", insight=STRONG, headers=headers)
            with asked.insight():
                think(run)
    served = stages(there, "insight")[0].payload
    assert served.parents[:1] == (Parent(insight.id, insight.leaf_hash, log.genesis),)
    assert served.body["trace"]["trace_id"] == insight.body["trace"]["trace_id"]
    assert served.body["trace"]["span_id"] != insight.body["trace"]["span_id"]
    trace = insight.body["trace"]
    assert headers["traceparent"] == f"00-{trace['trace_id']}-{trace['span_id']}-01"


def test_headers_of_the_same_ledger_name_an_own_parent(log: Ledger) -> None:
    """Another process that writes to the same ledger has it as an ordinary parent."""
    with session(log) as here:
        with here.cross_model("x", insight=STRONG).insight() as insight:
            think(here)
        with log.session("another", prices=None) as run:
            asked = run.cross_model("y", insight="m", headers=insight.headers())
            with asked.insight() as served:
                served.output = "So it is."
    assert served.entry.payload.parents == (insight.parent,)
    assert served.entry.payload.parents[0].ledger is None


def test_a_stage_of_another_ledger_is_joined(log: Ledger, there: Ledger) -> None:
    """It is a part like others: named by ledger and leaf hash, counted, in its place."""
    with session(log) as run, run.cross_model("x", insight=STRONG, execution=CHEAP) as operation:
        with operation.insight() as insight:
            think(run)
        with operation.transfer(insight) as handed:
            pass
        with session(there) as service:
            served = service.cross_model("served", execution=CHEAP)
            taken = served.join(handed.handover().to_text(), content=handed.content)
            execution = served.execute(taken, quality=0.5)
            with execution:
                execution.context = handed.text
                execution.output = "Done elsewhere."
        joined = operation.join(
            execution.handover().to_bytes(), "there", content=b"Done elsewhere."
        )
        assert joined.text == "Done elsewhere."
        with operation.transfer(joined, target=STRONG) as back:
            pass
        with operation.execute(back, model=STRONG):
            look(run, back.text)
    whole, chain = stages(log, "cross_model")[0].payload, stages(log, "provenance")[0].payload
    assert [step["label"] for step in chain.body["steps"]] == ["1", "1", "there", "2", "1"]
    assert [parent.ledger for parent in chain.parents] == [None, None, there.genesis, None, None]
    assert whole.parents[3].leaf_hash == execution.leaf_hash
    assert whole.body["executions"][0] == {"model_id": CHEAP, "quality": 0.5}
    assert problems(log.path) == []


def look(run: Session, text: str) -> None:
    """A call to the strong model, with a text in its prompt."""
    do(run, ask(f"Look at {text}", model=STRONG), answer("Good.", model=STRONG))


def test_what_a_joined_stage_gave_has_to_be_what_it_refers_to(log: Ledger, there: Ledger) -> None:
    """Content that is handed over beside the statement is checked."""
    with session(there) as service, service.cross_model("s", insight="m").insight() as insight:
        insight.output = "true"
    with session(log) as run:
        operation = run.cross_model("x")
        with pytest.raises(ContentError) as caught:
            operation.join(insight.handover(), content=b"false")
        assert caught.value.code == "content_mismatch"


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"VIFHO1",
        b"VIFHO1" + bytes(32),
        b"VIFHO2" + bytes(100),
        b"VIFHO1" + bytes(70_000),
        "",
        "vifho1:",
        "vifho1:AAAA=",
        "vifho1:!",
        "vifho1:" + "A" * 200_000,
    ],
    ids=range(10),
)
def test_what_is_no_handover_is_refused(wrong: bytes | str) -> None:
    """With a code of its own, whatever came."""
    with pytest.raises(FormatError) as caught:
        Handover.read(wrong)
    assert caught.value.code == "reference_invalid"


def test_a_witness_is_no_stage(log: Ledger, there: Ledger) -> None:
    """Only an insight, a transfer or an execution can be joined."""
    receipt = there.record(model="m", prompt="p", output="o")
    made = Handover(there.genesis, there.get(receipt.index).statement)
    with session(log) as run, pytest.raises(RecordError, match="no stage"):
        run.cross_model("x").join(made)


@pytest.mark.parametrize("said", ["vif=", "vif=00:11:22", "a=b,vif=" + "0" * 64, "vif=x=y"])
def test_a_malformed_member_of_tracestate_is_refused(said: str) -> None:
    """A caller that names something names it rightly, or gets an error."""
    with pytest.raises(FormatError) as caught:
        parse_tracestate(said)
    assert caught.value.code == "reference_invalid"


def test_parents_can_be_named_outright(place: Place, there: Ledger) -> None:
    """`parents=` takes statements of other ledgers too."""
    place.init()
    receipt = there.record(model="m", prompt="p", output="o")
    outside = Parent(receipt.id, receipt.leaf_hash, there.genesis)
    with place.open() as log, session(log) as run:
        operation = run.cross_model("x", insight=STRONG, execution=CHEAP, parents=[outside])
        with operation:
            with operation.insight() as insight:
                think(run)
            with operation.transfer(insight) as handed:
                pass
            with operation.execute(handed):
                work(run, handed.text)
        assert stages(log, "insight")[0].payload.parents[0] == outside
        assert body(log, "insight")["usage"]["operations"] == 1


def test_a_stage_of_another_session_stands_where_the_log_has_it(log: Ledger) -> None:
    """Joined late, and not named by a stage before: its place is still that of its index."""
    with log.session("another", prices=None) as other:
        asked = other.cross_model("y")
        with asked.insight(model=STRONG) as served:
            served.output = "So it is."
        with session(log) as run:
            operation = run.cross_model("x", insight=STRONG, execution=CHEAP)
            with operation:
                with operation.insight() as insight:
                    think(run)
                with operation.transfer(insight) as handed:
                    pass
                with operation.execute(handed):
                    work(run, handed.text)
                operation.join(served.handover(), "late")
    steps = body(log, "provenance")["steps"]
    assert [one["label"] for one in steps] == ["late", "1", "1", "1"]
    assert log.operation(operation.id).findings == ()


def test_a_foreign_stage_of_an_operation_that_fails_inside_another(
    log: Ledger, there: Ledger
) -> None:
    """The outer stage goes on; what is in another ledger happened there and not inside of it."""
    with session(there) as service:
        served = service.cross_model("s", insight="m").insight()
        with served:
            served.output = "So it is."
    outside = Parent(served.id, served.leaf_hash, there.genesis)
    with session(log) as run, run.cross_model("outer", insight=STRONG, execution=CHEAP) as outer:
        with outer.insight() as insight:
            inner = run.cross_model("inner")
            with contextlib.suppress(ZeroDivisionError), inner:
                inner.join(served.handover())
                raise ZeroDivisionError
            think(run)
            insight.include(outside)
        with outer.transfer(insight) as handed:
            pass
        with outer.execute(handed):
            work(run, handed.text)
    assert insight.entry.payload.parents[0] == outside
    assert insight.body["made_with"] == 1


def test_a_stage_of_another_session_of_a_salted_ledger(place: Place) -> None:
    """Its content is here already, and is compared with what is handed over."""
    place.init(salted=True)
    with place.open() as log, log.session("another", prices=None) as other:
        with other.cross_model("y").insight(model=STRONG) as served:
            served.output = "So it is."
        with session(log) as run, run.cross_model("x", execution=CHEAP) as operation:
            with pytest.raises(ContentError, match="not what"):
                operation.join(served.handover(), "wrong", content=b"So it is not.")
            joined = operation.join(served.handover(), content=b"So it is.")
            with operation.transfer(joined) as handed:
                pass
            with operation.execute(handed):
                work(run, handed.text)
        assert log.operation(operation.id).findings == ()
