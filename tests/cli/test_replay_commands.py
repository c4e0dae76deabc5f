"""Running operations again from the command line, and what a reviewer does with a package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ledger
from tests.cli.world import Vif
from tests.helpers.provider import Provider, provider
from tests.session.lab import Prices
from verifier.cli import main as verify

__all__ = ["provider"]

KEY = "sk-test-0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def asked(tmp_path: Path, provider: Provider) -> Path:
    """A ledger with a session of two calls and a step."""
    openai = pytest.importorskip("openai")
    provider.control(repeatable=True)
    path = tmp_path / "runs.vif"
    ledger.init(path, origin="example.org/lab", keys=tmp_path / "keys", name="lab")
    with (
        ledger.open(path, keys=tmp_path / "keys") as log,
        log.session("pilot", prices=Prices()) as run,
        run.http_client() as http_client,
        openai.OpenAI(
            base_url=provider.base_url, api_key=KEY, http_client=http_client, max_retries=0
        ) as client,
    ):
        for question in ("Why?", "Why not?"):
            messages: Any = [{"role": "user", "content": question}]
            client.chat.completions.create(model="demo", messages=messages, seed=1, logprobs=True)
        run.step(loud)("raven")
    return path


def loud(text: str) -> str:
    return text.upper()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_session_is_replayed(vif: Vif, asked: Path, provider: Provider) -> None:
    step = f"{loud.__qualname__}=tests.cli.test_replay_commands:loud"
    ran = vif(
        "replay", asked, "--session", "pilot", "--endpoint", provider.base_url, "--step", step
    )
    assert ran.code == 0, ran.err
    assert "3 of 3 runs reproduced at text" in ran.out
    ran = vif("log", asked, "--type", "replay")
    assert "openai  reached bits" in ran.out
    assert "step  reached text" in ran.out
    assert "1 time, level reached: bits 1" in vif("show", asked, "4").out


def test_what_is_not_at_hand_is_said_with_exit_code_1(vif: Vif, asked: Path) -> None:
    ran = vif("replay", asked, "--session", "pilot", "--json")
    assert ran.code == 1
    assert [line["reason"] for line in lines(ran.out)] == ["model_unavailable"] * 3


def test_a_dry_run_records_nothing(vif: Vif, asked: Path, provider: Provider) -> None:
    before = json.loads(vif("head", asked, "--json").out)["size"]
    ran = vif("replay", asked, "4", "--endpoint", provider.base_url, "--no-record", "--json")
    (line,) = lines(ran.out)
    assert (ran.code, line["level"], line["recorded"]) == (0, "bits", None)
    assert json.loads(vif("head", asked, "--json").out)["size"] == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say what to replay"),
        (["4", "--session", "pilot"], "--session is all of a session"),
        (["4", "--level", "perfect"], "is no level"),
        (["4", "--step", "loud"], "not of the form NAME=VALUE"),
        (["4", "--step", "loud=nowhere"], "not of the form MODULE:FUNCTION"),
        (["4", "--step", "loud=nowhere_at_all:f"], "--step"),
        (["4", "--step", "loud=json:__name__"], "is no function"),
        (["4", "--weights", "nowhere"], "no weights at nowhere"),
        (["9999"], "not_found"),
    ],
)
def test_a_wrong_call_is_refused(vif: Vif, asked: Path, arguments: list[str], said: str) -> None:
    ran = vif("replay", asked, *arguments)
    assert ran.code == 2
    assert said in ran.err


def test_a_reviewer_replays_from_the_package_and_hands_it_back(
    vif: Vif,
    asked: Path,
    provider: Provider,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The whole way: export, verify, replay into a ledger of one's own, attach, verify together."""
    made = json.loads(vif("export", asked, "package", "--replay", "--json").out)
    pins = ["--trust", made["genesis"], "--known-head", made["known_head"]]
    assert verify(["package", *pins, "--quiet"]) == 0
    review = json.loads(vif("init", "review.vif", "--origin", "example.org/review", "--json").out)
    step = f"{loud.__qualname__}=tests.cli.test_replay_commands:loud"
    common = ["--package", "package", "--step", step]
    ran = vif("replay", "review.vif", *common, "--endpoint", provider.base_url, "--json")
    assert [line["success"] for line in lines(ran.out)] == [True] * 3
    assert vif("export", "review.vif", "review.zip").code == 0
    assert vif("attach", "package", "review.zip").code == 0
    capsys.readouterr()
    code = verify(["package", *pins, "--trust", review["genesis"], "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0, report["findings"]
    (evidence,) = report["replays"]
    assert evidence["genesis"] == review["genesis"]
    assert not evidence["own"]
    assert (evidence["replays"], evidence["reproduced"], evidence["witnesses"]) == (3, 3, 3)
    assert evidence["level"] == "text"


def test_the_verifier_asks_the_endpoint_itself(
    vif: Vif, asked: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says per witness what came: first the same, then, after a change, something else."""
    made = json.loads(vif("export", asked, "package", "--replay", "--json").out)
    pins = ["--trust", made["genesis"], "--known-head", made["known_head"]]
    asking = [*pins, "--replay-endpoint", provider.base_url, "--replay-level", "bits", "--json"]
    capsys.readouterr()
    assert verify(["package", *asking]) == 0
    run = json.loads(capsys.readouterr().out)["replay_run"]
    assert (run["asked"], run["reproduced"]) == (2, 2)
    provider.control(fingerprint="fp_changed")
    assert verify(["package", *asking]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["finding_counts"]["not_reproduced"] == 2
    assert report["replay_run"]["runs"][0]["reason"] == "environment_differs"


def test_an_edited_plan_is_refused_by_both(vif: Vif, asked: Path) -> None:
    """In a package without seal, where nothing but the log says what the plan has to be."""
    assert vif("export", asked, "package", "--replay", "--unsigned").code == 0
    plan = Path("package/data/replay/plan.jsonl")
    plan.write_bytes(plan.read_bytes().replace(b'"replay_seed":1', b'"replay_seed":2', 1))
    vif("init", "review.vif", "--origin", "example.org/review")
    ran = vif("replay", "review.vif", "--package", "package")
    assert ran.code == 2
    assert "package_invalid" in ran.err
    assert verify(["package", "--quiet"]) == 1
