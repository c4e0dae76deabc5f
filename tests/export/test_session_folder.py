"""The session folder as somebody finds it who unpacks a package (specs/11)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

import verifier.folder
from ledger import Entry, Ledger
from ledger.capture.exchange import Response
from ledger.errors import ExportError
from ledger.export import ExportResult, export, listing, package, spool
from ledger.export.session_folder import suffix
from ledger.formats.content import ContentRef, from_cbor
from tests.export.lab import Lab, read_package
from tests.session.lab import NAME, Prices, answer, ask, do, entries, kill
from verifier import Report, verify_package

Files = dict[str, bytes]
BELOW = "data/session/"
PROJECT = "data/PROJECT_CHRONOLOG_lab.jsonl"
EVENTS = b'data: {"choices":[{"index":0,"delta":{"content":"49"}}]}\n\ndata: [DONE]\n\n'
PACKED = gzip.compress(answer("forty-two").body, mtime=0)
EXTRA = {"n": 1}


@dataclass
class Told:
    """A ledger with a session that was killed, resumed and interrupted."""

    lab: Lab
    log: Ledger
    folder: Path

    def export(self, name: str = "package", **more: Any) -> ExportResult:
        """Export the session to `name`."""
        return export(self.log, self.folder / name, **{"session": NAME} | more)

    def files(self, name: str = "package") -> Files:
        """What specs/11 is about in a package, by path below `data/session/`, or else in full."""
        found = read_package(self.folder / name)
        wanted = {p: d for p, d in found.items() if p.startswith((BELOW, "data/PROJECT"))}
        return {path.removeprefix(BELOW): data for path, data in wanted.items()}

    def audit(self, made: ExportResult) -> Report:
        """Verify a package as an auditor with both pins."""
        head = made.known_head
        return verify_package(made.path, trust=self.lab.made.genesis.hex(), known_head=head, jobs=1)

    def at(self, type: str) -> list[int]:
        """The indices of the session's statements of a type."""
        return [entry.index for entry in entries(self.log, type)]

    def ref(self, type: str, number: int, *names: str) -> ContentRef:
        """A reference in a statement."""
        value: Any = entries(self.log, type)[number].payload.body
        for name in names:
            value = value[name]
        return from_cbor(value)


def tell(log: Ledger, folder: Path) -> None:
    """Two runs: one call answered, one lost; then reuse, a stream, a refusal, a state, Ctrl-C."""
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    (folder / "corpus").mkdir()
    (folder / "corpus" / "a.txt").write_text("A")
    (folder / "plan.md").write_text("first plan\n")
    (folder / "lab.md").write_text("# Lab\n")
    odd = ["one/run it.py", "two/run it.py", "pr\u00f6mpts;\u20ac.yaml"]
    for name in odd:
        (folder / name).write_text(name)
    options: dict[str, Any] = {
        "experiment": folder / "plan.md",
        "framework": folder / "lab.md",
        "files": [folder / name for name in odd],
        "corpus": folder / "corpus",
        "prices": Prices(),
        "on_unknown": "retry",
        "on_change": "continue",
    }
    session = log.session(NAME, **options)
    gzipped = (("content-type", "application/json"), ("Content-Encoding", "GZIP"))
    session.begin(ask("a")).responded(Response(200, gzipped, PACKED))
    session.begin(ask("b"))
    kill(session)
    (folder / "plan.md").write_text("second plan\n")
    with pytest.raises(KeyboardInterrupt):
        _resume(log, options)


def _resume(log: Ledger, options: dict[str, Any]) -> None:
    with log.session(NAME, **options) as session:
        do(session, ask("a"))
        streamed = Response(200, (("content-type", "text/event-stream"),), EVENTS)
        session.begin(ask("b")).responded(streamed, streaming="complete")
        session.begin(ask("c")).responded(answer("slow down", status=429))
        session.record(model="m", prompt="p", output=EXTRA, request=b"\0ask", response=b"<b>")
        session.savepoint("answers", {"done": [1, 2]})
        raise KeyboardInterrupt


@pytest.fixture
def told(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Told]:
    """The session in a ledger that is salted where a test asks for it."""
    lab = Lab(tmp_path, salted=getattr(request, "param", False))
    work = tmp_path / "work"
    work.mkdir()
    with lab.open() as log:
        tell(log, work)
        yield Told(lab, log, tmp_path)


def lines(told: Told, *wanted: tuple[int, dict[str, Any]]) -> bytes:
    """Lines about statements by index, written from the page: RFC 8785 of ASCII and integers."""
    found = b""
    for index, members in wanted:
        entry: Entry = told.log[index]
        line = {"at": entry.payload.created_at, "event": entry.payload.type, "index": index}
        text = json.dumps(line | members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        found += text.encode() + b"\n"
    return found


@pytest.mark.parametrize("told", [False, True], indirect=True)
def test_every_file_is_what_its_name_says(told: Told) -> None:
    """Bodies as they went over the wire, outputs, states, frozen files: plain, salted or not."""
    made = told.export()
    files = told.files()
    a, b, again, refused = told.at("intent")
    first, second, third = told.at("witness")
    (saved,) = told.at("savepoint")
    manifest = json.loads(files.pop("corpus_manifest.json"))
    assert [one["path"] for one in manifest["files"]] == ["a.txt"]
    assert manifest["files"][0]["blake3"] == blake3(b"A").hexdigest()
    assert {path: data for path, data in files.items() if not path.endswith(".jsonl")} == {
        "experiment_snapshot.md": b"second plan\n",
        "framework_snapshot.md": b"# Lab\n",
        "files/001_one-run-it.py": b"one/run it.py",
        "files/002_pr-mpts--.yaml": "pr\u00f6mpts;\u20ac.yaml".encode(),
        "files/003_two-run-it.py": b"two/run it.py",
        f"llm_archive/{a:08}.request.json": ask("a").body,
        f"llm_archive/{a:08}.response.json.gz": PACKED,
        f"llm_archive/{b:08}.request.json": ask("b").body,
        f"llm_archive/{again:08}.request.json": ask("b").body,
        f"llm_archive/{again:08}.response.sse": EVENTS,
        f"llm_archive/{refused:08}.request.json": ask("c").body,
        f"llm_archive/{refused:08}.response.json": answer("slow down", status=429).body,
        f"llm_archive/{third:08}.request.bin": b"\0ask",
        f"llm_archive/{third:08}.response.bin": b"<b>",
        f"analysis_results/{first:08}.txt": b"forty-two",
        f"analysis_results/{second:08}.txt": b"49",
        f"analysis_results/{third:08}.json": b'{"n":1}',
        f"system_state/{saved:08}.json": b'{"done":[1,2]}',
    }
    report = told.audit(made)
    assert report.exit_code == 0, report.findings
    assert not any("folder" in sentence for sentence in report.not_checked)


def test_lists_say_when_what_ran_and_what_went_wrong(told: Told) -> None:
    """Timing a run each, faults of all runs, and the project, word for word."""
    told.export()
    files = told.files()
    a, b, again, refused = told.at("intent")
    (before, after), (reuse,), (closed,) = (
        told.at(t) for t in ("session_open", "reuse", "session_close")
    )
    outcomes = {told.log[i].payload.parents[0].id: i for i in told.at("outcome")}
    ends = [outcomes[told.log[i].id] for i in (a, b, again, refused)]
    bodies = {i: told.log[i].payload.body for i in (*ends, a, b, again, refused, closed)}

    def call(index: int, replicate: int = 1) -> dict[str, Any]:
        return {"call": bodies[index]["call"]["digest"].hex(), "replicate": replicate}

    def timed(end: int) -> dict[str, Any]:
        return {k: v for k, v in bodies[end].items() if k in ("duration_ms", "first_byte_ms")}

    asked = {"attempt": 1, "model": "demo-1"}
    assert files["sessions/0001/SESSION_CHRONOLOG.jsonl"] == lines(
        told,
        (before, {"run": 1}),
        (a, asked | call(a)),
        (ends[0], timed(ends[0]) | {"intent": a, "status": "answered"}),
        (b, asked | call(b)),
    )
    second = [
        (after, {"run": 2}),
        (ends[1], {"intent": b, "status": "unknown"}),
        (reuse, {"calls": 1}),
        (again, asked | call(again) | {"attempt": 2}),
        (ends[2], timed(ends[2]) | {"intent": again, "status": "answered"}),
        (refused, asked | call(refused)),
        (ends[3], timed(ends[3]) | {"intent": refused, "status": "failed"}),
        (told.at("savepoint")[0], {"complete": False, "stage": "answers"}),
        (closed, {"run": 2, "status": "interrupted"}),
    ]
    assert files["sessions/0002/SESSION_CHRONOLOG.jsonl"] == lines(told, *sorted(second, key=first))
    change = {"role": "experiment_snapshot", "name": "plan.md", "change": "altered"}
    resumed = {"run": 2, "previous": "killed"}
    limit = {"http_status": 429, "intent": refused, "reason": "http_status", "status": "failed"}
    faults = [
        (after, resumed | {"changed": [change], "on_unknown": "retry"}),
        (ends[1], {"intent": b, "reason": "killed", "status": "unknown"}),
        (reuse, {"outcomes": [ends[0]]}),
        (again, call(again) | {"attempt": 2, "after": "unknown"}),
        (ends[3], limit),
        (closed, {"run": 2, "reason": "KeyboardInterrupt"}),
    ]
    assert files["fault_recovery/FAULTS.jsonl"] == lines(told, *sorted(faults, key=first))
    ended = {"answered": 1, "failed": 1, "unknown": 0, "reused": 1, "status": "interrupted"}
    assert "cost_usd" not in bodies[closed]
    assert files[PROJECT] == lines(
        told,
        (before, {"run": 1, "session": NAME}),
        (after, resumed | {"session": NAME}),
        (closed, ended | {"run": 2, "session": NAME}),
    )


def first(line: tuple[int, dict[str, Any]]) -> int:
    """The index of a line."""
    return line[0]


def test_the_result_names_what_is_there(told: Told) -> None:
    """In the order of the page; the pages of the package speak of it only where it is."""
    made = told.export()
    assert made.session_folder == (
        *("experiment_snapshot.md", "framework_snapshot.md", "corpus_manifest.json", "files"),
        *("sessions", "llm_archive", "analysis_results", "system_state", "fault_recovery"),
    )
    readme = read_package(told.folder / "package")["README.md"].decode()
    assert "| `data/session/` |" in readme
    assert "| `data/PROJECT_CHRONOLOG_*.jsonl` |" in readme
    whole = told.export("whole", session=None)
    readme = read_package(told.folder / "whole")["README.md"].decode()
    assert ("data/session/" in readme, "data/PROJECT" in readme) == (False, True)
    assert (whole.session_folder, list(told.files("whole"))) == ((), [PROJECT])
    assert told.audit(whole).exit_code == 0
    part = told.export("part", session=None, start=1, end=9)
    readme = read_package(told.folder / "part")["README.md"].decode()
    assert ("data/session/" in readme, "data/PROJECT" in readme) == (False, False)
    assert (part.session_folder, told.files("part")) == ((), {})


def test_a_zip_holds_the_same_folder(told: Told) -> None:
    """Byte for byte, and it verifies alike."""
    told.export("plain", unsigned=True)
    told.export("plain.zip", unsigned=True)
    assert told.files("plain") == told.files("plain.zip")
    assert len(told.files("plain")) == 23
    assert told.audit(told.export("signed.zip")).exit_code == 0


def test_withheld_contents_leave_the_lists(told: Told) -> None:
    """Which the log itself tells; no byte of a request, an answer or a file is in the package."""
    made = told.export(contents="withheld")
    files = told.files()
    assert sorted(files) == [
        PROJECT,
        "fault_recovery/FAULTS.jsonl",
        "sessions/0001/SESSION_CHRONOLOG.jsonl",
        "sessions/0002/SESSION_CHRONOLOG.jsonl",
    ]
    assert made.session_folder == ("sessions", "fault_recovery")
    everything = b"".join(read_package(made.path).values())
    assert b"forty-two" not in everything
    assert b"second plan" not in everything
    report = told.audit(made)
    assert report.exit_code == 3
    assert {f["code"] for f in report.findings if f["severity"] == "limit"} == {"content_withheld"}


@pytest.mark.parametrize("told", [False, True], indirect=True)
def test_erased_content_has_no_copy(told: Told) -> None:
    """The output and the plan are gone from both places; the rest is there, and verifies."""
    full = set(told.files(told.export("before").path.name))
    output = told.ref("witness", 0, "output", "output_hash")
    told.log.erase(output, "asked for")
    frozen = entries(told.log, "session_open")[1].payload.body["frozen"]
    plan = next(one for one in frozen if one["role"] == "experiment_snapshot")
    told.log.erase(from_cbor(plan["content"]), "asked for")
    made = told.export()
    gone = {f"analysis_results/{told.at('witness')[0]:08}.txt", "experiment_snapshot.md"}
    assert full - set(told.files()) == gone
    assert told.audit(made).exit_code == 0


@pytest.mark.parametrize("name", ["package", "package.zip"])
def test_content_that_goes_while_the_export_runs(
    told: Told, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the contents and the copies: no package, no export statement, and it says where."""
    output = told.ref("witness", 0, "output", "output_hash")
    honest = package.write_session_folder

    def erasing(*arguments: Any) -> Any:
        told.log.erase(output, "asked for")
        return honest(*arguments)

    monkeypatch.setattr(package, "write_session_folder", erasing)
    with pytest.raises(ExportError, match=r"data/session/analysis_results/0+[0-9]+\.txt") as caught:
        told.export(name)
    assert (caught.value.code, caught.value.hint) == ("export_failed", "export again")
    assert not [path for path in told.folder.iterdir() if "package" in path.name]
    assert list(told.log.find(type="export")) == []
    monkeypatch.undo()
    assert told.audit(told.export(name)).exit_code == 0


def test_lists_beyond_memory_come_out_the_same(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is sorted on disk: lines stay in the order of the log, each in its list."""
    told.export("held", unsigned=True)
    spilled = []
    honest = spool.SortedSpool._spill
    monkeypatch.setattr(
        spool.SortedSpool, "_spill", lambda self: spilled.append(self) or honest(self)
    )
    monkeypatch.setattr(listing, "_HELD_BYTES", 300)
    monkeypatch.setattr(listing, "_PIECE_BYTES", 100)
    told.export("spilled", unsigned=True)
    assert len(spilled) > 5
    assert told.files("spilled") == told.files("held")
    lists = listing.Lists(told.folder)
    with lists:
        for number in range(1000):
            lists.add(f"list-{number % 7}", b'{"number":%d}\n' % number)
            lists.add("empty", None)
        found = {path: b"".join(pieces) for path, pieces in lists}
    assert found == {
        f"list-{k}": b"".join(b'{"number":%d}\n' % n for n in range(k, 1000, 7)) for k in range(7)
    }


def test_labels_that_differ_by_case_share_the_list_of_a_project(told: Told) -> None:
    """No two names of a package may differ by case alone; other characters become a dash."""
    for label in ("LAB/other", "Lab", "a@B:c/d", "/x"):
        told.log.session(label).close()
    made = told.export(session=None)
    files = told.files()
    assert sorted(files) == [
        "data/PROJECT_CHRONOLOG_.jsonl",
        "data/PROJECT_CHRONOLOG_a-b-c.jsonl",
        PROJECT,
    ]
    sessions = [json.loads(line)["session"] for line in files[PROJECT].splitlines()]
    assert sessions == [NAME] * 3 + ["LAB/other"] * 2 + ["Lab"] * 2
    assert told.audit(made).exit_code == 0
    other = told.export("other", session="LAB/other")
    assert PROJECT in told.files("other")
    assert told.audit(other).exit_code == 0


@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
def test_an_intent_with_two_outcomes_can_be_exported(told: Told, media_type: str) -> None:
    """Which is a finding, and no reason to give nothing to the auditor: the first copy is there."""
    intent = told.log.get(told.at("intent")[0])
    path = f"llm_archive/{intent.index:08}.response"
    with told.log.open_stream(stream="stray", session=NAME) as stray:
        other = stray.archive(b"other", media_type)
        body = {
            "status": "answered",
            "http_status": 200,
            "response": other.ref.to_cbor(),
            "response_headers": {"content-encoding": "gzip"},
        }
        stray.append("outcome", body, parents=[intent], contents=[other])
    made = told.export()
    copies = {p: data for p, data in told.files().items() if p.startswith(path)}
    more = {f"{path}.txt.gz": b"other"} if media_type == "text/plain" else {}
    assert copies == {f"{path}.json.gz": PACKED} | more
    report = told.audit(made)
    assert report.has("outcome_duplicate")
    assert not any(
        report.has(code) for code in ("derived_mismatch", "file_missing", "file_unexpected")
    )


TYPES = ("application/json", "text/markdown", "text/event-stream", "application/jsonl", "text/x",
         "application/x-ndjson", "text/html", "text/plain", "text/x+json", "image/png", "text/",
         "text/markdown+json", "application/json-seq")  # fmt: skip


@given(
    st.sampled_from(TYPES) | st.text(max_size=12),
    st.sampled_from(("", " ", "\t", "\n", "\u00a0")),
    st.sampled_from(("", ";", "; charset=utf-8", ";+json")),
    st.booleans(),
)
def test_both_programs_name_a_file_alike(
    kind: str, space: str, parameters: str, is_upper: bool
) -> None:
    """The suffix of every media type, and the list of every session."""
    media_type = space + (kind.upper() if is_upper else kind) + space + parameters
    assert suffix(media_type) == verifier.folder.suffix_of(media_type)
    assert listing.project_path(media_type) == verifier.folder.project_path(media_type)
    assert listing.safe_name(kind) == verifier.folder.plain_name(kind)


@pytest.mark.parametrize(
    ("media_type", "wanted"),
    [
        ("Application/JSON ;charset=utf-8", ".json"),
        ("text/x-note+json", ".json"),
        ("text/markdown+JSON", ".json"),
        (" \ttext/markdown\t ; a=b", ".md"),
        ("text/event-stream", ".sse"),
        ("application/x-ndjson", ".jsonl"),
        ("TEXT/HTML", ".html"),
        ("text/csv;x=+json", ".txt"),
        ("application/json-seq", ".bin"),
        ("", ".bin"),
    ],
)
def test_the_first_row_that_fits_gives_the_suffix(media_type: str, wanted: str) -> None:
    """White space and parameters aside, in any case; `+json` goes before `text/`."""
    assert suffix(media_type) == wanted


def test_integers_that_json_cannot_say_are_left_out(told: Told) -> None:
    """Above 2^53 - 1, as a member or among the outcomes; so is what is not in the selection."""
    (reuse,) = entries(told.log, "reuse")
    outcome = entries(told.log, "outcome")[0]
    for index, is_said in ((2**53 - 1, True), (2**53, False), (None, False)):
        line = json.loads(listing.fault(reuse, lambda *_, index=index: index) or b"")
        assert line["outcomes"] == ([index] if is_said else [])
        line = json.loads(listing.timing(outcome, lambda *_, index=index: index))
        assert line.get("intent") == (index if is_said else None)
