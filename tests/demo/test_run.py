"""`vif demo` as its user sees it: a whole experiment, and nothing left to take on trust."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import ledger
from ledger.cli.app import run
from ledger.demo import corpus, forge
from ledger.demo.model import DemoModel
from ledger.demo.plan import agreement, rounds
from ledger.demo.run import new_folder
from ledger.demo.server import ModelServer
from ledger.errors import LedgerError

ROOT = Path(__file__).resolve().parents[2]
PROSE = """# Notes

A ledger keeps statements in the order in which they were written, and each names the one before.

| a table | is not prose |

- A proof of inclusion needs only a few hashes, and whoever keeps the root can check it at any time.
"""


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test in its own folder, away from keys and services of whoever runs it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("VIF_KEYS", raising=False)
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line as a shell would, with `vif` and `vif-verify` of this checkout."""
    words = shlex.split(line.replace("\\\n", " "))
    module = {"vif": "ledger.cli", "vif-verify": "verifier"}.get(words[0])
    command = [sys.executable, "-m", module, *words[1:]] if module else words
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_whole_demo(tmp_path: Path) -> None:
    """It ends with 0, shows VERIFIED and the forged record, and its three commands work."""
    ran = shell("vif demo --keep")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    said = ran.stdout
    assert "VERIFIED  vif.example/demo" in said
    assert "recorded    30 answers\n" in said
    assert "provider    counts 31 calls: one answer found nobody" in said
    assert "reused      30 recorded answers, without asking again" in said
    assert "recorded    60 answers, 20 annotations, 160 links to parents" in said
    assert "provider    counts 61 calls = 60 answers + 1 unknown" in said
    index = re.search(r"record +#(\d+) ", said)
    assert index is not None
    refusals = re.findall(r"FAILED +record #(\d+): (.*)", said)
    assert [record for record, _ in refusals] == [index[1]] * 2
    assert all("signature_invalid" in codes for _, codes in refusals)
    assert said.count("file_mismatch") == 1, "the second forger made the manifests fit"
    assert sorted(path.name for path in (tmp_path / "vif-demo").iterdir()) == [
        *("covered-up", "determinism.html", "experiment.md", "forged", "head.txt", "keys"),
        *("package", "review", "review-keys", "review-trust.json", "review.vif"),
        *("runs.vif", "texts", "trust.json"),
    ]
    assert "bits        the same in 180 of 180" in said
    assert re.search(r"reproduced by key [0-9a-f]{64} \(reviewer\), .*: 180 of 180, 60 witn", said)
    assert "180 runs of 60 operations" in Path("vif-demo/determinism.html").read_text()
    assert not (tmp_path / "home").exists(), "nothing of the user's own is touched"
    tried = said[said.index("Try next") :].split("\n", 1)[1].strip()
    commands = re.split(r"\n  (?=\S)", tried)
    assert len(commands) == 5
    for command in commands:
        tried_out = shell(command)
        assert tried_out.returncode == 0, (command, tried_out.stderr)
        assert tried_out.stdout
    pins = ["--trust", "vif-demo/trust.json", "--known-head", "vif-demo/head.txt"]
    assert shell(shlex.join(["vif-verify", "vif-demo/covered-up", *pins])).returncode == 1


def test_what_is_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers come from log-probabilities, bytes from the wire, parents from earlier answers."""
    Path("notes.md").write_text(PROSE)
    Path("more.md").write_text(PROSE.replace("ledger", "log"))
    code = run(["demo", "notes.md", "more.md", "--calls", "9", "--dir", "my demo", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (code, said["calls"], said["verified"]) == (0, 9, True)
    assert [forgery["exit_code"] for forgery in said["forgeries"]] == [1, 1]
    assert sorted(path.name for path in Path("my demo").iterdir()) == [
        *("determinism.html", "experiment.md", "head.txt", "keys", "package", "review"),
        *("review-keys", "review-trust.json", "review.vif", "runs.vif", "texts", "trust.json"),
    ]
    assert (said["paid"], said["unknown"], said["reused"], said["runs"]) == (10, 1, 4, 2)
    assert (said["review"]["runs"], said["review"]["reproduced"]) == (27, 27)
    with ledger.open(said["ledger"], read_only=True) as log:
        witnesses = list(log.find(type="witness"))
        assert {len(entry.payload.parents) for entry in witnesses} == {1, 3}
        for entry in witnesses:
            body = entry.payload.body
            assert body["uncertainty"]["confidence_method"] == "logprobs"
            assert 0 < body["uncertainty"]["confidence_score"] <= 1
            assert body["uncertainty"]["entropy"] > 0
            assert body["uncertainty"]["top_k_probs"]
            assert body["capture"]["vantage"] == "transport"
            request = json.loads(log.content(ledger.ContentRef(**body["raw"]["request"])))
            assert request["seed"] == body["replay"]["replay_seed"]
            answer = json.loads(log.content(ledger.ContentRef(**body["raw"]["response"])))
            assert body["cost"]["price_table"] == "demo prices"
            text = answer["choices"][0]["message"]["content"].encode()
            assert log.content(ledger.ContentRef(**body["output"]["output_hash"])) == text
        assert {
            atom.partition("#")[0]
            for entry in witnesses
            for atom in entry.payload.body["data"]["context_atom_ids"]
        } == {"notes.md", "more.md"}
        assert len(list(log.find(type="annotation"))) == 3


def test_another_service_can_be_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPENAI_BASE_URL is asked for its first model; its credentials are not recorded."""
    Path("notes.md").write_text(PROSE)
    with ModelServer(DemoModel.estimate(PROSE, name="named-elsewhere")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url.replace("//", "//user:s3cret@"))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
        assert run(["demo", "notes.md", "--calls", "3"]) == 0
        assert server.calls == 3
    printed = capsys.readouterr()
    assert "named-elsewhere on 127.0.0.1" in printed.out
    files = [path for path in Path("vif-demo").rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in files)
    for secret in ("s3cret", "sk-very-secret"):
        assert secret not in printed.out + printed.err
        assert secret.encode() not in everything


def test_a_key_alone_spends_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPENAI_API_KEY is set in many shells; without OPENAI_MODEL the embedded model is asked."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    Path("notes.md").write_text(PROSE)
    assert run(["demo", "notes.md", "--calls", "3"]) == 0
    assert "vif-demo-ngram on http://127.0.0.1" in capsys.readouterr().out


def test_an_unreachable_service_is_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that does not answer is named, and no folder is left behind."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert run(["demo"]) == 2
    assert "error[demo_service]: 127.0.0.1" in capsys.readouterr().err
    assert not Path("vif-demo").exists()


def test_without_the_sdk_it_says_what_to_install() -> None:
    """The openai package is an extra; without it the command for getting it is printed."""
    program = "import sys; sys.modules['openai'] = None; from ledger.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", program, "demo"], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 2
    assert "error[demo_needs_openai]" in ran.stderr
    assert "pip install 'vif-ledger[demo]'" in ran.stderr
    assert not Path("vif-demo").exists()


def test_existing_folders_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """A second run takes the next free name; a folder that was named must be new or empty."""
    Path("vif-demo").mkdir()
    Path("vif-demo-2").symlink_to("nowhere")
    assert new_folder(Path()) == Path("vif-demo-3")
    Path("mine").mkdir()
    (Path("mine") / "file").touch()
    assert run(["demo", "--dir", "mine"]) == 2
    assert "mine exists" in capsys.readouterr().err


def test_a_demo_that_goes_wrong_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a forgery were not found out, the exit code is 1 and the finding is printed."""
    Path("notes.md").write_text(PROSE)
    monkeypatch.setattr("ledger.demo.run.flip_bit", lambda *_: forge.Flip("x", 0, 0, 1))
    assert run(["demo", "notes.md", "--calls", "3"]) == 1
    assert "error[demo_failed]" in capsys.readouterr().err


def test_there_is_always_a_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From a checkout the specification pages; from a wheel the package's own docstrings."""
    pages = [source.name for source in corpus.default_sources()]
    assert "04-log.md" in pages
    package = tmp_path / "site-packages" / "ledger"
    package.parent.mkdir()
    package.symlink_to(ROOT / "ledger")
    monkeypatch.setattr(corpus, "_PACKAGE", package)
    shipped = corpus.default_sources()
    assert "formats.merkle" in [source.name for source in shipped]
    assert sum(len(source.passages) for source in shipped) > 20


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"# only\n\n| tables |\n", b"short."])
def test_a_file_without_prose_is_refused(content: bytes) -> None:
    """A file that is not text, or has no paragraph, is named."""
    Path("x.md").write_bytes(content)
    with pytest.raises(LedgerError, match=r"x\.md"):
        corpus.read_sources([Path("x.md")])


def test_prose_is_what_a_person_would_read() -> None:
    """Headings, tables, code, comments, link targets and emphasis go; list entries stay apart."""
    text = (
        "# T\n\nSee [the **page**](x.md), `code`\nand more.\n\n- one\n- *two*\n\n"
        "```\nx = 1\n```\n<!-- no -->\n    indented\n| t |\nsnake_case_name stays"
    )
    assert corpus.prose(text) == "\n\n".join(
        ["See the page, code and more.", "one", "two", "snake_case_name stays"]
    )


def test_rounds_go_over_all_files_in_turn() -> None:
    """As many rounds as calls allow, one file after the other, one passage after the other."""
    Path("a.md").write_text(PROSE)
    Path("b.md").write_text(PROSE)
    sources = corpus.read_sources([Path("a.md"), Path("b.md")])
    atoms = [turn.atom for turn in rounds(sources, 17)]
    assert atoms == ["a.md#1", "b.md#1", "a.md#2", "b.md#2", "a.md#1"]
    assert len(list(rounds(sources, 1))) == 1


def test_agreement_is_of_words() -> None:
    """The same words agree fully whatever their order, none in common not at all."""
    assert agreement("a b", "B a!") == 1
    assert agreement("a b", "c") == 0
    assert agreement("", "") == 1
    assert agreement("a b", "b c") == pytest.approx(1 / 3)
