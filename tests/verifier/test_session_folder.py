"""The session folder: each kind of file altered, missing, too much or swapped (specs/11)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier import build
from tests.verifier.scene import SESSION, Scene, digest, story
from verifier import Report, verify_package
from verifier.folder import chronolog_line, fault_line, project_line

Files = dict[str, bytes]
Lie = Callable[[Files], Any]
FAULTS = "data/session/fault_recovery/FAULTS.jsonl"
PROJECT = "data/PROJECT_CHRONOLOG_mva.jsonl"


def packed(ledger: build.Ledger, lie: Lie | None = None, **given: Any) -> Files:
    """A package whose derived files were bent before they were sealed and signed."""
    given = {"kind": "session", "session": SESSION, **given}
    last = "session" if given["kind"] == "session" else "project"
    honest = getattr(build.Derivation, last)

    def lying(self: build.Derivation) -> None:
        honest(self)
        if lie is not None:
            lie(self.files)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build.Derivation, last, lying)
        return build.package(ledger, **given)


def verify(
    ledger: build.Ledger, files: Files, folder: Path, zipped: bool = False, **given: Any
) -> Report:
    """Verify under both pins; `zipped` also as a zip, which must be answered in the same way."""
    head = f"{len(ledger.entries)}:{ledger.root().hex()}"
    given = {"trust": ledger.genesis.hex(), "known_head": head, **given}
    shutil.rmtree(folder / "p", ignore_errors=True)
    report = verify_package(build.write(files, folder / "p"), **given)
    if zipped:
        other = verify_package(build.write_zip(files, folder / "p.zip"), **given)
        assert (other.findings, other.not_checked) == (report.findings, report.not_checked)
    return report


def fails(report: Report) -> list[tuple[str, str | None]]:
    """Code and path of every finding that fails, in order of path."""
    found = [(f["code"], f["path"]) for f in report.findings if f["severity"] == "fail"]
    assert sum(report.finding_counts[code] for code in {c for c, _ in found}) == len(found)
    return sorted(found, key=str)


def derived(files: Files) -> Files:
    return {p: d for p, d in files.items() if p.startswith(("data/session/", "data/PROJECT"))}


def check(make: Callable[[], build.Ledger], folder: Path, lie: Lie, **given: Any) -> Any:
    ledger = make()
    return fails(verify(ledger, packed(ledger, lie, **given), folder))


def at(index: int) -> str:
    return f'"at":"2026-11-20T09:00:00.{index * 1000:06d}Z"'


def test_the_story_word_for_word(tmp_path: Path) -> None:
    """The folder of a session with a refusal, a kill and answers given again."""
    s = story()
    files = packed(s.ledger)
    i = s.at
    a, b, c = (digest({"prompt": "\u20ac", "n": 1.0}).hex(), digest({"prompt": "b"}).hex(),
               digest(None).hex())  # fmt: skip
    assert derived(files)[PROJECT].decode() == (
        f'{{{at(i["open1"])},"event":"session_open","index":1,"run":1,'
        '"session":"mva/experiment_2"}\n'
        f'{{{at(i["open2"])},"event":"session_open","index":{i["open2"]},"previous":"killed",'
        '"run":2,"session":"mva/experiment_2"}\n'
        f'{{"answered":3,{at(i["close2"])},"cost_usd":0.8999999999999999,'
        f'"event":"session_close","failed":0,"index":{i["close2"]},"reused":0,"run":2,'
        '"session":"mva/experiment_2","status":"complete","unknown":0}\n'
        f'{{{at(i["open3"])},"event":"session_open","index":{i["open3"]},"previous":"complete",'
        '"run":3,"session":"mva/experiment_2"}\n'
        f'{{"answered":0,{at(i["close3"])},"event":"session_close","failed":0,'
        f'"index":{i["close3"]},"reused":1,"run":3,"session":"mva/experiment_2",'
        '"status":"complete","unknown":0}\n'
    )
    assert derived(files)[FAULTS].decode() == (
        f'{{{at(i["outcome_b"])},"event":"outcome","http_status":429,"index":{i["outcome_b"]},'
        f'"intent":{i["intent_b"]},"reason":"http_status","status":"failed"}}\n'
        f'{{"after":"failed",{at(i["intent_b2"])},"attempt":2,"call":"{b}","event":"intent",'
        f'"index":{i["intent_b2"]},"replicate":1}}\n'
        f'{{{at(i["reuse1"])},"event":"reuse","index":{i["reuse1"]},'
        f'"outcomes":[{i["outcome_a"]},{i["outcome_b2"]}]}}\n'
        f'{{{at(i["open2"])},"changed":[{{"change":"removed","name":"a.py","role":"file"}},'
        '{"change":"altered","name":"b.py","role":"file"},'
        '{"change":"added","name":"c.py","role":"file"}],"event":"session_open",'
        f'"index":{i["open2"]},"on_unknown":"ask","previous":"killed","run":2}}\n'
        f'{{{at(i["outcome_c"])},"event":"outcome","index":{i["outcome_c"]},'
        f'"intent":{i["intent_c"]},"reason":"killed","status":"unknown"}}\n'
        f'{{"after":"unknown",{at(i["intent_c2"])},"attempt":2,"call":"{c}","event":"intent",'
        f'"index":{i["intent_c2"]},"replicate":1}}\n'
        f'{{{at(i["open3"])},"event":"session_open","index":{i["open3"]},"on_unknown":"ask",'
        '"previous":"complete","run":3}\n'
        f'{{{at(i["reuse3"])},"event":"reuse","index":{i["reuse3"]},'
        f'"outcomes":[{i["outcome_c2"]}]}}\n'
    )
    first, *_, last = (
        derived(files)["data/session/sessions/0001/SESSION_CHRONOLOG.jsonl"]
        .decode()
        .split("\n")[1:-1]
    )
    assert first == (
        f'{{{at(2)},"attempt":1,"call":"{a}","event":"intent","index":2,"model":"small-model",'
        '"replicate":1}'
    )
    assert last == (
        f'{{{at(i["intent_c"])},"attempt":1,"call":"{c}","event":"intent",'
        f'"index":{i["intent_c"]},"model":"small-model","replicate":1,"stage":"two"}}'
    )
    third = derived(files)["data/session/sessions/0003/SESSION_CHRONOLOG.jsonl"].decode()
    assert third.split("\n")[1:3] == [
        f'{{{at(i["reuse3"])},"calls":1,"event":"reuse","index":{i["reuse3"]}}}',
        f'{{{at(i["save3"])},"complete":false,"event":"savepoint","index":{i["save3"]},'
        '"stage":"two"}',
    ]
    below = sorted(p.removeprefix("data/session/") for p in derived(files) if p != PROJECT)
    calls = ("a", "b2", "c2", "a2", "d")
    packs = {"b2": ""}
    assert below == sorted((
        "experiment_snapshot.md", "files/001_b.py", "files/002_c.py",
        "fault_recovery/FAULTS.jsonl",
        *(f"sessions/000{run}/SESSION_CHRONOLOG.jsonl" for run in (1, 2, 3)),
        *(f"llm_archive/{i['intent_' + n]:08d}.request.json" for n in ("a", "b", "b2", "a2", "d")),
        *(f"llm_archive/{i['intent_' + n]:08d}.response.json{packs.get(n, '.gz')}" for n in calls),
        *(f"analysis_results/{i['witness_' + n]:08d}.txt" for n in ("a", "b2", "a2", "d")),
        *(f"system_state/{i[n]:08d}.json" for n in ("save1", "save3")),
    ))  # fmt: skip
    report = verify(s.ledger, files, tmp_path, zipped=True)
    assert (report.exit_code, fails(report)) == (0, [])
    assert not any("folder" in sentence for sentence in report.not_checked)


PATHS = sorted(derived(packed(story().ledger)))


@pytest.mark.parametrize("path", PATHS)
def test_each_file_bent(path: str, tmp_path: Path) -> None:
    """A file with a byte more or less, with none, with a salt before it, or not there at all."""

    def salted() -> build.Ledger:
        return story(salted=True).ledger

    def plain() -> build.Ledger:
        return story().ledger

    for make in (plain, salted):
        for bend in (lambda d: d + b"\n", lambda d: d[:-1], lambda d: b"", lambda d: bytes(16) + d):
            found = check(make, tmp_path, lambda f, e=bend: f.update({path: e(f[path])}))
            assert found == [("derived_mismatch", path)]
        assert check(make, tmp_path, lambda f: f.pop(path)) == [("file_missing", path)]


def _swap(one: str, two: str) -> Lie:
    def lie(files: Files) -> None:
        files[one], files[two] = files[two], files[one]

    return lie


def _rename(one: str, two: str) -> Lie:
    return lambda files: files.update({two: files.pop(one)})


@pytest.mark.parametrize("salted", [False, True])
def test_swapped_and_renamed(tmp_path: Path, salted: bool) -> None:
    """Two files that change places are two mismatches; one that moves is missing and unexpected."""

    def make() -> build.Ledger:
        return story(salted=salted).ledger

    kinds = ("request.json", "response.json.gz", "SESSION_CHRONOLOG.jsonl", "2_c.py")
    ends = {end: [p for p in PATHS if p.endswith(end)] for end in kinds}
    pairs = [
        (ends["request.json"][0], ends["request.json"][-1]),
        (ends["response.json.gz"][0], ends["response.json.gz"][1]),
        (ends["SESSION_CHRONOLOG.jsonl"][0], ends["SESSION_CHRONOLOG.jsonl"][1]),
        ("data/session/files/001_b.py", "data/session/files/002_c.py"),
        (FAULTS, PROJECT),
    ]
    for one, two in pairs:
        wanted = sorted([("derived_mismatch", one), ("derived_mismatch", two)], key=str)
        assert check(make, tmp_path, _swap(one, two)) == wanted
    folder = "data/session/"
    response = ends["response.json.gz"][0]
    for one, two in (
        (folder + "files/002_c.py", folder + "files/003_c.py"),
        (folder + "files/002_c.py", folder + "files/002_C.py"),
        (folder + "experiment_snapshot.md", folder + "framework_snapshot.md"),
        (folder + "experiment_snapshot.md", folder + "experiment_snapshot.2.md"),
        (response, response.removesuffix(".gz")),
        (ends["SESSION_CHRONOLOG.jsonl"][0], folder + "sessions/0004/SESSION_CHRONOLOG.jsonl"),
        (ends["SESSION_CHRONOLOG.jsonl"][0], folder + "sessions/00001/SESSION_CHRONOLOG.jsonl"),
        (PROJECT, "data/PROJECT_CHRONOLOG_mv.jsonl"),
    ):
        wanted = sorted([("file_missing", one), ("file_unexpected", two)], key=str)
        assert check(make, tmp_path, _rename(one, two)) == wanted


@pytest.mark.parametrize(
    "path",
    [
        "data/session/extra",
        "data/session/files/003_more.py",
        "data/session/framework_snapshot.md",
        "data/session/corpus_manifest.2.json",
        "data/session/llm_archive/00000001.request.json",
        "data/session/analysis_results/00000099.bin",
        "data/session/system_state/00000001.json",
        "data/session/sessions/0009/SESSION_CHRONOLOG.jsonl",
        "data/PROJECT_CHRONOLOG_other.jsonl",
        "data/PROJECT_CHRONOLOG.jsonl",
    ],
)
def test_files_too_many(path: str, tmp_path: Path) -> None:
    """What does not follow from the log is unexpected, of a known form or not, and told once."""
    found = check(lambda: story().ledger, tmp_path, lambda f: f.update({path: b""}))
    assert found == [("file_unexpected", path)]


def test_changed_after_the_export(tmp_path: Path) -> None:
    """A thief without keys leaves the seal and the manifest behind; each says so once."""
    s = story()
    files = packed(s.ledger)
    path = PATHS[-1]
    bent = {**files, path: b"x"}
    names = ("derived_mismatch", "file_mismatch", "seal_mismatch")
    report = verify(s.ledger, bent, tmp_path)
    assert [(n, path) for n in names] == [f for f in fails(report) if f[0] in names]
    gone = {p: d for p, d in files.items() if p != path}
    assert [f for f in fails(verify(s.ledger, gone, tmp_path)) if f[1] == path] == [
        ("file_missing", path),
        ("seal_mismatch", path),
    ]
    more = {**files, "data/session/files/009_x": b""}
    assert [f[0] for f in fails(verify(s.ledger, more, tmp_path)) if f[1] != "bag-info.txt"] == [
        "file_unexpected",
        "seal_mismatch",
    ]


def test_withheld_contents(tmp_path: Path) -> None:
    """Without contents there are no copies, and a copy that is there all the same is unexpected."""
    s = story()
    files = packed(s.ledger, withheld=True)
    assert all(p.endswith("jsonl") for p in derived(files))
    assert fails(verify(s.ledger, files, tmp_path)) == []
    path = "data/session/experiment_snapshot.md"
    lie = {"lie": lambda f: f.update({path: b"# plan"}), "withheld": True}
    s = story()
    assert fails(verify(s.ledger, packed(s.ledger, **lie), tmp_path)) == [("file_unexpected", path)]
    s = story()
    lie = {"lie": lambda f: f.pop(FAULTS), "withheld": True}
    assert fails(verify(s.ledger, packed(s.ledger, **lie), tmp_path)) == [("file_missing", FAULTS)]


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("salted", [False, True])
def test_erased_content(tmp_path: Path, salted: bool, there: bool) -> None:
    """Erased content has no copy; content that an erasure names but is still here has one."""
    path = "data/session/experiment_snapshot.md"

    def make() -> build.Ledger:
        s = story(salted=salted)
        ref = s.ref(b"# plan", "text/markdown")
        s.ledger.add("erasure", {"content": ref, "reason": "r"}, stream="admin")
        if not there:
            del s.ledger.contents[ref["blake3"]]
        return s.ledger

    assert check(make, tmp_path, lambda f: None) == []
    if there:
        assert check(make, tmp_path, lambda f: f.pop(path)) == [("file_missing", path)]
    else:
        found = check(make, tmp_path, lambda f: f.update({path: b"# plan"}))
        assert found == [("file_unexpected", path)]


@pytest.mark.parametrize("salted", [False, True])
def test_content_swapped_or_missing(tmp_path: Path, salted: bool) -> None:
    """Content with other bytes has its own finding, and its honest copy has none."""
    s = story(salted=salted)
    ref = s.ref(b"# plan", "text/markdown")
    s.ledger.contents[ref["blake3"]] = bytes(len(s.ledger.contents[ref["blake3"]]))
    path = "data/session/experiment_snapshot.md"
    files = packed(s.ledger, lambda f: f.update({path: b"# plan"}))
    found = {c for c, _ in fails(verify(s.ledger, files, tmp_path))}
    assert found == {"content_mismatch"}
    s = story(salted=salted)
    del s.ledger.contents[ref["blake3"]]
    found = {c for c, _ in fails(verify(s.ledger, packed(s.ledger), tmp_path))}
    assert found == {"content_missing"}


def _lonely(media: str, headers: dict[str, str] | None = None, **given: Any) -> build.Ledger:
    """A session of one witness that belongs to no call."""
    ledger = build.Ledger()
    body = build.witness(ledger.content(b"hello"))
    raw: dict[str, Any] = {"response": build.ref(ledger.content(b"wire"), media)}
    if headers is not None:
        raw["response_headers"] = headers
        raw["request_headers"] = {"content-encoding": "gzip"}
        raw["request"] = build.ref(ledger.content(b"asked"), media)
    body["output"]["output_hash"] = build.ref(ledger.content(b"out"), media)
    ledger.add("witness", body | {"raw": raw}, session=SESSION, **given)
    return ledger


@pytest.mark.parametrize(
    ("media", "suffix"),
    [
        ("application/json", ".json"),
        ("Application/JSON; charset=utf-8", ".json"),
        ("application/problem+json", ".json"),
        ("text/x+JSON ;a=b", ".json"),
        ("application/json-seq", ".bin"),
        ("application/jsonl", ".jsonl"),
        ("application/x-ndjson", ".jsonl"),
        ("text/markdown; variant=x", ".md"),
        ("TEXT/Event-Stream", ".sse"),
        ("text/html", ".html"),
        ("text/jsonl", ".txt"),
        ("text/", ".txt"),
        ("text", ".bin"),
        ("application/octet-stream", ".bin"),
        ("x; text/html", ".bin"),
    ],
)
def test_suffixes(media: str, suffix: str, tmp_path: Path) -> None:
    """The media type, parameters and case aside, gives the suffix."""
    names = (f"llm_archive/00000001.response{suffix}", f"analysis_results/00000001{suffix}")
    files = packed(_lonely(media))
    assert sorted(derived(files)) == sorted(f"data/session/{name}" for name in names)
    assert check(lambda: _lonely(media), tmp_path, lambda f: None) == []


@pytest.mark.parametrize(
    ("coding", "ending"), [("gzip", ".gz"), ("GZip", ".gz"), ("x-gzip", ""), ("gzip, br", "")]
)
def test_packed_responses(coding: str, ending: str, tmp_path: Path) -> None:
    """A response whose only coding is gzip ends in .gz; a request never does."""

    def make() -> build.Ledger:
        return _lonely("text/html", {"content-encoding": coding})

    path = f"data/session/llm_archive/00000001.response.html{ending}"
    files = packed(make())
    assert path in files
    assert "data/session/llm_archive/00000001.request.html" in files
    assert check(make, tmp_path, lambda f: None) == []
    other = path.removesuffix(".gz") if ending else path + ".gz"
    assert check(make, tmp_path, _rename(path, other)) == sorted(
        [("file_missing", path), ("file_unexpected", other)], key=str
    )


def test_raw_bodies_of_a_call_are_not_there_twice(tmp_path: Path) -> None:
    """A witness gives its raw bodies unless its first parent is an outcome of the selection."""

    def make(*parents: str) -> build.Ledger:
        def add(s: Scene) -> None:
            body = build.witness(b"")
            body["data"]["prompt_hash"] = s.ref(b"the prompt", "text/plain")
            body["raw"] = {"request": s.ref(b'{\n "prompt": "d"\n}')}
            s.add("more", "witness", body, list(parents))

        return story(insert={"witness_d": add}).ledger

    where: dict[str, int] = {}
    story(insert={"witness_d": lambda s: where.update(more=len(s.ledger.entries))})
    path = f"data/session/llm_archive/{where['more']:08d}.request.json"
    for parents in (("intent_d",), ("save1", "outcome_d")):
        ledger = make(*parents)
        files = packed(ledger)
        assert path in files
        assert fails(verify(ledger, files, tmp_path)) == []
        found = check(lambda p=parents: make(*p), tmp_path, lambda f: f.pop(path))
        assert found == [("file_missing", path)]
    assert path not in packed(make("outcome_d"))
    assert path not in packed(story().ledger)


def _frozen(*entries: tuple[str, str, str], session: str = SESSION) -> Callable[[], build.Ledger]:
    """A session of one run that freezes role, name and content of these."""

    def make() -> build.Ledger:
        s = Scene(session=session)
        body = {
            "run": 1, "writer": "w", "on_unknown": "ask", "environment": s.ref(b"{}"),
            "frozen": [
                {"role": role, "name": name, "content": s.ref(text.encode(), "a/b")}
                for role, name, text in entries
            ],
        }  # fmt: skip
        s.add("open1", "session_open", body)
        return s.ledger

    return make


def test_names_and_further_entries(tmp_path: Path) -> None:
    """Names are made plain and cut; a further entry of a role has its number before the suffix."""
    odd = "\u00e4/\\ b:\u20ac\U0001f600.py"
    make = _frozen(
        ("corpus_manifest", "c1", "1"), ("corpus_manifest", "c2", "2"),
        ("experiment_snapshot", "a", "one"), ("experiment_snapshot", "b", "two"),
        ("experiment_snapshot", "c", "three"),
        ("file", "..", "dots"), ("file", "x" * 95 + "yz", "cut"),
        ("file", odd, "odd"), ("file", "\u00e4" * 100, "long"),
        ("framework_snapshot", "f", "frame"),
    )  # fmt: skip
    folder = "data/session/"
    wanted = {
        "corpus_manifest.json": b"1", "corpus_manifest.2.json": b"2",
        "experiment_snapshot.md": b"one", "experiment_snapshot.2.md": b"two",
        "experiment_snapshot.3.md": b"three", "framework_snapshot.md": b"frame",
        "files/001_..": b"dots", "files/002_" + "x" * 95 + "y": b"cut",
        "files/003_----b---.py": b"odd", "files/004_" + "-" * 96: b"long",
    }  # fmt: skip
    files = packed(make())
    copies = {p.removeprefix(folder): d for p, d in derived(files).items() if "jsonl" not in p}
    assert copies == wanted
    assert check(make, tmp_path, lambda f: None) == []
    one, two = folder + "experiment_snapshot.2.md", folder + "experiment_snapshot.3.md"
    found = check(make, tmp_path, _swap(one, two))
    assert found == [("derived_mismatch", one), ("derived_mismatch", two)]
    for path in (folder + "files/002_" + "x" * 95 + "y", folder + "files/004_" + "-" * 96):
        assert check(make, tmp_path, lambda f, p=path: f.pop(p)) == [("file_missing", path)]


@pytest.mark.parametrize(
    ("session", "name"),
    [
        ("alone", "alone"),
        ("a@b:c/d/e", "a-b-c"),
        ("/x", ""),
        ("y" * 128, "y" * 96),
        ("..", ".."),
        ("MvA_2/X", "mva_2"),
    ],
)
def test_project_names(session: str, name: str, tmp_path: Path) -> None:
    """A project is what stands before the first slash, made plain, cut and in lower case."""
    make = _frozen(session=session)
    path = f"data/PROJECT_CHRONOLOG_{name}.jsonl"
    for kind in ("session", "ledger"):
        given = {"kind": kind, "session": session if kind == "session" else None}
        assert path in packed(make(), **given)
        assert check(make, tmp_path, lambda f: None, **given) == []
        found = check(make, tmp_path, lambda f: f.pop(path), **given)
        assert found == [("file_missing", path)]


def _projects() -> build.Ledger:
    """Three sessions of two projects; the names of two labels become equal."""
    ledger = build.Ledger()
    for session in ("p@1/a", "p:1/b", "other"):
        story(ledger=ledger, session=session)
    return ledger


def test_whole_ledger(tmp_path: Path) -> None:
    """A whole ledger has the lists of its projects, in order of the log, and no session folder."""
    given: dict[str, Any] = {"kind": "ledger", "session": None}
    shared, other = "data/PROJECT_CHRONOLOG_p-1.jsonl", "data/PROJECT_CHRONOLOG_other.jsonl"
    files = packed(_projects(), **given)
    assert sorted(derived(files)) == [other, shared]
    assert files[shared].count(b"\n") == 10
    assert check(_projects, tmp_path, lambda f: None, **given) == []
    found = check(_projects, tmp_path, _swap(shared, other), **given)
    assert found == [("derived_mismatch", other), ("derived_mismatch", shared)]
    assert check(_projects, tmp_path, lambda f: f.pop(other), **given) == [("file_missing", other)]
    for path in ("data/session/experiment_snapshot.md", "data/PROJECT_CHRONOLOG_p.jsonl"):
        found = check(_projects, tmp_path, lambda f, p=path: f.update({p: b""}), **given)
        assert found == [("file_unexpected", path)]
    ledger = _projects()
    one = packed(ledger, session="p@1/a")
    assert sorted(p for p in derived(one) if "PROJECT" in p) == [shared]
    assert one[shared].count(b"\n") == 5


def test_unsigned_is_not_checked(tmp_path: Path) -> None:
    """Without an export statement nothing is held against the log, and the report says so."""
    for kind in ("session", "ledger"):
        s = story()
        honest = derived(packed(story().ledger, kind=kind))
        files = packed(s.ledger, kind=kind, signed=False)
        files = build.bag({**files, **dict.fromkeys(honest, b"x")})
        report = verify(s.ledger, files, tmp_path)
        assert fails(report) == []
        assert report.exit_code == 3
        assert "the session folder: the package is unsigned" in report.not_checked
        odd = build.bag({**files, "data/session/odd": b""})
        assert fails(verify(s.ledger, odd, tmp_path)) == [("file_unexpected", "data/session/odd")]


def test_a_range_has_no_folder(tmp_path: Path) -> None:
    """A range has none of these files; one that is there is unexpected."""
    s = story()
    given: dict[str, Any] = {"kind": "range", "session": None}
    assert not derived(packed(s.ledger, **given))
    files = build.bag({**packed(s.ledger, **given), FAULTS: b"", PROJECT: b""})
    found = [f for f in fails(verify(s.ledger, files, tmp_path)) if f[0] == "file_unexpected"]
    assert found == [("file_unexpected", PROJECT), ("file_unexpected", FAULTS)]


def test_two_outcomes_of_one_intent(tmp_path: Path) -> None:
    """Of two statements that give one path the first one's copy is there."""

    def make() -> build.Ledger:
        again = {"witness_d": lambda s: s.answered("twice", "intent_d", "sixth")}
        return story(insert=again).ledger

    found = check(make, tmp_path, lambda f: None)
    assert {c for c, _ in found} <= {"outcome_duplicate", "session_totals"}
    path = f"data/session/llm_archive/{story().at['intent_d']:08d}.response.json.gz"
    found = check(make, tmp_path, lambda f: f.update({path: b"x"}))
    assert [f for f in found if f[1] is not None] == [("derived_mismatch", path)]
    found = check(make, tmp_path, lambda f: f.pop(path))
    assert [f for f in found if f[1] is not None] == [("file_missing", path)]


STEPS = ("open2", "intent_a", "outcome_a", "witness_a", "reuse1", "save1", "close2")


@pytest.mark.parametrize("step", STEPS)
def test_invalid_record_is_told_once(step: str, tmp_path: Path) -> None:
    """What a record that is invalid or unreadable leaves open here is no second finding."""
    for code, bend in (
        ("body_invalid", lambda p: p["body"].update(note=1)),
        ("payload_invalid", lambda p: p.update(note=1)),
    ):
        s = story(bend={step: bend})
        report = verify(s.ledger, packed(s.ledger), tmp_path)
        found = {c for c, p in fails(report) if p is None or not p.startswith("data/content/")}
        assert found - {"export_invalid"} == {code}
        assert any("session folder" in sentence for sentence in report.not_checked)


@pytest.mark.parametrize("step", STEPS)
def test_missing_record_is_told_once(step: str, tmp_path: Path) -> None:
    """Where records are missing, also at the end of a stream, the folder cannot be derived."""
    s = story()
    missing = range(s.at[step], len(s.ledger.entries)) if step == "close2" else [s.at[step]]
    report = verify(s.ledger, packed(s.ledger, drop=missing), tmp_path)
    assert "stream_incomplete" in report.finding_counts
    assert not [p for _, p in fails(report) if p is not None and not p.startswith("data/content/")]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(text=TEXT, ms=st.floats(0, allow_infinity=False) | st.integers(0, 2**60).map(float))
def test_lines_are_canonical(text: str, ms: float) -> None:
    """Any text and any amount stand in a line as another library writes them."""
    envelope = {"created_at": "2026-11-20T09:00:00.000000Z", "session": "a"}
    changed = [{"role": "file", "name": text, "change": "added"}]
    opened = {"run": 2, "previous": "killed", "on_unknown": "ask", "changed": changed}
    sent = {"call": {"digest": bytes(32), "replicate": 1}, "attempt": 1, "model": text}
    answered = {"status": "answered", "http_status": 200, "duration_ms": ms, "first_byte_ms": 0.0}
    lines = (
        fault_line(7, {**envelope, "type": "session_open", "body": opened}, None, ()),
        chronolog_line(7, {**envelope, "type": "intent", "body": sent}, None),
        chronolog_line(7, {**envelope, "type": "outcome", "body": answered}, 6),
    )
    for line in lines:
        assert line is not None
        read = json.loads(
            line, parse_int=lambda digits: float(digits) if digits[15:] else int(digits)
        )
        assert line == rfc8785.dumps(read) + b"\n"
    assert lines[0] is not None
    assert json.loads(lines[0])["changed"] == changed
    assert json.loads(lines[1] or b"")["model"] == text
    assert float(json.loads(lines[2] or b"")["duration_ms"]) == ms


def _far(files: Files) -> Files:
    """Move all records but the first beyond 2^60, where no proof leads."""
    raw, out, far = files["data/log/proved/000"], b"", 2**60
    position = 0
    while position < len(raw):
        index = int.from_bytes(raw[position : position + 8], "big")
        size = 10 + int.from_bytes(raw[position + 8 : position + 10], "big")
        end = position + size + 1 + 32 * raw[position + size]
        out += (index + (far if index else 0)).to_bytes(8, "big") + raw[position + 8 : end]
        position = end
    head = files["data/log/checkpoint"].split(b"\n")
    head[1] = str(int(head[1]) + far).encode()
    files = {**files, "data/log/proved/000": out, "data/log/checkpoint": b"\n".join(head)}
    return build.bag(files)


def test_indices_beyond_json(tmp_path: Path) -> None:
    """Indices that no JSON number holds are left out, and never end a verification."""
    s = story()
    files = packed(s.ledger, change=lambda b: b["selection"].update(end=2**62))
    report = verify(s.ledger, _far(files), tmp_path)
    assert "inclusion_invalid" in report.finding_counts
    assert report.exit_code == 1
    close = {
        "created_at": "2026-11-20T09:00:00.000000Z", "type": "session_close", "session": "a",
        "body": {"run": 1, "status": "complete", "answered": 2**53, "failed": 2**53 - 1,
                 "unknown": 0, "reused": 2**63 - 1, "unpriced": 0, "cost_usd": 1e21},
    }  # fmt: skip
    assert project_line(2**53, close) == (
        b'{"at":"2026-11-20T09:00:00.000000Z","cost_usd":1e+21,"event":"session_close",'
        b'"failed":9007199254740991,"run":1,"session":"a","status":"complete","unknown":0}\n'
    )


def test_contents_that_vanish_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A content that is taken away while it is read again is a finding, not a traceback."""
    from verifier import audit

    s = story(salted=True)
    files = packed(s.ledger)
    plan = s.ref(b"# plan", "text/markdown")["blake3"].hex()
    sealed = audit.check_seal
    target = build.write(files, tmp_path / "p")

    def vanish(a: Any) -> None:
        sealed(a)
        (target / "data" / "content" / plan[:2] / plan).unlink()

    monkeypatch.setattr(audit, "check_seal", vanish)
    report = verify_package(target, trust=s.ledger.genesis.hex())
    assert report.exit_code in (1, 2)


def test_salted_content_is_read_for_a_copy_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One content that many statements name is not read again for copies that are not there."""
    from verifier.package import FolderPackage

    ledger = build.Ledger(salted=True)
    archived = ledger.content(bytes(16) + b"out")
    ref = {**build.ref(archived), "size_bytes": 3, "salted": True}
    for _ in range(40):
        body = build.witness(b"")
        body["data"]["prompt_hash"] = body["output"]["output_hash"] = ref
        ledger.add("witness", body, session=SESSION)

    def cut(files: Files) -> None:
        for n, path in enumerate(sorted(files)):
            files.pop(path) if n % 2 else files.update({path: b"other length"})

    reads: list[str] = []
    stream = FolderPackage.stream

    def counted(self: FolderPackage, path: str) -> Any:
        reads.append(path)
        return stream(self, path)

    monkeypatch.setattr(FolderPackage, "stream", counted)
    target = build.write(packed(ledger, cut), tmp_path / "p")
    report = verify_package(target, trust=ledger.genesis.hex())
    assert report.finding_counts["file_missing"] == 20
    assert report.finding_counts["derived_mismatch"] == 20
    assert sum(path.startswith("data/content/") for path in reads) == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_jobs(tmp_path: Path, jobs: int) -> None:
    """Two processes derive what one does."""
    s = story()
    files = packed(s.ledger, lambda f: f.update({FAULTS: b"{}\n"}))
    report = verify(s.ledger, files, tmp_path, zipped=True, jobs=jobs)
    assert fails(report) == [("derived_mismatch", FAULTS)]
