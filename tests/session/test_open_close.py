"""A run from its `session_open` to its `session_close` (specs/10 sections 1, 2 and 8)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from importlib import metadata
from pathlib import Path

import pytest
from blake3 import blake3

import ledger
from ledger import ContentError, FormatError, Ledger, RecordError
from ledger.errors import SessionError
from ledger.session import environment, history
from tests.helpers.places import Place
from tests.session.lab import NAME, Prices, answer, ask, bodies, do, entries, types


def frozen(log: Ledger) -> list[tuple[str, str, bytes]]:
    """What the newest run froze."""
    return [
        (one["role"], one["name"], log.content(one["content"]))
        for one in bodies(log, "session_open")[-1]["frozen"]
    ]


def test_a_run_states_what_it_came_to(log: Ledger, prices: Prices) -> None:
    """The sums of the close are those of the run: counts, costs in log order, what has no price."""
    with log.session(NAME, prices=prices) as session:
        for number in range(3):
            do(session, ask(f"q{number}"), answer(tokens=10 * number + 1))
        do(session, ask("q", model="unpriced"), answer(model="unpriced"))
        session.begin(ask("f")).responded(answer(status=429))
        session.begin(ask("t")).broke("timeout")
    (close,) = bodies(log, "session_close")
    total = 0.0
    for witness in bodies(log, "witness"):
        total += witness["cost"].get("cost_usd", 0.0)
    assert close == {
        "run": 1,
        "status": "complete",
        "answered": 4,
        "failed": 1,
        "unknown": 1,
        "reused": 0,
        "cost_usd": total,
        "unpriced": 1,
    }


def test_a_run_without_calls_has_no_cost(log: Ledger) -> None:
    with log.session(NAME):
        pass
    assert types(log) == ["session_open", "session_close"]
    (close,) = bodies(log, "session_close")
    assert "cost_usd" not in close
    assert close["unpriced"] == 0


def test_what_is_under_way_at_the_end_is_unknown(log: Ledger) -> None:
    """A call that nobody reported is abandoned, in the commit that closes the run."""
    with log.session(NAME) as session:
        call = session.begin(ask("a"))
    assert types(log) == ["session_open", "intent", "outcome", "session_close"]
    (outcome,) = bodies(log, "outcome")
    assert outcome == {"status": "unknown", "reason": "abandoned"}
    assert bodies(log, "session_close")[0]["unknown"] == 1
    with pytest.raises(SessionError, match="session_closed"):
        call.responded(answer())


def test_an_exception_interrupts_the_run(log: Ledger) -> None:
    """The close names the kind of error, and the error itself reaches the caller unchanged."""
    with pytest.raises(ZeroDivisionError), log.session(NAME):
        _ = 1 / 0
    with pytest.raises(KeyboardInterrupt), log.session(NAME):
        raise KeyboardInterrupt
    ends = [(body["status"], body.get("reason")) for body in bodies(log, "session_close")]
    assert ends == [("interrupted", "ZeroDivisionError"), ("interrupted", "KeyboardInterrupt")]
    with log.session(NAME) as session:
        assert (session.run, session.previous) == (3, "interrupted")


def test_runs_are_numbered_and_name_the_one_before(log: Ledger) -> None:
    for _ in range(3):
        with log.session(NAME):
            pass
    opened = entries(log, "session_open")
    assert [entry.payload.body["run"] for entry in opened] == [1, 2, 3]
    assert [entry.payload.body.get("previous") for entry in opened] == [None, *["complete"] * 2]
    assert [entry.payload.parents[0].id for entry in opened[1:]] == [e.id for e in opened[:2]]


def test_nothing_is_recorded_after_the_end(log: Ledger) -> None:
    session = log.session(NAME)
    session.close()
    session.close()
    for late in (
        lambda: session.begin(ask("a")),
        lambda: session.savepoint("s", 1),
        lambda: session.record(model="m", prompt="p"),
    ):
        with pytest.raises(SessionError) as caught:
            late()
        assert caught.value.code == "session_closed"
    assert types(log) == ["session_open", "session_close"]


def test_async_with_is_the_same(log: Ledger) -> None:
    async def run() -> None:
        async with log.session(NAME) as session:
            await asyncio.to_thread(do, session, ask("a"))

    asyncio.run(run())
    assert types(log)[-1] == "session_close"


def test_the_environment_tells_versions_and_no_secrets(
    log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python, platform and packages; no variables, arguments, host or user."""
    monkeypatch.setenv("SECRET_KEY_OF_MINE", "do-not-record-7391")
    with log.session(NAME):
        pass
    text = log.content(bodies(log, "session_open")[0]["environment"]).decode()
    found = json.loads(text)
    assert set(found) >= {"python", "implementation", "platform", "packages"}
    assert found["packages"]["pydantic"]
    assert "SECRET_KEY_OF_MINE" not in text
    assert "do-not-record" not in text
    assert str(Path.home()) not in text
    assert os.uname().nodename not in found["platform"].values()


def test_packages_have_the_hashes_of_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SHA-256 of RECORD by name, read once while it stays as it is, if there is one."""
    for name, record in (("One", b"one.py,sha256=x,1\r\n"), ("two", None)):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        if record is not None:
            (folder / "RECORD").write_bytes(record)
    found = list(metadata.distributions(path=[str(tmp_path)]))
    monkeypatch.setattr(metadata, "distributions", lambda: iter(found))
    described = environment.describe()
    assert described["packages"] == {"one": "1.0", "two": "1.0"}
    digest = hashlib.sha256(b"one.py,sha256=x,1\r\n").hexdigest()
    assert described["package_hashes"] == {"one": f"sha256:{digest}"}
    (tmp_path / "One-1.0.dist-info" / "RECORD").write_bytes(b"changed")
    again = environment.describe()["package_hashes"]["one"]
    assert again == f"sha256:{hashlib.sha256(b'changed').hexdigest()}"
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", lambda self: pytest.fail("read again"))
        assert environment.describe()["package_hashes"]["one"] == again


def test_git_is_asked_and_never_needed(
    log: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a repository, or without git, a run opens all the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with log.session(NAME):
        pass
    assert "git" not in json.loads(log.content(bodies(log, "session_open")[0]["environment"]))


def test_files_are_frozen_whole(log: Ledger, tmp_path: Path) -> None:
    """Experiment, framework and files by content; names tell equal file names apart."""
    for name in ("plan.md", "rules.md", "a/prompt.txt", "b/prompt.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    with log.session(
        NAME,
        experiment=tmp_path / "plan.md",
        framework=str(tmp_path / "rules.md"),
        files=[tmp_path / "b/prompt.txt", tmp_path / "a/prompt.txt"],
    ):
        pass
    assert frozen(log) == [
        ("experiment_snapshot", "plan.md", b"plan.md"),
        ("file", "a/prompt.txt", b"a/prompt.txt"),
        ("file", "b/prompt.txt", b"b/prompt.txt"),
        ("framework_snapshot", "rules.md", b"rules.md"),
    ]


def test_a_folder_of_documents_is_its_files(log: Ledger, tmp_path: Path) -> None:
    """What Python and editors leave there is not part of it."""
    folder = tmp_path / "rules"
    for name in ("one.py", "sub/two.py", "__pycache__/one.pyc", ".hidden"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    with log.session(NAME, framework=folder):
        pass
    assert [name for _, name, _ in frozen(log)] == ["one.py", "two.py"]


def test_a_corpus_is_listed_by_hash(log: Ledger, tmp_path: Path) -> None:
    """The manifest names every regular file in bytewise order; the files are not archived."""
    corpus = tmp_path / "papers"
    (corpus / "sub").mkdir(parents=True)
    contents = {"b.txt": b"bb", "sub/a.txt": b"a" * 3_000_000, "sub-x.txt": b"", ".keep": b"k"}
    for name, content in contents.items():
        (corpus / name).write_bytes(content)
    (corpus / "link.txt").symlink_to(corpus / "b.txt")
    seen: list[tuple[int, int]] = []
    with log.session(NAME, corpus=corpus, progress=lambda done, total: seen.append((done, total))):
        pass
    ((role, name, manifest),) = frozen(log)
    assert (role, name) == ("corpus_manifest", "papers")
    files = json.loads(manifest)["files"]
    assert [one["path"] for one in files] == sorted(contents, key=str.encode)
    for one in files:
        content = contents[one["path"]]
        assert one["size_bytes"] == len(content)
        assert one["sha256"] == hashlib.sha256(content).hexdigest()
        assert one["blake3"] == blake3(content).hexdigest()
    assert seen[-1] == (3_000_003, 3_000_003)
    assert len(log.store.content.read(blake3(contents["b.txt"]).digest()) or b"") == 0


@pytest.mark.parametrize("target", ["../outside.txt", "nowhere.txt"])
def test_a_link_out_of_the_corpus_is_refused(log: Ledger, tmp_path: Path, target: str) -> None:
    """Neither followed nor silently left out."""
    (tmp_path / "outside.txt").write_text("x")
    corpus = tmp_path / "papers"
    corpus.mkdir()
    (corpus / "link.txt").symlink_to(target)
    with pytest.raises(ContentError, match=r"link\.txt"):
        log.session(NAME, corpus=corpus)
    assert types(log) == []


def test_a_changed_file_is_refused(log: Ledger, tmp_path: Path) -> None:
    """Each difference is named, nothing is recorded, and the session is free again."""
    plan, data = tmp_path / "plan.md", tmp_path / "data.txt"
    plan.write_text("one")
    data.write_text("d")
    with log.session(NAME, experiment=plan, files=[data]):
        pass
    plan.write_text("two")
    for _ in range(2):
        with pytest.raises(SessionError) as caught:
            log.session(NAME, experiment=plan, framework=data)
        assert caught.value.code == "session_changed"
        for change in (
            "experiment_snapshot plan.md altered",
            "file data.txt removed",
            "framework_snapshot data.txt added",
        ):
            assert change in str(caught.value)
    assert len(bodies(log, "session_open")) == 1


def test_a_change_that_is_wanted_is_recorded(log: Ledger, tmp_path: Path) -> None:
    """What changed is in the next `session_open`, and equal content keeps its reference."""
    plan, data = tmp_path / "plan.md", tmp_path / "data.txt"
    plan.write_text("one")
    data.write_text("d")
    with log.session(NAME, experiment=plan, files=[data]):
        pass
    plan.write_text("two")
    for _ in range(2):
        with log.session(NAME, experiment=plan, files=[data], on_change="continue"):
            pass
    first, second, third = bodies(log, "session_open")
    assert second["changed"] == [
        {"role": "experiment_snapshot", "name": "plan.md", "change": "altered"}
    ]
    assert "changed" not in first
    assert "changed" not in third
    assert first["frozen"][1] == second["frozen"][1]
    assert second["frozen"] == third["frozen"]


def test_files_that_are_not_there(log: Ledger, tmp_path: Path) -> None:
    for options in ({"experiment": tmp_path / "no"}, {"corpus": tmp_path / "no"}):
        with pytest.raises(ContentError) as caught:
            log.session(NAME, **options)  # type: ignore[arg-type]
        assert caught.value.code == "content_missing"


def test_too_many_files_for_one_statement(log: Ledger, tmp_path: Path) -> None:
    """Said before anything is recorded, with the way out."""
    for number in range(400):
        (tmp_path / f"{number:060d}.txt").write_text(str(number))
    for count in (400, 200):
        files = sorted(tmp_path.glob("*.txt"))[:count] * (2 if count == 200 else 1)
        if count == 200:
            with log.session(NAME, files=files):
                pass
        else:
            with pytest.raises(ContentError, match="content_too_large"):
                log.session(NAME, files=files)
    assert len(frozen(log)) == 200


@pytest.mark.parametrize(
    "options",
    [
        {"on_unknown": "maybe"},
        {"on_change": "x"},
        {"task_criticality": "huge"},
        {"budget_usd": -1.0},
        {"budget_usd": float("nan")},
    ],
)
def test_options_that_make_no_sense(log: Ledger, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"is one of|is an amount"):
        log.session(NAME, **options)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        log.session(NAME, no_such_option=1)  # type: ignore[call-arg]
    assert types(log) == []


def test_names_and_headers_are_checked_at_once(log: Ledger) -> None:
    with pytest.raises(FormatError):
        log.session("a b")
    with pytest.raises(RecordError):
        log.session(NAME, allow_headers=["authorization"])
    with pytest.raises(RecordError):
        log.session(NAME, domain="")
    with log.session(NAME):
        pass


def test_a_ledger_without_keys_refuses_at_once(place: Place, tmp_path: Path) -> None:
    place.init()
    with (
        ledger.open(place.path, keys=tmp_path / "empty") as log,
        pytest.raises(ledger.LogError, match="no_signer"),
    ):
        log.session(NAME)


def test_history_reads_without_keys(place: Place, prices: Prices) -> None:
    """What a session did can be told from a ledger that is only read."""
    place.init()
    with place.open() as log:
        with log.session(NAME, prices=prices) as session:
            do(session, ask("a"))
            with session.stage("one") as stage:
                stage.result = 1
            session.begin(ask("b")).broke("timeout")
            session.begin(ask("c")).responded(answer(status=500))
        running = log.session(NAME, prices=prices)
        do(running, ask("a"))
        running.begin(ask("d"))
        running.savepoint("two", 1)
        with ledger.open(place.path, read_only=True) as reader:
            ((listed),) = history.sessions(reader)
            assert (listed.name, listed.runs, listed.status) == (NAME, 2, "running")
            found = history.summary(reader, NAME)
            with pytest.raises(SessionError, match="session_missing"):
                history.summary(reader, "other")
        running.close()
        assert history.sessions(log)[0].status == "complete"
    assert [run.status for run in found.runs] == ["complete", "running"]
    assert [(run.answered, run.failed, run.unknown, run.reused) for run in found.runs] == [
        (1, 1, 1, 0),
        (0, 0, 0, 1),
    ]
    assert found.answered == 1
    assert [call.reason for call in found.unknown] == ["timeout"]
    assert [call.reason for call in found.failed] == ["http_status"]
    assert [call.model for call in found.open] == ["demo-1"]
    assert [(one.name, one.complete) for one in found.stages] == [("one", True), ("two", False)]
    assert found.costs.saved_usd == found.costs.total.cost_usd > 0
