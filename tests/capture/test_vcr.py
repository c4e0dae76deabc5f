"""VCR cassettes: exchanges with a model become witnesses, and no credential gets into the log."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.capture.vcr import yaml_values
from ledger.capture.vcr.importer import import_vcr
from ledger.errors import ImportSourceError
from ledger.formats.content import ContentRef
from ledger.log import Ledger
from tests.capture.foreign import ANSWERED, ASKED, KEY, SSE, cassette, interaction


def witnesses(log: Ledger) -> list[dict[str, Any]]:
    return [entry.payload.body for entry in log.find(type="witness")]


def content(log: Ledger, ref: dict[str, Any]) -> bytes:
    return log.content(ContentRef(**ref))


def every_byte(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_an_exchange_becomes_a_witness(log: Ledger, tmp_path: Path, suffix: str) -> None:
    """Fields by the reader, bodies as on the wire, the time by the date header, the file kept."""
    one = interaction()
    if suffix == ".json":  # which has no bytes: the body is text, as when vcrpy decoded it
        one["response"]["body"]["string"] = json.dumps(ANSWERED)
    path = cassette(tmp_path / f"c{suffix}", one)
    result = import_vcr(log, path)
    assert (result.witnesses, result.annotations, result.skipped) == (1, 0, ())
    (body,) = witnesses(log)
    assert body["operation"] == "chat"
    assert body["model"]["model_id"] == "gpt-4o-mini-2024-07-18"
    assert body["model"]["model_provider"] == "openai"
    assert body["temporal"]["occurred_at"] == "2025-03-04T10:00:00.000000Z"
    assert body["capture"]["vantage"] == "imported"
    assert body["capture"]["source"] == {"format": "vcr", "event_id": "1"}
    assert content(log, body["output"]["output_hash"]) == b"4"
    assert content(log, body["raw"]["request"]) == json.dumps(ASKED).encode()
    wire = one["response"]["body"]["string"]
    assert content(log, body["raw"]["response"]) == (
        wire if isinstance(wire, bytes) else wire.encode()
    )
    coding = body["raw"]["response_headers"].get("content-encoding")
    assert coding == ("gzip" if isinstance(wire, bytes) else None)
    assert log.content(result.source) == path.read_bytes()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"string": SSE.decode()}, {}),
        ({"string": gzip.compress(SSE)}, {"Content-Encoding": ["gzip"]}),
        ({"string": zlib.compress(SSE)}, {"content-encoding": "deflate"}),
        ({"base64_string": base64.b64encode(SSE).decode()}, {}),
        ([SSE[:40], SSE[40:]], {}),
    ],
    ids=["text", "gzip", "deflate", "base64", "chunks"],
)
def test_a_stream_is_read_in_each_coding(
    log: Ledger, tmp_path: Path, body: Any, headers: dict[str, Any]
) -> None:
    """Server-sent events, compressed or not, give the text that they make."""
    sent = {"content-type": ["text/event-stream"], "date": ["Tue, 04 Mar 2025 10:00:00 GMT"]}
    one = interaction(response__body=body, response__headers={**sent, **headers})
    import_vcr(log, cassette(tmp_path / "c.yaml", one))
    (found,) = witnesses(log)
    assert content(log, found["output"]["output_hash"]) == b"four"


def test_what_is_no_operation_is_listed(log: Ledger, tmp_path: Path) -> None:
    """Other traffic is named without its query secrets; it stays in the archived cassette."""
    other = interaction(request__uri="https://example.org/page?q=1", request__method="GET")
    models = interaction(request__uri="https://api.openai.com/v1/models", request__method="GET")
    login = interaction(
        request__uri="https://example.org/login",
        request__body="user=me",
        response__body={"string": "welcome"},
    )
    result = import_vcr(log, cassette(tmp_path / "c.yaml", other, models, login, interaction()))
    assert result.witnesses == 1
    assert [one.place for one in result.passed][:2] == ["interaction 1", "interaction 2"]
    assert result.passed[0].reason == "no AI operation: GET https://example.org/page?q=1"


def test_an_error_answer_is_a_witness_with_an_annotation(log: Ledger, tmp_path: Path) -> None:
    """A refused call happened too."""
    text = '{"error": {"message": "slow down"}}'
    one = interaction(
        response__status={"code": 429, "message": "Too Many Requests"},
        response__body={"string": text},
    )
    result = import_vcr(log, cassette(tmp_path / "c.yaml", one))
    assert (result.witnesses, result.annotations) == (1, 1)
    (note,) = (entry.payload.body for entry in log.find(type="annotation"))
    assert (note["kind"], note["value"]) == ("error", "HTTP 429")
    assert content(log, note["explanation"]) == text.encode()
    assert "output_hash" not in witnesses(log)[0]["output"]


def test_an_exchange_without_a_date_is_skipped_unless_a_time_is_given(
    log: Ledger, tmp_path: Path
) -> None:
    """The time of the file is no evidence."""
    undated = interaction(response__headers={"content-encoding": ["gzip"]})
    path = cassette(tmp_path / "c.yaml", undated)
    result = import_vcr(log, path)
    assert result.witnesses == 0
    assert result.skipped[0].reason.startswith("does not say when")
    import_vcr(log, path, again=True, assume_time=datetime(2024, 1, 2, tzinfo=UTC))
    assert witnesses(log)[0]["temporal"]["occurred_at"] == "2024-01-02T00:00:00.000000Z"


SECRET_HEADERS = {"authorization": [f"Bearer {KEY}"], "content-type": ["application/json"]}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"request__headers": SECRET_HEADERS}, "interaction 1 request header authorization"),
        ({"request__headers": {"X-Auth-Token": "abc"}}, "request header X-Auth-Token"),
        ({"request__uri": "https://h/v1/chat/completions?api_key=12345"}, "request uri"),
        ({"request__body": json.dumps({**ASKED, "user": KEY})}, "interaction 1 request body"),
        (
            {"response__body": {"string": gzip.compress(json.dumps({"k": KEY}).encode())}},
            "interaction 1 response body",
        ),
        (
            {"response__headers": {"set-cookie": ["__cf_bm=abc"], "date": ["x"]}},
            "response header set-cookie",
        ),
    ],
    ids=["header", "other header", "query", "request body", "gzip body", "cookie"],
)
def test_credentials_are_refused_or_redacted(
    log: Ledger, tmp_path: Path, changes: dict[str, Any], place: str
) -> None:
    """The error names the place and not the value; a redacted copy has it nowhere."""
    path = cassette(tmp_path / "c.yaml", interaction(**changes), interaction())
    size = len(log)
    with pytest.raises(ImportSourceError) as caught:
        import_vcr(log, path)
    assert caught.value.code == "source_secrets"
    assert place in caught.value.message
    assert len(log) == size
    result = import_vcr(log, path, redact=True, skip_unreadable=True)
    assert len(result.redacted) == 1
    archived = log.content(result.source)
    assert b"REDACTED" in archived
    note = list(log.find(type="annotation"))[-1]
    assert (note.payload.body["kind"], note.payload.body["value"]) == ("redaction", 1)
    assert note.payload.parents[0].id == result.receipt.id
    values = (KEY, "12345", "__cf_bm=abc")
    assert not any(value in str(caught.value) for value in values)
    stored = every_byte(log.path) + archived
    assert KEY.encode() not in stored
    assert b"api_key=12345" not in stored
    assert b"__cf_bm" not in stored
    with pytest.raises(ImportSourceError, match="already_imported"):
        import_vcr(log, path, redact=True, skip_unreadable=True)


def test_a_filtered_cassette_is_taken(log: Ledger, tmp_path: Path) -> None:
    """What vcrpy's filters leave in place of a credential is none."""
    headers = {"authorization": ["DUMMY"], "x-api-key": ["<redacted>"], "cookie": [""]}
    result = import_vcr(log, cassette(tmp_path / "c.yaml", interaction(request__headers=headers)))
    assert (result.witnesses, result.redacted) == (1, ())


def test_tags_of_vcrpy_are_understood(log: Ledger, tmp_path: Path) -> None:
    """File-like and iterated request bodies, tuples, and text of Python 2; aliases of headers."""
    text = cassette(tmp_path / "c.yaml", interaction(), interaction()).read_text()
    asked = base64.b64encode(json.dumps(ASKED).encode()).decode()
    line = next(line for line in text.splitlines() if line.startswith("    body: '{"))
    at = text.index(line)
    end = text.index("    headers:", at)
    file_like = (
        "    body: !!python/object/new:_io.BytesIO\n      state: !!python/tuple\n"
        f"      - !!binary |\n        {asked}\n      - 0\n      - null\n"
    )
    path = tmp_path / "tagged.yaml"
    path.write_text(text[:at] + file_like + text[end:].replace("POST", "!!python/unicode 'POST'"))
    import_vcr(log, path)
    first, second = witnesses(log)
    assert content(log, first["raw"]["request"]) == content(log, second["raw"]["request"])


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"interactions:\n- !!python/object/apply:os.system ['true']\nversion: 1\n", "unreadable"),
        (b"interactions:\n- !!python/name:os.system ''\n", "unreadable"),
        (b"interactions: !evil []\n", "unreadable"),
        (BOMB.encode(), "unreadable"),
        (b"interactions:\n- &a [*a]\n", "unreadable"),
        (b"interactions:\n- " + b"[" * 5000 + b"]" * 5000, "unreadable"),
        (b"interactions: [\xff\xfe]\n", "unreadable"),
        (b"a: 1\na: 2\n", "unreadable"),
        (b"interactions: []\n---\nb: 1\n", "unreadable"),
        (b"interactions:\n- 'open", "unreadable"),
        (b"? [a]\n: 1\n", "unreadable"),
        (b"- request: {}\n", "unsupported"),
        (b"", "unsupported"),
        (b"a: 1\n", "unsupported"),
        (b"version: 2\n", "unsupported"),
        (b"interactions:\n- request: {method: GET}\nversion: 1\n", "unreadable"),
        (b"interactions:\n- 7\nversion: 1\n", "unreadable"),
        (b'{"interactions": [' + b"[" * 500 + b"]" * 500 + b"]}", "unreadable"),
        (b'{"version": 1, "version": 1}', "unreadable"),
        (b'{"interactions": [1e999]}', "unreadable"),
        (b'{"interactions": ' + b"9" * 5000 + b"}", "unreadable"),
        (b"interactions:\n- !!binary '\xc3\xa9'\n", "unreadable"),
    ],
    ids=lambda one: ascii(one)[:40],
)
def test_hostile_files_are_refused_whole(
    log: Ledger, tmp_path: Path, data: bytes, code: str
) -> None:
    """Nothing is run, expanded or written."""
    path = tmp_path / "c.yaml"
    path.write_bytes(data)
    size = len(log)
    with pytest.raises(ImportSourceError) as caught:
        import_vcr(log, path)
    assert caught.value.code == f"source_{code}"
    assert len(log) == size


def test_the_file_is_bounded(log: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is too large is refused before it is read."""
    monkeypatch.setattr(yaml_values, "FILE_MAX_BYTES", 100)
    with pytest.raises(ImportSourceError, match="more than 100 bytes"):
        import_vcr(log, cassette(tmp_path / "c.yaml", interaction()))


def test_an_unreadable_exchange_stops_the_import_unless_it_is_skipped(
    log: Ledger, tmp_path: Path
) -> None:
    """Everything is read before anything is written."""
    path = cassette(tmp_path / "c.yaml", interaction(), {"request": {}})
    size = len(log)
    with pytest.raises(ImportSourceError, match="interaction 2"):
        import_vcr(log, path)
    assert len(log) == size
    result = import_vcr(log, path, skip_unreadable=True)
    assert result.witnesses == 1
    assert [one.place for one in result.skipped] == ["interaction 2"]
