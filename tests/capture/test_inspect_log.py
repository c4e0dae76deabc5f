"""Importing Inspect AI logs: every call and every score arrives, or nothing does."""

from __future__ import annotations

import contextlib
import json
import struct
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.capture import inspect_file, inspect_resolve
from ledger.capture.inspect_log import import_inspect, session_label
from ledger.errors import ImportSourceError
from ledger.formats.content import from_cbor
from ledger.log import Ledger
from tests.capture.inspect_parts import model_event, sample

Writer = Callable[..., Path]


def bodies(log: Ledger, kind: str) -> list[dict[str, Any]]:
    return [dict(entry.payload.body) for entry in log.find(type=kind)]


def text(log: Ledger, ref: dict[str, Any]) -> str:
    return log.content(from_cbor(ref)).decode()


def refused(log: Ledger, path: Path, **options: Any) -> ImportSourceError:
    """Import, expect a refusal, and see that nothing was written."""
    size = len(log)
    with pytest.raises(ImportSourceError) as caught:
        import_inspect(log, path, **options)
    assert len(log) == size
    return caught.value


def test_a_real_log_arrives_whole(log: Ledger, theory_of_mind: Path) -> None:
    """100 samples: 200 calls, 100 verdicts of which 83 are right, the token totals of the log."""
    seen: list[tuple[int, int]] = []
    result = import_inspect(
        log, theory_of_mind, progress=lambda done, total: seen.append((done, total))
    )
    assert (result.witnesses, result.annotations, result.skipped) == (200, 100, ())
    assert seen[-1] == (200, 200)
    witnesses, annotations = bodies(log, "witness"), bodies(log, "annotation")
    assert Counter(body["value"] for body in annotations) == {"C": 83, "I": 17}
    with zipfile.ZipFile(theory_of_mind) as archive:
        stats = json.loads(archive.read("header.json"))["stats"]["model_usage"]
    usage = stats["openai/gpt-4o-mini"]
    assert sum(body["data"]["prompt_tokens"] for body in witnesses) == usage["input_tokens"]
    assert sum(body["output"]["output_tokens"] for body in witnesses) == usage["output_tokens"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (64492, 53594)
    (statement,) = bodies(log, "import")
    assert (statement["witnesses"], statement["annotations"]) == (200, 100)
    assert statement["source_name"] == "theory-of-mind.eval"
    assert log.content(result.source) == theory_of_mind.read_bytes()


def test_scores_of_a_real_log_name_answer_and_grader(log: Ledger, theory_of_mind: Path) -> None:
    """Both parents are calls of the sample; the grader was shown what the answer said."""
    import_inspect(log, theory_of_mind)
    for entry in log.find(type="annotation"):
        answer, grader = (log.by_id(parent.id).payload.body for parent in entry.payload.parents)
        source = entry.payload.body["source"]
        assert source["sample_id"] == answer["capture"]["source"]["sample_id"]
        assert source["sample_id"] == grader["capture"]["source"]["sample_id"]
        messages = json.loads(text(log, grader["data"]["prompt_hash"]))
        assert text(log, answer["output"]["output_hash"]) in messages[0]["content"]


def test_a_call_is_recorded_with_everything_that_the_log_says(
    log: Ledger, eval_log: Writer
) -> None:
    """Model, configuration, usage, raw bodies, times in UTC, and the place in the log."""
    event = model_event(config={"temperature": 0, "seed": 7, "stop_seqs": ["a"]}, retries=2)
    import_inspect(log, eval_log(sample(event)))
    (body,) = bodies(log, "witness")
    assert body["model"] == {
        "model_id": "gpt-4o-mini-2024-07-18",
        "model_provider": "openai",
        "provider_source": "stated",
        "requested_model": "gpt-4o-mini",
        "actual_model": "gpt-4o-mini-2024-07-18",
    }
    assert body["replay"] == {
        "replay_seed": 7,
        "temperature": 0.0,
        "other_params": {"stop_seqs": ["a"]},
    }
    assert body["temporal"] == {
        "occurred_at": "2025-09-23T12:10:00.000000Z",
        "execution_time_ms": 2000.0,
    }
    assert body["cost"] == {"response_time_ms": 2500.0, "tokens_used": 6}
    source = {"format": "inspect-eval", "event_id": "event-1", "sample_id": "1", "epoch": 1}
    assert body["capture"] == {
        "vantage": "imported",
        "attempts": 3,
        "request_id": "chatcmpl-1",
        "source": source,
    }
    assert text(log, body["output"]["output_hash"]) == "4"
    assert json.loads(text(log, body["raw"]["request"])) == event["call"]["request"]
    assert json.loads(text(log, body["raw"]["response"])) == event["call"]["response"]


def test_attachments_and_pools_are_resolved(log: Ledger, eval_log: Writer) -> None:
    """Long texts and pooled messages stand where they were said."""
    event = model_event(input=[], input_refs=[[0, 1]])
    event["call"] = {
        **event["call"],
        "request": {"model": "gpt-4o-mini"},
        "call_refs": [[1, 2], [0, 1]],
        "call_key": "messages",
    }
    pool = [{"role": "user", "content": f"attachment://{'a' * 32}"}]
    calls = [*pool, {"role": "system", "content": "be brief"}]
    document = sample(
        event, events_data={"messages": pool, "calls": calls}, attachments={"a" * 32: "2 + 2?"}
    )
    import_inspect(log, eval_log(document))
    (body,) = bodies(log, "witness")
    whole = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "2 + 2?"}]
    assert json.loads(text(log, body["data"]["prompt_hash"])) == whole
    assert json.loads(text(log, body["raw"]["request"]))["messages"] == whole


def test_another_providers_call_keeps_its_raw_bodies(log: Ledger, eval_log: Writer) -> None:
    """Fields come from Inspect's own account; the raw exchange is archived as it is."""
    call = {
        "request": {"model": "claude-3", "system": "be brief", "messages": []},
        "response": {"id": "msg_1", "content": [{"type": "text", "text": "4"}]},
    }
    event = model_event(model="anthropic/claude-3", call=call)
    event["output"]["model"] = "claude-3"
    import_inspect(log, eval_log(sample(event)))
    (body,) = bodies(log, "witness")
    assert body["model"]["model_provider"] == "anthropic"
    assert json.loads(text(log, body["data"]["prompt_hash"])) == event["input"]
    assert json.loads(text(log, body["raw"]["request"])) == call["request"]
    assert (body["data"]["prompt_tokens"], body["output"]["output_tokens"]) == (5, 1)


def test_a_call_that_failed_is_a_witness_without_output(log: Ledger, eval_log: Writer) -> None:
    """What went wrong is an annotation of kind `error` on it."""
    call = {"request": model_event()["call"]["request"], "response": None}
    event = model_event(output={"model": "", "choices": []}, error="rate limit", call=call)
    import_inspect(log, eval_log(sample(event, scores={})))
    (body,), (note,) = bodies(log, "witness"), bodies(log, "annotation")
    assert body["output"] == {}
    assert note["kind"] == "error"
    assert text(log, note["explanation"]) == "rate limit"


def test_a_cached_answer_costs_nothing_and_says_so(log: Ledger, eval_log: Writer) -> None:
    """A cache read is a call of its own, without a raw exchange."""
    import_inspect(log, eval_log(sample(model_event(cache="read", call=None))))
    (body,) = bodies(log, "witness")
    assert body["replay"]["other_params"] == {"cache": "read"}
    assert body["cost"]["tokens_used"] == 0
    assert "raw" not in body


def test_calls_of_failed_attempts_and_nested_events_count(log: Ledger, eval_log: Writer) -> None:
    """A retried sample, a tool of an older log: no call is lost, wherever it stands."""
    document = sample(
        {"event": "tool", "events": [model_event("inner")]},
        model_event("outer"),
        error_retries=[{"message": "x", "events": [model_event("first try")]}],
    )
    assert import_inspect(log, eval_log(document)).witnesses == 3
    events = {body["capture"]["source"]["event_id"] for body in bodies(log, "witness")}
    assert events == {"inner", "outer", "first try"}


def test_a_score_names_the_answer_and_its_own_grader(log: Ledger, eval_log: Writer) -> None:
    """Of two scorers each verdict has the grader that made it."""
    spans = [
        {"event": "span_begin", "id": f"s{n}", "type": "scorer", "name": name, "parent_id": None}
        for n, name in enumerate(["one", "two"])
    ]
    document = sample(
        model_event("draft"),
        model_event("answer"),
        *spans,
        model_event("g1", span_id="s0"),
        model_event("g2", span_id="s1"),
        {"event": "score", "uuid": "score-2", "span_id": "s1", "score": {"value": 0.5}},
        scores={"one": {"value": True}, "two": {"value": 0.5}},
    )
    import_inspect(log, eval_log(document))
    found = {}
    for entry in log.find(type="annotation"):
        parents = [log.by_id(parent.id).payload.body for parent in entry.payload.parents]
        events = [body["capture"]["source"]["event_id"] for body in parents]
        found[entry.payload.body["name"]] = (entry.payload.body["value"], events)
        if entry.payload.body["name"] == "two":
            assert entry.payload.body["source"]["event_id"] == "score-2"
    assert found == {"one": (True, ["answer", "g1"]), "two": (0.5, ["answer", "g2"])}


@pytest.mark.parametrize(
    ("value", "kept"),
    [(1, 1), (0.5, 0.5), (None, None), ({"a": 1}, '{"a":1}'), ("x" * 5000, None)],
    ids=["integer", "float", "none", "map", "long"],
)
def test_every_kind_of_verdict_is_kept(
    log: Ledger, eval_log: Writer, value: Any, kept: Any
) -> None:
    """Scalars as they are, maps as JSON, and what is too long beside the log."""
    import_inspect(log, eval_log(sample(model_event(), scores={"s": {"value": value}})))
    (body,) = bodies(log, "annotation")
    assert body.get("value") == kept
    if value == "x" * 5000:
        assert json.loads(text(log, body["explanation"]))["value"] == value


def test_a_score_without_a_call_is_listed(log: Ledger, eval_log: Writer) -> None:
    """An annotation needs a parent; a verdict that has none is named in the result."""
    result = import_inspect(log, eval_log(sample()))
    assert (result.witnesses, result.annotations) == (0, 0)
    assert "score match" in result.skipped[0].place


def test_a_file_is_imported_once_unless_asked_again(log: Ledger, eval_log: Writer) -> None:
    """Recognised by content, also in a salted ledger, and under another name."""
    path = eval_log(sample(model_event()))
    import_inspect(log, path)
    other = path.rename(path.with_name("renamed.eval"))
    error = refused(log, other)
    assert error.code == "already_imported"
    import_inspect(log, other, again=True)
    assert len(bodies(log, "import")) == 2


UNREADABLE: dict[str, dict[str, Any]] = {
    "no model": {"model": None},
    "no time": {"timestamp": None},
    "no offset": {"timestamp": "2025-09-23T08:10:00"},
    "lost attachment": {"input": f"attachment://{'0' * 32}", "call": None},
    "lost pool": {"input": [], "input_refs": [[0, 1]], "call": None},
    "bad pool": {"input": [], "input_refs": [["0", True]], "call": None},
}


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE)
def test_an_event_that_cannot_be_read_stops_the_import(
    log: Ledger, eval_log: Writer, change: dict[str, Any]
) -> None:
    """Nothing is written; skipped explicitly, it is listed and the rest arrives."""
    path = eval_log(sample(model_event("good"), model_event("bad", **change)))
    error = refused(log, path)
    assert error.code == "source_unreadable"
    assert "event bad" in error.message
    result = import_inspect(log, path, skip_unreadable=True)
    assert result.witnesses == 1
    assert [skipped.place.split()[-1] for skipped in result.skipped] == ["bad"]


def test_a_sample_that_the_summaries_list_and_the_file_lacks_stops_the_import(
    log: Ledger, eval_log: Writer
) -> None:
    """Taking a sample out of a log does not go unnoticed."""
    listed = [{"id": 1, "epoch": 1}, {"id": 2, "epoch": 1}]
    error = refused(log, eval_log(sample(model_event()), summaries=listed))
    assert "'2'" in error.message
    journal = {"summaries": None, "_journal__summaries__1": listed}
    assert "'2'" in refused(log, eval_log(sample(model_event()), **journal)).message


def test_an_event_cannot_grow_without_bound(
    log: Ledger, eval_log: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One attachment that is named many times does not fill the memory."""
    monkeypatch.setattr(inspect_resolve, "EVENT_MAX_BYTES", 100_000)
    many = [{"role": "user", "content": f"attachment://{'a' * 32}"}] * 200
    document = sample(model_event(input=many), attachments={"a" * 32: "x" * 1000})
    assert "grows beyond" in refused(log, eval_log(document)).message


SAMPLES: dict[str, Any] = {
    "not JSON": "{",
    "no events": {"id": 1, "epoch": 1},
    "a list": [],
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES)
def test_a_sample_that_cannot_be_read_stops_the_import(
    log: Ledger, eval_log: Writer, document: Any
) -> None:
    """A broken member is named."""
    error = refused(log, eval_log(summaries=None, samples__1_epoch_1=document))
    assert error.code == "source_unreadable"
    assert "samples/1_epoch_1.json" in error.message


def test_a_file_of_another_kind_is_refused(log: Ledger, eval_log: Writer, tmp_path: Path) -> None:
    """No zip, no file, no header, an unknown version: each says what is wrong."""
    other = tmp_path / "other.eval"
    assert refused(log, other).code == "source_unreadable"
    other.write_bytes(b"not a zip")
    assert refused(log, other).code == "source_unreadable"
    assert refused(log, eval_log(header=None)).code == "source_unsupported"
    assert refused(log, eval_log(header={"version": 9, "eval": {}})).code == "source_unsupported"
    assert refused(log, eval_log(header=[])).code == "source_unsupported"


def test_a_running_logs_header_is_its_journal(log: Ledger, eval_log: Writer) -> None:
    """A log whose run was cut off has no header.json, and is read all the same."""
    start = {"version": 2, "eval": {"task": "t", "eval_id": "e"}}
    path = eval_log(sample(model_event()), header=None, _journal__start=start)
    assert import_inspect(log, path).witnesses == 1


def test_zip_bounds_are_checked_before_anything_is_unpacked(
    log: Ledger, eval_log: Writer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Size, ratio, duplicates and other methods of compression."""
    bomb = sample(model_event(), note="0" * 3_000_000)
    monkeypatch.setattr(inspect_file, "RATIO_MAX", 100)
    assert "beyond the bounds" in refused(log, eval_log(bomb)).message
    monkeypatch.setattr(inspect_file, "MEMBER_MAX_BYTES", 500)
    assert "beyond the bounds" in refused(log, eval_log(sample(model_event()))).message
    monkeypatch.undo()
    path = eval_log(sample(model_event()))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("header.json", "{}")
    assert "twice" in refused(log, path).message
    path = eval_log(sample(model_event()))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 10 : at + 12] = struct.pack("<H", 93)  # Zstandard
    path.write_bytes(data)
    assert refused(log, path).code == "source_unsupported"


def test_a_flipped_byte_is_noticed(log: Ledger, eval_log: Writer) -> None:
    """The checksums of the zip hold, wherever a byte is changed."""
    good = eval_log(sample(model_event())).read_bytes()
    for at in range(0, len(good), 97):
        data = bytearray(good)
        data[at] ^= 0x20
        path = eval_log(sample(model_event()))
        path.write_bytes(data)
        with contextlib.suppress(ImportSourceError):  # and nothing else
            import_inspect(log, path, again=True)


def test_the_session_label_is_a_label(theory_of_mind: Path, eval_log: Writer) -> None:
    """Task and id of the run, other characters replaced, cut to 128."""
    assert session_label(theory_of_mind) == "inspect/theory_of_mind/kWEEupUzZn5zf2kgEXS3fs"
    run = {"task": "math/Größe " + "x" * 200, "eval_id": "a b"}
    label = session_label(eval_log(header={"version": 2, "eval": run}))
    assert label.startswith("inspect/math-Gr-e-xxx")
    assert label.endswith("/a-b")
    assert len(label) == 128
