"""An old experiment folder: every file is in the log, what is recognised is a statement."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ledger.capture.experiment import statements
from ledger.capture.experiment.importer import ExperimentResult, import_experiment, session_label
from ledger.errors import ImportSourceError
from ledger.formats.content import ContentRef
from ledger.log import Ledger
from tests.capture.foreign import KEY, experiment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return experiment(tmp_path / "experiment_2")


def taken(log: Ledger, folder: Path, **options: Any) -> ExperimentResult:
    return import_experiment(log, folder, session="s", **options)


def imports(log: Ledger, kind: str = "experiment") -> dict[str, dict[str, Any]]:
    found = (entry.payload.body for entry in log.find(type="import"))
    return {body["source_name"]: body for body in found if body["format"] == kind}


def bodies(log: Ledger, kind: str) -> list[dict[str, Any]]:
    return [entry.payload.body for entry in log.find(type=kind)]


def content(log: Ledger, ref: dict[str, Any]) -> bytes:
    return log.content(ContentRef(**ref))


def state_of(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    def look(path: Path) -> Iterator[bytes | str]:
        yield str(path.readlink()) if path.is_symlink() else path.read_bytes()

    return {
        str(path): (path.lstat().st_mtime_ns, next(look(path)))
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }


def test_every_file_is_in_the_log(log: Ledger, folder: Path) -> None:
    """By an import statement with its path, its bytes archived; the manifest names them all."""
    before = state_of(folder)
    result = taken(log, folder)
    assert state_of(folder) == before
    assert (result.files, result.added, result.skipped) == (10, 9, [])
    named = imports(log)
    for name, body in named.items():
        assert content(log, body["source"]) == (folder / name).read_bytes()
    manifest = json.loads(content(log, imports(log, "experiment-folder")["experiment_2"]["source"]))
    listed = {one["path"]: one for one in manifest["files"]}
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert listed.keys() == {str(path.relative_to(folder)) for path in files}
    for name, one in listed.items():
        assert one["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert set(listed) - set(named) == {"framework/util/__init__.py"}, "equal to another, empty"
    assert manifest["links"] == [{"path": "latest", "target": "results/state_001.json"}]
    assert listed["experiment.md"]["recognised"] is False
    assert {one.place for one in result.passed} >= {"experiment.md", "data.bin", "latest"}


def test_what_is_recognised_becomes_statements(log: Ledger, folder: Path) -> None:
    """Calls in three shapes, events, a state; each with its place and its file as a parent."""
    result = taken(log, folder)
    assert (result.witnesses, result.annotations) == (4, 4)
    first, second, third, fourth = log.find(type="witness")
    assert first.payload.body["model"]["model_id"] == "gpt-4o-mini"
    assert first.payload.body["output"]["total_tokens"] == 6
    assert content(log, first.payload.body["output"]["output_hash"]) == b"4"
    prompt = json.loads(content(log, first.payload.body["data"]["prompt_hash"]))
    assert [one["content"] for one in prompt] == ["2 + 2?"]
    assert second.payload.body["model"]["model_id"] == "unknown"
    assert second.payload.parents[1].id == first.id, "an answer builds on the one before"
    assert third.payload.body["temporal"]["occurred_at"] == "2025-03-04T10:00:05.500000Z"
    assert third.payload.body["cost"]["tokens_used"] == 12
    assert fourth.payload.body["operation"] == "chat"
    assert fourth.payload.body["model"]["actual_model"] == "gpt-4o-mini-2024-07-18"
    assert "raw" in fourth.payload.body
    assert third.payload.body["capture"]["source"] == {
        "format": "experiment",
        "event_id": "item 6",
        "sample_id": "conversations/run_1.json",
    }
    file = next(log.find(type="import"))
    assert {one.payload.parents[0].id for one in (first, second, third, fourth)} == {file.id}
    assert file.payload.body["witnesses"] == 4
    notes = bodies(log, "annotation")
    assert [note["kind"] for note in notes] == ["event", "event", "event", "savepoint"]
    assert [note.get("name") for note in notes] == ["start", "INFO", "stage_done", "extraction"]
    assert notes[1]["value"] == "begin"
    state = (folder / "results/state_001.json").read_bytes()
    assert content(log, notes[3]["explanation"]) == state
    assert any(one.place.endswith("item 8") for one in result.passed)


def test_a_second_run_adds_nothing_and_a_grown_folder_what_is_new(
    log: Ledger, folder: Path
) -> None:
    """New files, the new lines of a log, the new items of a conversation."""
    taken(log, folder)
    size = len(log)
    again = taken(log, folder)
    assert (again.files, again.added, again.receipt) == (10, 0, None)
    assert len(log) == size
    with (folder / "logs/run.jsonl").open("a") as file:
        file.write('{"event": "resumed", "timestamp": "2025-03-05T10:00:00Z"}\n')
    (folder / "results/state_002.json").write_text('{"stage": "analysis"}')
    grown = taken(log, folder)
    assert (grown.files, grown.added) == (11, 2)
    assert (grown.witnesses, grown.annotations) == (0, 2)
    assert [note["name"] for note in bodies(log, "annotation")][-2:] == ["resumed", "analysis"]
    size = len(log)
    assert taken(log, folder).receipt is None
    assert len(log) == size


def test_the_same_folder_in_another_session_is_complete_there(log: Ledger, folder: Path) -> None:
    """A session can be handed over alone, so it does not lean on another's files."""
    taken(log, folder)
    with log.open_stream(session="other") as other:
        result = import_experiment(other, folder, session="other")
    assert result.added == 9


def test_times_without_offset_need_one(log: Ledger, folder: Path) -> None:
    """What a local time means is not guessed; the file itself is archived all the same."""
    call = {"timestamp": "2025-03-04T10:00:00", "prompt": "p", "response": "r", "model": "m"}
    (folder / "conversations/naive.json").write_text(json.dumps(call))
    result = taken(log, folder)
    assert [one.place for one in result.skipped] == ["conversations/naive.json document"]
    assert "conversations/naive.json" in imports(log)
    shutil.copy(folder / "conversations/naive.json", folder / "conversations/later.json")
    (folder / "conversations/later.json").write_text(json.dumps({**call, "prompt": "q"}))
    taken(log, folder, offset=timezone(timedelta(hours=2)))
    times = [body["temporal"]["occurred_at"] for body in bodies(log, "witness")]
    assert "2025-03-04T08:00:00.000000Z" in times


def test_a_file_with_credentials_is_left_out_or_redacted(log: Ledger, folder: Path) -> None:
    """The others are taken; a redacted copy is taken on request, and an annotation says so."""
    (folder / "framework/config.json").write_text(json.dumps({"api_key": KEY}))
    result = taken(log, folder)
    (left_out,) = result.skipped
    assert left_out.place == "framework/config.json"
    assert KEY not in left_out.reason
    assert "framework/config.json" not in imports(log)
    result = taken(log, folder, redact=True)
    assert (result.added, len(result.redacted)) == (1, 1)
    kept = content(log, imports(log)["framework/config.json"]["source"])
    assert kept == b'{"api_key": "REDACTED"}'
    assert bodies(log, "annotation")[-1]["kind"] == "redaction"
    stored = b"".join(path.read_bytes() for path in log.path.rglob("*") if path.is_file())
    assert KEY.encode() not in stored
    assert taken(log, folder, redact=True).receipt is None


def test_an_interrupted_import_goes_on_where_it_stopped(
    log: Ledger, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the commits of one large file: the rest follows, and nothing twice."""
    lines = [json.dumps({"event": f"e{number}"}) for number in range(50)]
    (folder / "logs/run.jsonl").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(statements, "BATCH_DRAFTS", 8)
    commits, real = 0, Ledger.append_many

    def dying(self: Ledger, drafts: Any) -> Any:
        nonlocal commits
        commits += 1
        if commits == 4:
            raise KeyboardInterrupt
        return real(self, drafts)

    monkeypatch.setattr(Ledger, "append_many", dying)
    with pytest.raises(KeyboardInterrupt):
        taken(log, folder)
    monkeypatch.setattr(Ledger, "append_many", real)
    taken(log, folder)
    names = [note.get("name") for note in bodies(log, "annotation") if note["kind"] == "event"]
    assert sorted(names) == sorted(["start", *(f"e{number}" for number in range(50))])
    assert len(imports(log)) == len(list(log.find(type="import"))) - 1
    size = len(log)
    assert taken(log, folder).receipt is None
    assert len(log) == size


def test_links_pipes_and_odd_names_are_listed(log: Ledger, folder: Path) -> None:
    """Nothing is followed out of the folder, nothing blocks, no name is lost."""
    (folder / "out").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"logs/\xff\n.jsonl")).write_text('{"event": "odd"}\n')
    result = taken(log, folder)
    assert ("pipe", "no regular file") in result.skipped
    assert any(one.place == "out" for one in result.passed)
    manifest = json.loads(content(log, imports(log, "experiment-folder")["experiment_2"]["source"]))
    assert "logs/\\xff\n.jsonl" in [one["path"] for one in manifest["files"]]
    odd = next(note for note in bodies(log, "annotation") if note.get("name") == "odd")
    assert odd["source"]["sample_id"].startswith("sha256:")


def test_a_ledger_in_the_folder_is_left_out(log: Ledger, folder: Path) -> None:
    """It would be read while it is written."""
    result = import_experiment(log, log.path.parent, session="s")
    assert ("ledger", "the ledger itself") in result.skipped
    assert any(one.place.startswith("keys/") for one in result.skipped), "private keys"


HOSTILE = {
    "conversations/deep.json": b"[" * 100_000,
    "conversations/bad.json": b'{"a": 1, "a": 2}',
    "conversations/nan.json": b'{"prompt": NaN}',
    "conversations/utf8.json": b'["\xff"]',
    "conversations/many.json": b'[1, null, "x", [], {}]',
    "conversations/huge.json": b'{"timestamp": 1e300, "prompt": "p", "response": 7}',
    "conversations/surrogate.json": b'{"ts": 1741082400, "prompt": "\\ud800", "output": "x"}',
    "logs/bad.jsonl": b'{"event": "ok"}\n{\n\xff\n' + b'{"n": ' + b"9" * 9000 + b"}\n",
    "results/state_bad.json": b"{",
}


def test_hostile_files_are_archived_and_listed(log: Ledger, folder: Path) -> None:
    """What cannot be read costs its statements and nothing else."""
    for name, data in HOSTILE.items():
        (folder / name).write_bytes(data)
    result = taken(log, folder)
    for name, data in HOSTILE.items():
        assert content(log, imports(log)[name]["source"]) == data
    told = " ".join(one.place for one in (*result.skipped, *result.passed))
    assert all(name in told for name in HOSTILE)
    assert imports(log)["logs/bad.jsonl"]["annotations"] == 1
    assert taken(log, folder).receipt is None


def test_what_is_no_folder_is_refused(log: Ledger, folder: Path) -> None:
    """A file, or nothing."""
    for path in (folder / "experiment.md", folder / "none"):
        with pytest.raises(ImportSourceError, match="is not a folder"):
            taken(log, path)


def test_the_session_is_named_for_the_folder() -> None:
    """As a label."""
    assert session_label(Path("/a/Versuch 3 (ä)")) == "Versuch-3"
    assert session_label(Path("/")) == "experiment"
