"""Operations that are run by an engine and recorded at once, so that they can be run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger import Ledger
from ledger.errors import ReplayError
from ledger.formats.content import from_cbor
from ledger.formats.observation import Observation
from ledger.model.archive import TEXT, Media
from ledger.replay import Result, Task, replay
from ledger.replay.recording import perform
from ledger.replay.weights import weights_digest
from tests.replay import tiny
from tests.replay.lab import Scripted

SEEN = Observation(token_ids=[1, 2], token_texts=["Be", "cause"], logprobs=[-0.5, -0.25])


def said(task: Task) -> Result:
    return Result(
        output=Media(b"Because", TEXT),
        observation=SEEN,
        environment={"engine": "scripted", "threads": 1},
        confidence=0.75,
        finish_reason="stop",
        prompt_tokens=3,
        output_tokens=2,
    )


def done(log: Any, engine: Scripted, **fields: Any) -> Any:
    told: dict[str, Any] = {"prompt": "Why?", "model": "small"}
    return perform(log, "scripted", engine=engine, **(told | fields))


def test_everything_a_replay_needs_is_recorded(log: Ledger, tmp_path: Path) -> None:
    engine = Scripted(said)
    (tmp_path / "weights").write_bytes(b"1")
    before = log.record(model="m", prompt="p")
    witness = done(
        log,
        engine,
        resources=tiny.at_hand(tmp_path / "weights"),
        parents=[before],
        replay_seed=7,
        temperature=0.5,
        stop=["\n"],
        top_k=None,
    )
    body = tiny.body(log, witness)
    assert body["replay"].pop("environment")
    assert body["replay"].pop("observation")
    assert body["replay"] == {
        "engine": "scripted",
        "replay_seed": 7,
        "temperature": 0.5,
        "other_params": {"stop": ["\n"]},
    }
    assert body["model"] == {
        "model_id": "small",
        "weights_hash": weights_digest(tmp_path / "weights"),
    }
    assert body["output"].pop("output_hash")
    assert body["output"] == {
        "output_tokens": 2,
        "total_tokens": 5,
        "token_source": "tokenizer",
        "finish_reason": "stop",
    }
    assert body["uncertainty"]["confidence_score"] == 0.75
    assert body["uncertainty"]["confidence_method"] == "logprobs"
    assert body["capture"]["vantage"] == "hook"
    assert body["temporal"]["execution_time_ms"] >= 0.0
    assert tiny.seen(log, witness) == SEEN
    assert tiny.environment(log, witness) == {"engine": "scripted", "threads": 1}
    assert [parent.id for parent in log.get(witness.index).payload.parents] == [before.id]
    (task,) = engine.tasks
    assert task.weights == body["model"]["weights_hash"]


def test_what_an_engine_does_not_say_is_not_recorded(log: Ledger) -> None:
    witness = done(log, Scripted(lambda task: Result(Media(b"Because", TEXT))))
    body = tiny.body(log, witness)
    assert body["replay"] == {"engine": "scripted"}
    assert "uncertainty" not in body
    assert body["output"].keys() == {"output_hash"}
    assert log.content(from_cbor(body["output"]["output_hash"])) == b"Because"


def test_the_same_task_is_run_again(log: Ledger) -> None:
    engine = Scripted(said)
    witness = done(log, engine, max_tokens=9, other="x", prompt=[{"role": "user", "content": "?"}])
    (ran,) = replay(log, [witness.id], engine=engine, wanted="logprobs")
    assert ran.body.success, ran.body.message
    assert engine.tasks[0] == engine.tasks[1]


def test_a_session_can_be_recorded_to(log: Ledger) -> None:
    with log.session("lab") as session:
        witness = done(session, Scripted(said))
    assert [entry.id for entry in log.find(session="lab", type="witness")] == [witness.id]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (ReplayError("engine_failed", "no"), "engine_failed"),
        (ZeroDivisionError("no"), "engine_failed"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else one,
)
def test_an_operation_that_fails_is_not_recorded(
    log: Ledger, failure: Exception, code: str
) -> None:
    def fail(task: Task) -> Result:
        raise failure

    size = len(log)
    with pytest.raises(ReplayError) as error:
        done(log, Scripted(fail))
    assert error.value.code == code
    with pytest.raises(ReplayError):
        done(log, Scripted(said, refusal=ReplayError("model_unavailable", "no")))
    assert len(log) == size


def test_one_model_runs(log: Ledger, tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="several weights"):
        done(log, Scripted(said), resources=tiny.at_hand(tmp_path, tmp_path))


def test_an_engine_that_is_not_installed(log: Ledger) -> None:
    with pytest.raises(ReplayError) as error:
        perform(log, "no-such-engine", prompt="Why?", model="small")
    assert error.value.code == "engine_unknown"
