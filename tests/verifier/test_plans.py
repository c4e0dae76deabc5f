"""The replay plan of a package, and the engine of each witness (specs/13 sections 1, 2, 9)."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier import build, replan
from tests.verifier.replan import ENVIRONMENT, JSON, PLAN, WEIGHTS, Files, Shop
from verifier import Report, verify_package
from verifier.engines import way_of
from verifier.errors import BadValue
from verifier.plan_form import PLAN_LINE_MAX_BYTES, parse_line, parse_weights
from verifier.plan_lines import encoded
from verifier.plan_reader import PlanReader

Line = dict[str, Any]
Edit = Callable[[list[Line]], Any]


def verify(s: Shop, files: Files, folder: Path, zipped: bool = False) -> Report:
    head = f"{len(s.ledger.entries)}:{s.ledger.root().hex()}"
    given: Any = {"trust": s.ledger.genesis.hex(), "known_head": head}
    if zipped:
        return verify_package(build.write_zip(files, folder / "p.zip"), **given)
    return verify_package(build.write(files, folder / "p"), **given)


def found(report: Report) -> list[tuple[str, int | None, str | None]]:
    """Code, index and path of each finding that weighs, in order."""
    rows = [(f["code"], f["index"], f["path"]) for f in report.findings if f["severity"] == "fail"]
    return sorted(rows, key=str)


def bent(plan: Files, edit: Edit) -> Files:
    """Plan files with edited lines."""
    lines = [json.loads(line) for line in plan[PLAN].splitlines()]
    edit(lines)
    return plan | {PLAN: b"".join(rfc8785.dumps(line) + b"\n" for line in lines)}


def sealed(folder: Path, change: Callable[[Files], Files], s: Shop | None = None) -> Any:
    """Verify a package whose producer sealed another plan than the honest one."""
    s = s or replan.shop()
    report = verify(s, build.package(s.ledger, more=change(s.files())), folder)
    return found(report), s


@pytest.mark.parametrize("kind", ["ledger", "session", "range"])
@pytest.mark.parametrize("salted", [False, True])
def test_an_honest_plan_is_verified(tmp_path: Path, kind: str, salted: bool) -> None:
    """All kinds of witnesses in all kinds of packages; what cannot be run says why."""
    s = replan.shop(salted)
    given: Any = {"session": "run-1"} if kind == "session" else {}
    files = build.package(s.ledger, kind=kind, more=s.files(), **given)
    report = verify(s, files, tmp_path)
    assert found(report) == []
    assert (report.counts["planned"], report.counts["not_planned"]) == (8, 2)
    assert report.status("replay") == "verified"
    assert report.summaries["replay"] == "plan: 8 witnesses, 2 not planned"
    assert not [one for one in report.not_checked if "plan" in one]
    other = verify(s, files, tmp_path, zipped=True)
    assert (other.findings, other.counts) == (report.findings, report.counts)


def test_a_package_without_a_plan_is_not_concerned(tmp_path: Path) -> None:
    s = replan.shop()
    report = verify(s, build.package(s.ledger), tmp_path)
    assert (report.status("replay"), report.exit_code) == ("not_applicable", 0)


def test_an_unsigned_package_has_its_plan_checked(tmp_path: Path) -> None:
    """Whoever hands over an edited plan without a seal is told so all the same."""
    s = replan.shop()
    files = build.package(s.ledger, signed=False, more=s.files())
    assert found(verify(s, files, tmp_path)) == []
    plan = bent(s.files(), lambda lines: lines[0].update(path="/v1/evil/chat/completions"))
    files = build.package(s.ledger, signed=False, more=plan)
    assert found(verify(s, files, tmp_path)) == [("plan_mismatch", s.at["chat"], PLAN)]


def test_a_plan_edited_after_the_export_breaks_the_seal_too(tmp_path: Path) -> None:
    s = replan.shop()
    files = build.package(s.ledger, more=s.files())
    files |= bent(s.files(), lambda lines: lines[0]["expected"]["text"].update(size_bytes=6))
    report = verify(s, build.bag(files), tmp_path)
    assert found(report) == [("plan_mismatch", s.at["chat"], PLAN), ("seal_mismatch", None, PLAN)]
    message = next(f["message"] for f in report.findings if f["code"] == "plan_mismatch")
    assert message == "not what follows from the log: expected"


@pytest.mark.parametrize(
    "change",
    [
        {"engine": "transformers"},
        {"needs": "engine"},
        {"path": "/v1/messages"},
        {"parameters": {"top_p": 0.25}},
        {"leaf_hash": "00" * 32},
        {"id": "019aa000-0000-7000-8000-000000000000"},
        {"model": "m-3"},
        {"operation": "text_completion"},
        {"weights": "00" * 32},
        {"tool": "rm"},
        {"levels": ["archive", "text"]},
        {"expected": {}},
        {"request": {"blake3": "0" * 64, "sha256": "0" * 64, "size_bytes": 1, "media_type": JSON}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_member_follows_from_the_log(tmp_path: Path, change: Line) -> None:
    """A producer who signs another line is contradicted by the log."""
    rows, s = sealed(tmp_path, lambda plan: bent(plan, lambda lines: lines[0].update(change)))
    assert rows == [("plan_mismatch", s.at["chat"], PLAN)]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("plain", {"reason": "content_missing"}),
        ("gone", {"reason": "not_recorded"}),
    ],
)
def test_the_reason_follows(tmp_path: Path, name: str, change: Line) -> None:
    def edit(lines: list[Line]) -> None:
        next(one for one in lines if one.get("reason", "") not in ("", change["reason"])).update(
            change
        )

    rows, s = sealed(tmp_path, lambda plan: bent(plan, edit))
    assert rows == [("plan_mismatch", s.at[name], PLAN)]


def give_up(lines: list[Line]) -> None:
    kept = ("index", "id", "leaf_hash", "model", "operation")
    lines[0] = {k: lines[0][k] for k in kept} | {"reason": "not_recorded"}


def test_a_witness_that_can_be_run_is_not_given_up(tmp_path: Path) -> None:
    rows, s = sealed(tmp_path, lambda plan: bent(plan, give_up))
    assert rows == [("plan_mismatch", s.at["chat"], PLAN)]


@pytest.mark.parametrize(
    "change",
    [
        {"blake3": "../../etc/passwd"},
        {"blake3": "AB" * 32},
        {"sha256": None},
        {"size_bytes": "5"},
        {"size_bytes": -1},
        {"media_type": "a\nb"},
        {"file": "x"},
    ],
    ids=str,
)
def test_a_digest_cannot_be_a_path(tmp_path: Path, change: Line) -> None:
    """What a request is named by is hex and numbers, or the line is refused by its form."""

    def edit(lines: list[Line]) -> None:
        lines[0]["request"].update(change)

    rows, s = sealed(tmp_path, lambda plan: bent(plan, edit))
    assert rows == [("plan_incomplete", s.at["chat"], PLAN), ("plan_invalid", None, PLAN)]


@pytest.mark.parametrize(
    "change",
    [
        {"index": "1"},
        {"index": True},
        {"engine": "no label"},
        {"needs": "root"},
        {"path": "evil"},
        {"parameters": {}},
        {"levels": ["text"]},
        {"levels": ["archive", "tokens", "text"]},
        {"levels": [["archive"]]},
        {"expected": {"archive": {}}},
        {"reason": "not_recorded"},
        {"run": "rm -rf"},
    ],
    ids=str,
)
def test_a_line_has_its_form(tmp_path: Path, change: Line) -> None:
    rows, _ = sealed(tmp_path, lambda plan: bent(plan, lambda lines: lines[0].update(change)))
    assert ("plan_invalid", None, PLAN) in rows
    assert {row[0] for row in rows} == {"plan_invalid", "plan_incomplete"}


@pytest.mark.parametrize(
    "lie",
    [
        lambda raw: raw.replace(b"{", b"{ ", 1),
        lambda raw: b"not json\n" + raw,
        lambda raw: b"\n" + raw,
        lambda raw: b"[]\n" + raw,
        lambda raw: b"[" * 100_000 + b"\n" + raw,
        lambda raw: b"\xff\n" + raw,
        lambda raw: raw[:-1],
        lambda raw: raw + b'{"index":1}\n',
        lambda raw: b"x" * (PLAN_LINE_MAX_BYTES + 1) + b"\n" + raw,
        lambda raw: raw + b"x" * (3 * PLAN_LINE_MAX_BYTES),
        lambda raw: raw.replace(b"\n", b"\r\n", 1),
        lambda raw: raw.splitlines(True)[0] + raw,
    ],
)
def test_a_plan_has_its_form(tmp_path: Path, lie: Callable[[bytes], bytes]) -> None:
    """Spaces, depth, length, order: a line that is not in its form is refused, and once."""
    rows, _ = sealed(tmp_path, lambda plan: plan | {PLAN: lie(plan[PLAN])})
    assert [row[0] for row in rows].count("plan_invalid") == 1
    assert {row[0] for row in rows} <= {"plan_invalid", "plan_incomplete"}


def test_lines_out_of_order(tmp_path: Path) -> None:
    rows, _ = sealed(tmp_path, lambda plan: bent(plan, lambda lines: lines.reverse()))
    assert {row[0] for row in rows} == {"plan_invalid", "plan_incomplete"}
    assert len(rows) == 18


@pytest.mark.parametrize("place", [0, 4, -1])
def test_a_witness_without_a_line(tmp_path: Path, place: int) -> None:
    """What is left out at the beginning, in the middle or at the end is named."""
    s = replan.shop()
    index = sorted(s.lines)[place]
    rows, _ = sealed(tmp_path, lambda plan: bent(plan, lambda lines: lines.pop(place)), s)
    assert rows == [("plan_incomplete", index, PLAN)]


@pytest.mark.parametrize("index", [0, 1, 500])
def test_a_line_of_no_witness(tmp_path: Path, index: int) -> None:
    """A line of a statement of another type, or of none."""

    def edit(lines: list[Line]) -> None:
        lines.append(lines[0] | {"index": index})
        lines.sort(key=lambda line: int(line["index"]))

    rows, _ = sealed(tmp_path, lambda plan: bent(plan, edit))
    assert rows == [("plan_mismatch", index, PLAN)]


def test_witnesses_outside_the_selection_have_no_line(tmp_path: Path) -> None:
    """In a package of a session, a line of a witness of another one is of no witness."""
    s = replan.shop()
    other = s.ledger.add("witness", build.witness(), stream="b", session="run-2")
    s.ledger.content(b"hello")
    s.lines[other] = {"reason": "not_recorded"}
    files = build.package(s.ledger, kind="session", session="run-1", more=s.files(), extra=[other])
    report = verify(s, files, tmp_path)
    assert ("plan_mismatch", other, PLAN) in found(report)


def test_an_empty_plan_of_a_package_without_witnesses(tmp_path: Path) -> None:
    s = Shop()
    s.ledger.add("annotation", {"kind": "note", "value": "fine"}, parents=[0])
    rows, _ = sealed(tmp_path, lambda plan: plan, s)
    assert rows == []


@pytest.mark.parametrize("path", [PLAN, WEIGHTS, ENVIRONMENT])
def test_a_file_that_is_not_there(tmp_path: Path, path: str) -> None:
    rows, _ = sealed(tmp_path, lambda plan: {k: v for k, v in plan.items() if k != path})
    assert rows == [("plan_incomplete", None, path)]


@pytest.mark.parametrize("path", ["REPLAY.md", "data/replay/requirements.txt"])
def test_what_is_for_people_need_not_be_there(tmp_path: Path, path: str) -> None:
    rows, _ = sealed(tmp_path, lambda plan: {k: v for k, v in plan.items() if k != path})
    assert rows == []


@pytest.mark.parametrize("path", ["data/replay/run.sh", "data/replay/a/plan.jsonl"])
def test_a_file_too_much(tmp_path: Path, path: str) -> None:
    rows, _ = sealed(tmp_path, lambda plan: plan | {path: b"#!/bin/sh\n"})
    assert rows == [("file_unexpected", None, path)]


def test_files_without_their_reason(tmp_path: Path) -> None:
    """No weights and no session: neither list of weights nor environment."""
    s = Shop()
    s.witness("plain")
    s.reason("plain", "not_recorded")
    more = {WEIGHTS: b'{"weights":[]}', ENVIRONMENT: b"{}"}
    rows, _ = sealed(tmp_path, lambda plan: plan | more, s)
    assert rows == [("file_unexpected", None, path) for path in (ENVIRONMENT, WEIGHTS)]


def test_the_environment_is_that_of_the_newest_run(tmp_path: Path) -> None:
    rows, _ = sealed(tmp_path, lambda plan: plan | {ENVIRONMENT: b'{"threads":8}'})
    assert rows == [("plan_mismatch", None, ENVIRONMENT)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"statements": 2}, "plan_mismatch"),
        ({"models": ["m-1", "m-2"]}, "plan_mismatch"),
        ({"blake3": "00" * 32}, "plan_mismatch"),
        ({"at": ["https://elsewhere.example/"]}, None),
        ({"at": []}, "plan_invalid"),
        ({"at": ["x"] * 17}, "plan_invalid"),
        ({"at": ["x" * 4097]}, "plan_invalid"),
        ({"statements": "1"}, "plan_invalid"),
        ({"models": []}, "plan_invalid"),
        ({"path": "w.bin"}, "plan_invalid"),
        ({"blake3": "../w"}, "plan_invalid"),
    ],
    ids=str,
)
def test_the_list_of_weights(tmp_path: Path, change: Line, code: str | None) -> None:
    """All but the whereabouts, the producer's word, follows from the lines."""

    def edit(plan: Files) -> Files:
        found = json.loads(plan[WEIGHTS])
        found["weights"][0].update(change)
        return plan | {WEIGHTS: rfc8785.dumps(found)}

    rows, _ = sealed(tmp_path, edit)
    assert rows == ([(code, None, WEIGHTS)] if code else [])


def test_an_unknown_engine_is_listed(tmp_path: Path) -> None:
    s = Shop()
    s.witness("odd", replay={"engine": "acme/quantum"})
    prompt = build.payload(s.ledger.entries[s.at["odd"]])["body"]["data"]["prompt_hash"]
    s.planned("odd", "acme/quantum", needs="engine", request=prompt)
    report = verify(s, build.package(s.ledger, more=s.files()), tmp_path)
    assert found(report) == []
    notes = [(f["code"], f["index"]) for f in report.findings if f["severity"] == "note"]
    assert notes == [("engine_unknown", s.at["odd"])]
    assert (report.exit_code, report.status("replay")) == (0, "verified")


def test_a_call_goes_where_it_went(tmp_path: Path) -> None:
    """Protocol and path follow from the intent; the encoding of the answer from the outcome."""
    s = Shop()
    opening = {
        "run": 1, "writer": "t", "on_unknown": "ask", "environment": s.ref(replan.HERE, JSON),
        "frozen": [],
    }  # fmt: skip
    s.at["open"] = s.ledger.add("session_open", opening, session="run-1")
    outcome = s.call()
    told = [build.payload(s.ledger.entries[at])["body"] for at in (outcome - 1, outcome)]
    raw = {"request": told[0]["request"], "response": told[1]["response"]}
    s.witness("call", [outcome], raw=raw)
    path = "/openai/v1/chat/completions?api-version=7"
    s.planned("call", "openai", needs="endpoint", path=path, request=raw["request"],
              expected=replan.said(replan.answer()))  # fmt: skip
    outcome = s.call("https://api.example.org/v1/models")
    raw = s.raw(b'{"x":1}')
    s.witness("list", [outcome], raw=raw)
    s.reason("list", "not_recorded")
    files = build.package(s.ledger, kind="session", session="run-1", more=s.files())
    rows = found(verify(s, files, tmp_path))
    assert [row for row in rows if row[0].startswith("plan")] == []


def test_one_answer_read_by_two_protocols(tmp_path: Path) -> None:
    """What was found out of a content is kept for the protocol that it was read by."""
    s = Shop()
    body = replan.answer()
    response = s.ref(body, JSON)
    for name, member, path in (("chat", "messages", "chat/completions"),
                               ("text", "prompt", "completions")):  # fmt: skip
        raw = s.raw(f'{{"{member}":[]}}'.encode()) | {"response": response}
        s.witness(name, raw=raw)
        expected = replan.said(body) if name == "chat" else {}
        s.planned(name, "openai", needs="endpoint", path=f"/v1/{path}", request=raw["request"],
                  expected=expected)  # fmt: skip
    assert sealed(tmp_path, lambda plan: plan, s)[0] == []


def test_lines_of_records_that_are_missing(tmp_path: Path) -> None:
    """Where a file of the log is gone, lines of its witnesses are not called invented."""
    s = Shop()
    for n in range(300):
        s.witness(str(n), data={"prompt_hash": s.ref(b"p")})
        s.reason(str(n), "not_recorded")
    files = build.package(s.ledger, signed=False, more=s.files())
    for path in ("data/log/tile/entries/000", "data/log/tile/0/000"):
        del files[path]
    report = verify(s, build.bag(files), tmp_path)
    assert not [row for row in found(report) if row[0].startswith("plan")]
    assert report.counts["not_planned"] == 300
    text = "lines of the replay plan: statements or contents not valid (255)"
    assert text in report.not_checked


def test_a_line_without_end_takes_no_memory() -> None:
    """Of a line that is too long no more is kept than the longest line has."""

    class Endless:
        def stream(self, path: str) -> Iterator[bytes]:
            for _ in range(400):
                yield b"x" * (1 << 18)
            yield b"\n{}"

    report = Report("", "", "")
    tracemalloc.start()
    try:
        reader = PlanReader(Endless(), report)  # type: ignore[arg-type]
        assert reader.line() is None
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert report.finding_counts == {"plan_invalid": 2}


BASE: Line = {"operation": "chat", "model": {}, "capture": {"vantage": "manual"}}
TOOL: Line = {"tool_ids": ["f"], "tool_parameters": {}}
RAW: Line = {"request": {}}


@pytest.mark.parametrize(
    ("change", "names", "expected"),
    [
        ({}, "", None),
        ({"raw": {"response": {}}}, "", None),
        ({"raw": RAW}, "", None),
        ({"raw": RAW}, "messages", ("openai", "chat", "/v1/chat/completions")),
        ({"raw": RAW}, "messages prompt input", ("openai", "chat", "/v1/chat/completions")),
        ({"raw": RAW}, "prompt input", ("openai", "completions", "/v1/completions")),
        ({"raw": RAW}, "input", ("openai", "responses", "/v1/responses")),
        ({"raw": RAW, "operation": "embeddings"}, "input",
         ("openai", "embeddings", "/v1/embeddings")),
        ({"raw": RAW, "model": {"model_provider": "anthropic"}}, "messages",
         ("anthropic", "messages", "/v1/messages")),
        ({"raw": RAW, "replay": {"engine": "openai"}}, "messages",
         ("openai", "chat", "/v1/chat/completions")),
        ({"raw": RAW, "replay": {"engine": "anthropic"}}, "messages", None),
        ({"replay": {"engine": "openai"}}, "", None),
        ({"replay": {"engine": "embedded"}}, "", ("embedded", None, None)),
        ({"replay": {"engine": "archive"}}, "", ("archive", None, None)),
        ({"replay": {"engine": "step"}}, "", None),
        ({"replay": {"engine": "step"}, "tools": TOOL}, "", ("step", None, None)),
        ({"operation": "execute_tool", "tools": TOOL}, "", None),
        ({"operation": "execute_tool", "tools": TOOL, "capture": {"vantage": "hook"}}, "",
         ("step", None, None)),
        ({"operation": "execute_tool", "tools": TOOL | {"tool_ids": ["a", "b"]},
          "capture": {"vantage": "hook"}}, "", None),
        ({"operation": "execute_tool", "tools": {"tool_ids": ["a"]}, "raw": RAW,
          "capture": {"vantage": "hook"}}, "messages", ("openai", "chat", "/v1/chat/completions")),
    ],
)  # fmt: skip
def test_the_engine_of_a_witness(change: Line, names: str, expected: Any) -> None:
    """The first row that fits, by members where no intent is at hand."""
    way = way_of(BASE | change, None, lambda: names.split())
    assert (None if way is None else tuple(way)) == expected


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("POST", "https://a.example/v1/messages", ("anthropic", "messages", "/v1/messages")),
        ("POST", "https://a.example/x/chat/completions?k=1",
         ("openai", "chat", "/x/chat/completions?k=1")),
        ("POST", "https://a.example/completions", ("openai", "completions", "/completions")),
        ("POST", "https://a.example/v1/embeddings", ("openai", "embeddings", "/v1/embeddings")),
        ("POST", "https://a.example/v1/responses", ("openai", "responses", "/v1/responses")),
        ("GET", "https://a.example/v1/messages", None),
        ("POST", "https://a.example/v1/models?x=/messages", None),
        ("POST", "https://a.example/", None),
    ],
)  # fmt: skip
def test_the_engine_of_a_call(method: str, url: str, expected: Any) -> None:
    """By method and path of the intent, whatever the body has."""
    body = BASE | {"raw": RAW}
    way = way_of(body, {"method": method, "url": url}, lambda: ["messages"])
    assert (None if way is None else tuple(way)) == expected


def test_a_content_that_is_wrong_is_said_once(tmp_path: Path) -> None:
    """An altered request has its own finding; the line that takes it is not judged."""
    s = replan.shop()
    files = build.package(s.ledger, signed=False, more=s.files())
    ref = build.payload(s.ledger.entries[s.at["chat"]])["body"]["raw"]["request"]
    address = ref["blake3"].hex()
    files[f"data/content/{address[:2]}/{address}"] = b'{"messages":[],"seed":2}'
    report = verify(s, build.bag(files), tmp_path)
    assert [row[:2] for row in found(report)] == [("content_mismatch", s.at["chat"])]
    assert "lines of the replay plan: statements or contents not valid (1)" in report.not_checked


def test_a_withheld_package_says_that_contents_are_missing(tmp_path: Path) -> None:
    s = replan.shop()
    for index, line in list(s.lines.items()):
        if line.get("reason") != "not_recorded":
            s.lines[index] = {"reason": "content_missing"}
    more = {k: v for k, v in s.files().items() if k != ENVIRONMENT}
    report = verify(s, build.package(s.ledger, withheld=True, more=more), tmp_path)
    assert found(report) == []
    assert (report.counts["planned"], report.counts["not_planned"]) == (0, 10)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)  # fmt: skip


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.text(), st.integers(0, 2**53 - 1))
def test_a_line_is_written_in_the_canonical_form(parameters: Line, model: str, index: int) -> None:
    """Whatever parameters hold, a line is what another implementation of RFC 8785 makes of it."""
    line = {"model": model, "index": index, "parameters": parameters, "levels": ["archive"]}
    assert encoded(line) == rfc8785.dumps(line) + b"\n"


@given(st.binary(max_size=200) | st.builds(rfc8785.dumps, VALUES))
def test_whatever_a_line_is_it_is_refused_or_has_the_form(raw: bytes) -> None:
    for parse in (parse_line, parse_weights):
        with contextlib.suppress(BadValue):
            parse(raw + b"\n")
