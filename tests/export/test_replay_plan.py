"""The replay plan of a package, as somebody reads it who has only specs/13 section 9."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from ledger import ContentError, Ledger
from ledger.errors import ExportError
from ledger.export import ExportResult, export
from ledger.export.replay_pages import requirements_txt
from ledger.formats.content import ContentRef
from ledger.reader import Reader
from tests.export.lab import Lab, read_package
from tests.replay.planned import SEEN, WEIGHTS, WHERE, erase, tell
from tests.session.lab import NAME

Lines = dict[int, dict[str, Any]]
HTTP = {
    "chat": ("openai", "/v1/chat/completions"),
    "by body": ("openai", "/v1/chat/completions"),
    "completions": ("openai", "/v1/completions"),
    "embeddings": ("openai", "/v1/embeddings"),
    "responses": ("openai", "/v1/responses"),
    "messages": ("anthropic", "/v1/messages"),
}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "salted"])
def story(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ledger, dict[str, int]]]:
    """A ledger with operations of every kind, and their indices by name."""
    lab = Lab(tmp_path_factory.mktemp("story"), salted=request.param)
    with lab.open() as log:
        yield log, tell(log)


def plan(made: ExportResult) -> Lines:
    """The lines of a plan by index, each found to be in the form of RFC 8785."""
    data = read_package(made.path)["data/replay/plan.jsonl"]
    lines = [json.loads(line) for line in data.splitlines()]
    assert data == b"".join(rfc8785.dumps(line) + b"\n" for line in lines)
    assert [line["index"] for line in lines] == sorted(line["index"] for line in lines)
    return {line["index"]: line for line in lines}


def test_every_witness_has_a_line_that_follows_from_it(
    story: tuple[Ledger, dict[str, int]], tmp_path: Path
) -> None:
    """Ids and digests of the record, engine and need by the table, paths of the protocol."""
    log, at = story
    made = export(log, tmp_path / "p", replay=True)
    lines = plan(made)
    assert set(lines) == set(at.values())
    for index, line in lines.items():
        entry = log.get(index)
        assert (line["id"], line["leaf_hash"]) == (entry.id, entry.leaf_hash.hex())
        assert line["model"] == entry.payload.body["model"]["model_id"]
        assert line["operation"] == entry.payload.body["operation"]
    for name, (engine, path) in HTTP.items():
        line = lines[at[name]]
        assert (line["engine"], line["path"], line["needs"]) == (engine, path, "endpoint")
        request = log.get(at[name]).payload.body["raw"]["request"]
        assert line["request"]["blake3"] == request["blake3"].hex()
    others = {name: lines[at[name]] for name in ("local", "gguf", "embedded", "mine", "failed")}
    needs = {name: (line["engine"], line["needs"]) for name, line in others.items()}
    assert needs == {
        "local": ("transformers", "weights"),
        "gguf": ("llama-cpp", "weights"),
        "embedded": ("embedded", "engine"),
        "mine": ("my-engine", "weights"),
        "failed": ("my-engine", "engine"),
    }
    step = lines[at["step"]]
    assert (step["engine"], step["needs"], step["tool"]) == ("step", "function", "add")
    tools = log.get(at["step"]).payload.body["tools"]
    assert step["request"]["sha256"] == tools["tool_parameters"]["sha256"].hex()
    for name in ("nothing", "not json", "other engine"):
        assert lines[at[name]]["reason"] == "not_recorded"
        assert set(lines[at[name]]) == {"index", "id", "leaf_hash", "model", "operation", "reason"}
    assert (made.replay and made.replay.planned, made.replay and made.replay.not_planned) == (15, 3)


def test_expected_digests_are_those_of_what_was_observed(
    story: tuple[Ledger, dict[str, int]], tmp_path: Path
) -> None:
    """Arrays in the form of RFC 8785, the environment's bytes, the output as it is archived."""
    log, at = story
    lines = plan(export(log, tmp_path / "p", replay=True))

    def digest(value: Any) -> str:
        return sha256(rfc8785.dumps(value)).hexdigest()

    line = lines[at["local"]]
    assert line["levels"] == ["archive", "text", "tokens", "logprobs", "bits"]
    output = log.get(at["local"]).payload.body["output"]["output_hash"]
    assert SEEN.raw
    assert line["expected"] == {
        "text": {
            "sha256": output["sha256"].hex(),
            "size_bytes": output["size_bytes"],
            "media_type": output["media_type"],
        },
        "tokens": {"count": 2, "kind": "ids", "sha256": digest([7, 9])},
        "logprobs": {"count": 2, "sha256": digest([-0.5, -1.25])},
        "bits": {"environment": digest(WHERE), "raw": SEEN.raw.sha256.hex()},
    }
    # an integer that JSON cannot say takes the whole field with it
    assert line["parameters"] == {"replay_seed": 3, "temperature": 0.5}
    tokens = lines[at["gguf"]]["expected"]["tokens"]
    assert tokens == {"count": 2, "kind": "texts", "sha256": digest(["a", "b"])}
    assert "parameters" not in lines[at["gguf"]]
    chat = lines[at["tokens"]]
    assert chat["expected"]["tokens"]["sha256"] == digest(["4", "2"])
    assert chat["expected"]["logprobs"]["sha256"] == digest([-0.25, -0.5])
    fingerprint = {"model": "demo-1", "system_fingerprint": "fp"}
    assert chat["expected"]["bits"]["environment"] == digest(fingerprint)
    raw = json.loads(log.content(log.get(at["tokens"]).payload.body["raw"]["response"]))
    del raw["id"]
    assert chat["expected"]["bits"]["raw"] == digest(raw)
    assert lines[at["embedded"]]["levels"] == ["archive", "text", "tokens", "logprobs"]
    assert lines[at["stream"]]["levels"] == ["archive", "text"]
    assert (lines[at["failed"]]["levels"], lines[at["failed"]]["expected"]) == (["archive"], {})


def test_only_what_the_selection_has_is_at_hand(
    story: tuple[Ledger, dict[str, int]], tmp_path: Path
) -> None:
    """A session has its witnesses; a range without the intent tells the protocol by the body."""
    log, at = story
    session = plan(export(log, tmp_path / "s", session=NAME, replay=True))
    assert set(session) == {at["chat"], at["tokens"], at["stream"]}
    whole = plan(export(log, tmp_path / "w.zip", replay=True))
    assert session[at["chat"]] == whole[at["chat"]]
    start = at["stream"]
    part = plan(export(log, tmp_path / "r", start=start, end=start + 1, replay=True))
    assert set(part) == {start}
    assert part[start] == whole[start]  # by its body, the path is the same here
    none = export(log, tmp_path / "n", start=0, end=1, replay=True)
    assert read_package(none.path)["data/replay/plan.jsonl"] == b""
    assert none.replay
    assert (none.replay.planned, none.replay.not_planned) == (0, 0)
    assert none.replay.files == ("data/replay/plan.jsonl",)
    assert "Nothing: every operation has a plan" in (none.path / "REPLAY.md").read_text()


def test_a_session_does_not_lean_on_another_one(lab: Lab, tmp_path: Path) -> None:
    """A call of another session is not at hand: then the body decides."""
    with lab.open() as log:
        at = tell(log)
        outcome = log.get(at["chat"]).payload.parents[0]
        request = {"input": "q"}
        with lab.open(session="third") as third:
            index = third.record(
                model="m", prompt="p", request=request, parents=[log.by_id(outcome.id)]
            ).index
        whole = plan(export(log, tmp_path / "w", replay=True))
        part = plan(export(log, tmp_path / "s", session="third", replay=True))
    assert whole[index]["path"] == "/v1/chat/completions"
    assert part[index]["path"] == "/v1/responses"


def test_erased_contents_are_missing(lab: Lab, tmp_path: Path) -> None:
    """Request, output, observation, environment or response: what a comparison needs."""
    with lab.open() as log:
        at = tell(log)
        erase(log, at["chat"], "raw", "request")
        erase(log, at["local"], "replay", "observation")
        erase(log, at["gguf"], "output", "output_hash")
        erase(log, at["mine"], "data", "prompt_hash")
        erase(log, at["step"], "data", "prompt_hash")  # which a step does not need
        erase(log, at["by body"], "raw", "response")
        made = export(log, tmp_path / "p", replay=True)
        lines = plan(made)
    missing = {index for index, line in lines.items() if line.get("reason") == "content_missing"}
    # all calls of other protocols share no bytes with these; `tokens` and others are untouched
    assert missing >= {at[name] for name in ("chat", "local", "gguf", "mine")}
    assert at["step"] not in missing
    page = (made.path / "REPLAY.md").read_text()
    assert f"#{at['chat']}" in page
    assert made.replay
    assert made.replay.by_reason["content_missing"] == len(missing)


def test_weights_say_where_they_are(story: tuple[Ledger, dict[str, int]], tmp_path: Path) -> None:
    """By digest first, then by model; canonical; only of lines that are planned."""
    log, _ = story
    at = {"m": ["https://example.org/m"], WEIGHTS.hex(): ["the shelf", "https://example.org/m"]}
    made = export(log, tmp_path / "p", replay=True, weights_at=at)
    data = read_package(made.path)["data/replay/weights.json"]
    assert data == rfc8785.dumps(
        {
            "weights": [
                {
                    "at": ["the shelf", "https://example.org/m"],
                    "blake3": WEIGHTS.hex(),
                    "models": ["another", "m"],
                    "statements": 2,
                }
            ]
        }
    )
    page = (made.path / "REPLAY.md").read_text()
    assert "at `the shelf`" in page
    with pytest.raises(ExportError, match="no line of the plan is of weights unknown") as caught:
        export(log, tmp_path / "q", replay=True, weights_at={"unknown": ["x"]})
    assert caught.value.code == "weights_unknown"
    for bad in ({"m": ["x" * 4097]}, {"m": []}, {"m": [str(n) for n in range(17)]}, {"m": [""]}):
        with pytest.raises(ValueError, match="weights"):
            export(log, tmp_path / "q", replay=True, weights_at=bad)
    with pytest.raises(ValueError, match="for a package with replay"):
        export(log, tmp_path / "q", weights_at={"m": ["x"]})
    assert not (tmp_path / "q").exists()


def test_withheld_contents_make_no_replay(
    story: tuple[Ledger, dict[str, int]], tmp_path: Path
) -> None:
    """It is refused before anything is written or recorded."""
    log, _ = story
    size = len(log)
    with pytest.raises(ExportError) as caught:
        export(log, tmp_path / "p", contents="withheld", replay=True)
    assert caught.value.code == "replay_withheld"
    assert len(log) == size
    assert not (tmp_path / "p").exists()


def test_the_environment_is_that_of_the_newest_run(lab: Lab, tmp_path: Path) -> None:
    """Its bytes, and its packages for pip; neither when it was erased."""
    with lab.open() as log:
        tell(log)
        files = read_package(export(log, tmp_path / "p", replay=True).path)
        *_, newest = log.find(type="session_open")
        environment = log.content(newest.payload.body["environment"])
        assert files["data/replay/environment.json"] == environment
        listed = files["data/replay/requirements.txt"].decode().splitlines()
        packages = json.loads(environment)["packages"]
        assert f"pydantic=={packages['pydantic']}" in listed
        erase(log, newest.index, "environment")
        files = read_package(export(log, tmp_path / "q", replay=True).path)
    assert not {"data/replay/environment.json", "data/replay/requirements.txt"} & set(files)


def test_requirements_are_names_and_versions_and_nothing_else() -> None:
    """What could tell pip to do something else is left out, and so is what is no environment."""
    packages = {
        "good": "1.0",
        "also-good": "2026.1.post1",
        "local": "1.0+abc",
        "--index-url": "1",
        "x": "1\n-e .",
        "y; print": "1",
        "z": 3,
        "é": "1",
    }
    lines = requirements_txt(json.dumps({"packages": packages}).encode()).decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "also-good==2026.1.post1",
        "good==1.0",
    ]
    assert "6 without" in lines[-3]
    for odd in (b"x", b"[]", b"{}", b'{"packages": []}'):
        assert all(one.startswith("#") for one in requirements_txt(odd).decode().splitlines())


def test_everything_is_sealed_and_listed(
    story: tuple[Ledger, dict[str, int]], tmp_path: Path
) -> None:
    """The plan in manifest and seal, REPLAY.md in tag manifest and seal, both in the README."""
    log, _ = story
    files = read_package(export(log, tmp_path / "p.zip", replay=True).path)
    replay = {path for path in files if path.startswith("data/replay/")}
    assert {path.rpartition("/")[2] for path in replay} == {
        "plan.jsonl",
        "weights.json",
        "environment.json",
        "requirements.txt",
    }
    lists = {
        name: {line[66:] for line in files[f"{name}-sha256.txt"].decode().splitlines()}
        for name in ("manifest", "tagmanifest", "seal")
    }
    assert replay <= lists["manifest"]
    assert replay | {"REPLAY.md"} <= lists["seal"]
    assert "REPLAY.md" in lists["tagmanifest"]
    assert b"how 15 of 18 operations can be run again" in files["README.md"]
    assert b"15 of 18 operations can be run again" in files["data/summary.html"]
    plain = read_package(export(log, tmp_path / "q").path)
    assert b"REPLAY" not in plain["README.md"] + plain["data/summary.html"]
    assert "REPLAY.md" not in plain


def test_the_page_gives_the_commands(story: tuple[Ledger, dict[str, int]], tmp_path: Path) -> None:
    """What a reviewer types, what each level means, and what cannot be run again and why."""
    log, at = story
    page = (export(log, tmp_path / "p", replay=True).path / "REPLAY.md").read_text()
    for said in (
        "vif-verify PACKAGE --trust",
        "--replay-endpoint http://127.0.0.1:8000/v1",
        "vif init review.vif --origin",
        "vif replay review.vif --package PACKAGE --endpoint http://127.0.0.1:8000/v1 "
        "--weights PATH --step NAME=module:function",
        "vif export review.vif review.zip",
        "vif attach PACKAGE review.zip",
        "--beside review.zip",
        f"#{at['nothing']}, #{at['not json']}, #{at['other engine']}",
        f"`{WEIGHTS.hex()}`, of 2 operations with `another`, `m`",
        log.genesis.hex(),
        *(f"| `{level}` |" for level in ("archive", "text", "tokens", "logprobs", "bits")),
    ):
        assert said in page, said
    calls = (export(log, tmp_path / "q", session=NAME, replay=True).path / "REPLAY.md").read_text()
    assert "--package PACKAGE --endpoint http://127.0.0.1:8000/v1\n" in calls


def test_content_that_went_meanwhile_ends_the_export(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the package, so that a plan that lacks it would not follow."""
    with lab.open() as log:
        tell(log)

        def gone(self: Reader, ref: ContentRef) -> bytes:
            raise ContentError("content_erased", "gone")

        monkeypatch.setattr(Reader, "content", gone)
        with pytest.raises(ExportError, match="there a moment ago"):
            export(log, tmp_path / "p", replay=True)
    assert not (tmp_path / "p").exists()


def test_unsigned_packages_are_the_same_bytes(
    story: tuple[Ledger, dict[str, int]], tmp_path: Path
) -> None:
    """Without a key the same log gives the same plan."""
    log, _ = story
    one, two = (export(log, tmp_path / name, replay=True, unsigned=True) for name in "pq")
    assert read_package(one.path) == read_package(two.path)
