"""OTLP/JSON traces: GenAI spans become witnesses, by current and older names, with lineage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.capture import strict_json
from ledger.capture.otlp.importer import import_otlp
from ledger.errors import ImportSourceError
from ledger.formats.content import ContentRef
from ledger.log import Ledger
from tests.capture.foreign import KEY, attributes, export, span


def write(path: Path, *requests: Any, indent: int | None = None) -> Path:
    path.write_text("\n".join(json.dumps(one, indent=indent) for one in requests) + "\n")
    return path


def witnesses(log: Ledger) -> dict[str, Any]:
    """Entries by span id without its leading zeros."""
    found = log.find(type="witness")
    return {
        entry.payload.body["capture"]["source"]["event_id"].lstrip("0"): entry for entry in found
    }


def said(log: Ledger, ref: dict[str, Any]) -> Any:
    data = log.content(ContentRef(**ref))
    return data.decode() if ref["media_type"].startswith("text/") else json.loads(data)


def only(log: Ledger, path: Path, **changes: Any) -> dict[str, Any]:
    """Import one span with these attributes and return its witness."""
    made = {"attributes": attributes(changes.pop("attributes")), **changes}
    import_otlp(log, write(path, export(span(1, **made))))
    (entry,) = witnesses(log).values()
    body: dict[str, Any] = entry.payload.body
    return body


@pytest.mark.parametrize("indent", [None, 2], ids=["lines", "document"])
def test_a_span_becomes_a_witness(log: Ledger, tmp_path: Path, indent: int | None) -> None:
    """All the current attributes; times in nanoseconds, as text or as numbers."""
    path = write(tmp_path / "t.json", export(span(1)), indent=indent)
    result = import_otlp(log, path)
    assert (result.witnesses, result.annotations, result.skipped) == (1, 0, ())
    body = witnesses(log)["1"].payload.body
    assert body["operation"] == "chat"
    assert body["model"] == {
        "model_id": "gpt-4o-mini-2024-07-18",
        "actual_model": "gpt-4o-mini-2024-07-18",
        "requested_model": "gpt-4o-mini",
        "model_provider": "openai",
        "provider_source": "stated",
        "deployment_region": "eu-central-1",
    }
    assert body["temporal"] == {
        "occurred_at": "2025-03-04T10:00:01.000000Z",
        "execution_time_ms": 250.0,
    }
    assert body["output"]["output_tokens"] == 1
    assert body["output"]["token_source"] == "provider"
    assert body["output"]["finish_reason"] == "stop"
    assert body["data"]["prompt_tokens"] == 5
    assert body["replay"]["temperature"] == 0.5
    assert body["replay"]["other_params"]["gen_ai.conversation.id"] == "conv_1"
    assert body["capture"] == {
        "vantage": "imported",
        "request_id": "chatcmpl-1",
        "source": {
            "format": "otlp",
            "event_id": "0000000000000001",
            "sample_id": "0" * 31 + "1",
        },
    }
    assert said(log, body["output"]["output_hash"]) == "4"
    assert said(log, body["data"]["prompt_hash"])[0]["parts"][0]["content"] == "2 + 2?"
    assert log.content(result.source) == path.read_bytes()
    with pytest.raises(ImportSourceError, match="already_imported"):
        import_otlp(log, path)


PROMPT = [{"role": "user", "content": "2 + 2?"}]
OLD = {"gen_ai.system": "openai", "gen_ai.request.model": "m"}
OLDER = {
    **OLD,
    "llm.request.type": "chat",
    "gen_ai.usage.prompt_tokens": 5,
    "gen_ai.usage.completion_tokens": 1,
    "llm.usage.total_tokens": 6,
}


def event(name: str, plain: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "attributes": attributes(plain)}


@pytest.mark.parametrize(
    ("known", "events"),
    [
        ({"gen_ai.prompt": json.dumps(PROMPT), "gen_ai.completion": '[{"content": "4"}]'}, []),
        (
            {},
            [
                event("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps(PROMPT)}),
                event("gen_ai.content.completion", {"gen_ai.completion": '[{"content": "4"}]'}),
            ],
        ),
        (
            {},
            [
                event("gen_ai.user.message", {"gen_ai.system": "openai", "content": "2 + 2?"}),
                event("gen_ai.choice", {"index": 0, "message": '{"content": "4"}'}),
            ],
        ),
        (
            {
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": "2 + 2?",
                "gen_ai.completion.0.content": "4",
                "gen_ai.completion.0.finish_reason": "stop",
            },
            [],
        ),
        (
            {
                "llm.prompts.0.role": "user",
                "llm.prompts.0.content": "2 + 2?",
                "llm.completions.0.content": "4",
            },
            [],
        ),
        (
            {},
            [
                event(
                    "gen_ai.client.inference.operation.details",
                    {"gen_ai.input.messages": PROMPT, "gen_ai.output.messages": [{"content": "4"}]},
                )
            ],
        ),
    ],
    ids=["attributes", "content events", "message events", "flat", "llm", "details"],
)
def test_older_names_say_the_same(
    log: Ledger, tmp_path: Path, known: dict[str, Any], events: list[Any]
) -> None:
    """Every way in which prompt and completion have been written."""
    body = only(log, tmp_path / "t.json", attributes={**OLDER, **known}, events=events)
    assert body["model"]["model_provider"] == "openai"
    assert body["data"]["prompt_tokens"] == 5
    assert body["cost"]["tokens_used"] == 6
    assert said(log, body["data"]["prompt_hash"]) == PROMPT
    assert said(log, body["output"]["output_hash"]) == "4"


def test_a_tool_span_says_which_tool_and_what_it_gave(log: Ledger, tmp_path: Path) -> None:
    """Arguments are the prompt of a tool, its result the output."""
    body = only(
        log,
        tmp_path / "t.json",
        attributes={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "calculator",
            "gen_ai.tool.call.arguments": '{"a": 2}',
            "gen_ai.tool.call.result": {"sum": 4},
        },
    )
    assert body["operation"] == "execute_tool"
    assert body["model"]["model_id"] == "unknown"
    assert body["tools"]["tool_ids"] == ["calculator"]
    assert said(log, body["data"]["prompt_hash"]) == {"a": 2}
    assert said(log, body["output"]["output_hash"]) == {"sum": 4}


def test_a_span_without_content_has_an_empty_prompt(log: Ledger, tmp_path: Path) -> None:
    """Content is off by default in OpenTelemetry; nothing is made up."""
    body = only(log, tmp_path / "t.json", attributes=OLD)
    assert said(log, body["data"]["prompt_hash"]) == []
    assert "output_hash" not in body["output"]


def test_what_encloses_builds_on_what_is_inside(log: Ledger, tmp_path: Path) -> None:
    """Through spans that are no operations, in whatever order, over lines of a file."""
    agent = span(1, attributes=attributes({"gen_ai.operation.name": "invoke_agent"}))
    between = span(2, 1, attributes=attributes({"http.route": "/"}), name="step")
    lines = [export(agent, span(3, 2)), export(between), export(span(4, 2), span(5, 99))]
    result = import_otlp(log, write(tmp_path / "t.jsonl", *lines))
    assert result.witnesses == 4
    assert [one.reason for one in result.passed] == ["1 spans that are no GenAI operation"]
    found = witnesses(log)
    inner = {found["3"].id, found["4"].id}
    assert {parent.id for parent in found["1"].payload.parents} == inner
    assert not found["5"].payload.parents
    assert found["1"].index > max(found["3"].index, found["4"].index)


def test_parents_are_named_over_commits(
    log: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent whose calls were committed before it has their ids."""
    monkeypatch.setattr("ledger.capture.importing.BATCH_DRAFTS", 2)
    spans = [span(number, 1) for number in range(2, 7)]
    import_otlp(log, write(tmp_path / "t.jsonl", export(*spans, span(1))))
    found = witnesses(log)
    assert [parent.id for parent in found["1"].payload.parents] == [
        found[str(number)].id for number in range(2, 7)
    ]


def test_an_agent_has_at_most_256_parents(log: Ledger, tmp_path: Path) -> None:
    """The last ones, where there are more than a statement may have."""
    spans = [span(number, 1) for number in range(2, 302)]
    import_otlp(log, write(tmp_path / "t.jsonl", export(*spans, span(1))))
    found = witnesses(log)
    parents = found["1"].payload.parents
    assert len(parents) == 256
    assert parents[-1].id == found[f"{301:x}"].id


@pytest.mark.parametrize("parents", [{1: 1}, {1: 2, 2: 1}, {1: 2, 2: 3, 3: 2}], ids=str)
def test_spans_in_a_circle_are_all_taken(
    log: Ledger, tmp_path: Path, parents: dict[int, int]
) -> None:
    """Ids that make no tree cost lineage and no span."""
    spans = [span(number, parent) for number, parent in parents.items()]
    assert import_otlp(log, write(tmp_path / "t.json", export(*spans))).witnesses == len(parents)


def test_a_span_that_was_exported_twice_counts_once(log: Ledger, tmp_path: Path) -> None:
    """A retried export is no second call."""
    result = import_otlp(log, write(tmp_path / "t.jsonl", export(span(1)), export(span(1))))
    assert result.witnesses == 1
    assert "exported again" in result.passed[0].place


def test_an_error_is_an_annotation(log: Ledger, tmp_path: Path) -> None:
    """Of the span's error type, status or exception."""
    only(
        log,
        tmp_path / "t.json",
        attributes={**OLD, "error.type": "RateLimitError"},
        status={"code": 2, "message": "slow down"},
    )
    (note,) = (entry.payload for entry in log.find(type="annotation"))
    assert (note.body["kind"], note.body["value"]) == ("error", "RateLimitError")
    assert said(log, note.body["explanation"]) == "slow down"


def test_credentials_are_refused_or_redacted(log: Ledger, tmp_path: Path) -> None:
    """In attributes of headers and in what was said."""
    known = attributes({**OLD, "http.request.header.authorization": ["Bearer abcdef"]})
    path = write(tmp_path / "t.jsonl", export(span(1, attributes=known)), export(span(2, name=KEY)))
    size = len(log)
    with pytest.raises(ImportSourceError) as caught:
        import_otlp(log, path)
    assert caught.value.code == "source_secrets"
    assert "line 2" in caught.value.message
    assert KEY not in caught.value.message
    assert len(log) == size
    result = import_otlp(log, path, redact=True)
    assert (result.witnesses, len(result.redacted)) == (2, 2)
    archived = log.content(result.source)
    assert KEY.encode() not in archived
    assert b"abcdef" not in archived.replace(b"abcdefghijkl", b"")


LINE = json.dumps(export(span(1))).encode() + b"\n"


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"", "source_unreadable", "empty"),
        (b"{", "source_unreadable", "JSON"),
        (LINE + b"{]\n", "source_unreadable", "line 2"),
        (LINE + b"\xff\n", "source_unreadable", "line 2"),
        (LINE + b'{"a": 1, "a": 2}\n', "source_unreadable", "twice"),
        (LINE + b"[" * 200 + b"]" * 200, "source_unreadable", "deep"),
        (LINE + b"[" * 100_000, "source_unreadable", "line 2"),
        (LINE + b'{"a": NaN}', "source_unreadable", "NaN"),
        (LINE + b'{"a": 1e999}', "source_unreadable", "large"),
        (LINE + b'{"a": ' + b"9" * 9000 + b"}", "source_unreadable", "line 2"),
        (b'{"resourceLogs": []}', "source_unsupported", "resourceSpans"),
        (b"7", "source_unsupported", "resourceSpans"),
        (
            json.dumps(export(span(1, startTimeUnixNano="9" * 30))).encode(),
            "source_unreadable",
            "startTimeUnixNano",
        ),
        (
            json.dumps(
                export(span(1, startTimeUnixNano=2**63 - 1, spanId=7, parentSpanId=[]))
            ).encode(),
            "",
            "",
        ),
        (json.dumps(export(span(1, attributes=[7, {"key": "gen_ai.system"}]))).encode(), "", ""),
        (
            LINE.replace(b'{"intValue": "5"}', b'{"intValue": "five"}').replace(
                b'{"intValue": "1"}', b'{"intValue": 1.5}'
            ),
            "",
            "",
        ),
    ],
    ids=lambda one: ascii(one)[:30],
)
def test_hostile_files_are_refused_whole(
    log: Ledger, tmp_path: Path, data: bytes, code: str, place: str
) -> None:
    """What cannot be read is named by its line; odd values in a span cost only their field."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(data)
    size = len(log)
    if not code:
        assert import_otlp(log, path).witnesses == 1
        return
    with pytest.raises(ImportSourceError) as caught:
        import_otlp(log, path)
    assert caught.value.code == code
    assert place in caught.value.message
    assert len(log) == size


def test_lines_are_bounded(log: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without line ends does not fill the memory."""
    monkeypatch.setattr(strict_json, "LINE_MAX_BYTES", 100)
    with pytest.raises(ImportSourceError, match="line 1 is longer"):
        import_otlp(log, write(tmp_path / "t.jsonl", export(span(1))))
