"""`vif session` and `vif proxy`: from the command line to what is in the log."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

import ledger
from ledger.capture.exchange import Request, Response
from tests.cli.test_help_pages import COMMANDS, examples
from tests.cli.world import FORBIDDEN, ROOT, Vif, vif_command
from tests.helpers.provider import Provider, provider

__all__ = ["provider"]

Process = Callable[..., subprocess.CompletedProcess[bytes]]

PROGRAM = """
import os, signal, sys
import openai

client = openai.OpenAI(api_key="sk-test-key", max_retries=0)
for number in range(6):
    answer = client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": f"question {number}"}],
        stream=number % 2 == 1,
    )
    if number % 2:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
    else:
        text = answer.choices[0].message.content
    print(text, flush=True)
    if sys.argv[1:] == [str(number)]:
        os.kill(os.getpid(), signal.SIGKILL)
"""
"""Uses the SDK and the environment alone; dies by SIGKILL after the call that is named."""


@pytest.fixture
def runs(vif: Vif) -> Path:
    """An empty ledger, and the program."""
    assert vif("init", "runs.vif", "--origin", "example.org/lab", "--name", "lab-1").code == 0
    Path("program.py").write_text(PROGRAM)
    Path("plan.md").write_text("ask six questions\n")
    return Path("runs.vif")


@pytest.fixture
def told(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The provider as the environment names it."""
    monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
    return provider


def experiment(*arguments: object) -> list[object]:
    """`vif session run` of the program."""
    before = [one for one in arguments if str(one).startswith("--")]
    after = [one for one in arguments if one not in before]
    command = [sys.executable, "program.py", *after]
    return [
        "session",
        "run",
        "runs.vif",
        "mva/e2",
        "--experiment",
        "plan.md",
        *before,
        "--",
        *command,
    ]


def test_a_killed_program_is_run_again_and_pays_nothing_twice(
    runs: Path, told: Provider, process: Process, vif: Vif
) -> None:
    """The same line again: recorded answers are given again, the others are asked for."""
    killed = process(*experiment(3))
    assert killed.returncode == 128 + signal.SIGKILL, killed.stderr
    assert b"interrupted: 4 answered" in killed.stderr
    assert told.paid() == 4
    again = process(*experiment("--json"))
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(killed.stdout)
    assert len(again.stdout.splitlines()) == 6
    assert told.paid() == 6
    assert set(told.paid_by_digest().values()) == {1}
    assert json.loads(again.stderr) == {
        "session": "mva/e2",
        "run": 2,
        "status": "complete",
        "answered": 2,
        "failed": 0,
        "unknown": 0,
        "reused": 4,
        "spent_usd": 0.0,
        "unpriced": 6,
        "saved_usd": 0.0,
        "exit_code": 0,
    }
    shown = vif("session", "show", runs, "mva/e2", "--json").json
    assert [(run["status"], run["reason"]) for run in shown["runs"]] == [
        ("interrupted", "ended by SIGKILL"),
        ("complete", None),
    ]
    third = process(*experiment())
    assert third.stdout == again.stdout
    assert told.paid() == 6


@pytest.mark.parametrize("fault", ["stall", "stall_midway"])
def test_an_answer_outlives_the_program_that_asked(
    runs: Path, told: Provider, process: Process, vif: Vif, fault: str
) -> None:
    """Killed in the middle of a call, the program finds its whole answer when it is run again."""
    number = 0 if fault == "stall" else 1
    told.faults(*["ok"] * number, fault)
    Path("program.py").write_text("import os; print(os.getpid(), flush=True)\n" + PROGRAM)
    with subprocess.Popen(
        vif_command(*experiment()), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        program = int(running.stdout.readline())
        told.until_paid(number + 1)
        told.until_waiting()
        os.kill(program, signal.SIGKILL)
        assert running.stderr is not None
        waiting = running.stderr.readline()
        told.advance()
        running.communicate(timeout=60)
    assert b"waiting for 1 answer" in waiting
    assert running.returncode == 128 + signal.SIGKILL
    calls = vif("session", "calls", runs, "mva/e2", "--json").lines
    assert [call["status"] for call in calls] == ["answered"] * (number + 1)
    assert process(*experiment()).returncode == 0
    assert told.paid() == 6
    assert set(told.paid_by_digest().values()) == {1}


def test_a_killed_session_is_found_killed(runs: Path, told: Provider, vif: Vif) -> None:
    """With the proxy killed as well, the call under way is unknown, and is listed."""
    told.faults("ok", "ok", "stall")
    with subprocess.Popen(
        vif_command(*experiment()),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        told.until_paid(3)
        os.killpg(running.pid, signal.SIGKILL)
    listed = vif("session", "list", runs, "--json").lines
    assert [(one["name"], one["runs"], one["status"]) for one in listed] == [
        ("mva/e2", 1, "killed")
    ]
    (call,) = vif("session", "calls", runs, "mva/e2", "--status", "open", "--json").lines
    assert (call["status"], call["model"]) == ("open", "demo")
    told.control(faults=[])
    asked = subprocess.run(vif_command(*experiment()), capture_output=True, timeout=60)
    assert asked.returncode == 1
    assert b"outcome_unknown" in asked.stderr
    assert b"the run before was killed" in asked.stderr
    assert told.paid() == 3
    (call,) = vif("session", "calls", runs, "mva/e2", "--status", "unknown", "--json").lines
    assert call["reason"] == "killed"
    shown = vif("session", "show", runs, "mva/e2").out
    assert "may have been paid, without an answer" in shown
    assert f"#{call['index']}" in shown
    done = subprocess.run(
        vif_command(*experiment("--on-unknown=retry")), capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert told.paid() == 7
    assert vif("session", "calls", runs, "mva/e2", "--status", "unknown").out == ""


def test_the_command_decides_the_exit_code(runs: Path, told: Provider, process: Process) -> None:
    """Its code is passed on, its output is all of standard output, its input is ours."""
    script = "import sys; print(sys.stdin.read().upper()); sys.exit(7)"
    ran = process(
        *("session", "run", runs, "pilot", "--", sys.executable, "-c", script, "--json"),
        stdin=b"abc",
    )
    assert (ran.returncode, ran.stdout) == (7, b"ABC\n")
    assert b"exit code 7" in ran.stderr
    assert b"interrupted" in ran.stderr


def test_the_environment_of_the_command(
    runs: Path, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each upstream has its variable; the path says which one it is."""
    monkeypatch.setenv("NO_PROXY", "example.org")
    script = "import json, os; print(json.dumps({k: v for k, v in os.environ.items()}))"
    ran = process(
        *("session", "run", runs, "pilot", "--upstream", "my-lab=https://lab.example.org/api/v2"),
        *("--", sys.executable, "-c", script),
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    root = found["VIF_PROXY_URL"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", root)
    assert found["OPENAI_BASE_URL"] == f"{root}/openai/v1"
    assert found["ANTHROPIC_BASE_URL"] == f"{root}/anthropic"
    assert found["MY_LAB_BASE_URL"] == f"{root}/my-lab/api/v2"
    assert found["NO_PROXY"] == "example.org,127.0.0.1"


def test_the_recorded_url_is_the_upstreams(
    runs: Path, told: Provider, process: Process, vif: Vif
) -> None:
    """Not the proxy's, whose port is another one each time."""
    assert process(*experiment()).returncode == 0
    calls = vif("session", "calls", runs, "mva/e2", "--json").lines
    assert {call["url"] for call in calls} == {f"{told.base_url}/chat/completions"}
    assert [call["status"] for call in calls] == ["answered"] * 6
    assert [call["streaming"] for call in calls] == [None, "complete"] * 3
    assert all(call["duration_ms"] > 0 for call in calls)


def test_changed_files_are_refused_or_recorded(
    runs: Path, told: Provider, process: Process, vif: Vif
) -> None:
    """The error names the file and the option; with it the change is shown."""
    assert process(*experiment()).returncode == 0
    Path("plan.md").write_text("ask seven questions\n")
    refused = process(*experiment("--json"))
    assert refused.returncode == 2
    error = json.loads(refused.stderr)["error"]
    assert error["code"] == "session_changed"
    assert "plan.md altered" in error["message"]
    assert "--on-change continue" in error["hint"]
    assert process(*experiment("--on-change=continue")).returncode == 0
    shown = vif("session", "show", runs, "mva/e2").out
    assert re.search(r"changed in run 2 +plan.md altered", shown)
    answer = vif("session", "show", runs, "mva/e2", "--json").json
    assert [one["name"] for one in answer["frozen"]] == ["plan.md"]
    assert [one["change"] for one in answer["runs"][1]["changed"]] == ["altered"]
    assert vif("show", runs, "1", "--content", "plan.md").out == "ask six questions\n"
    assert told.paid() == 6


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["runs.vif", "x", "--", "no-such-command"], "usage", "no-such-command"),
        (["runs.vif", "x", "--upstream", "ftp://h", "--", "true"], "usage", "ftp://h"),
        (["runs.vif", "x", "--upstream", "https://u:p@h", "--", "true"], "usage", "upstream"),
        (["runs.vif", "x", "--budget", "nan", "--", "true"], "usage", "budget"),
        (["runs.vif", "x", "--experiment", "none.md", "--", "true"], "content_missing", "none.md"),
        (["runs.vif", "x", "--allow-header", "authorization", "--", "true"], "record_invalid", ""),
        (["runs.vif", "not a label\n", "--", "true"], "header_invalid", "label"),
        (["no.vif", "x", "--", "true"], "ledger_missing", "no.vif"),
        (
            ["runs.vif", "x", "--upstream", "http://a", "--upstream", "http://b", "--", "true"],
            "usage",
            "openai",
        ),
    ],
)
def test_what_cannot_be_run(
    runs: Path, vif: Vif, arguments: list[str], code: str, word: str
) -> None:
    """Refused with a code before the command is started, and without a run."""
    ran = vif("session", "run", "--json", *arguments)
    assert ran.code == 2
    assert ran.error["code"] == code
    assert word in ran.error["message"]
    assert vif("session", "list", runs).out == ""


def test_a_proxy_from_the_command_line(runs: Path, provider: Provider, vif: Vif) -> None:
    """Ready says a line of JSON; SIGTERM ends the run as complete, and a line says what it was."""
    command = vif_command(
        *("proxy", runs, "-s", "pilot", "--upstream", provider.base_url, "--json")
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        assert set(ready) == {"url", "upstream", "session", "run", "previous"}
        assert (ready["session"], ready["run"]) == ("pilot", 1)
        with openai.OpenAI(base_url=ready["url"], api_key="sk-test-key") as client:
            asked: Any = [{"role": "user", "content": "hi"}]
            assert client.chat.completions.create(model="demo", messages=asked).choices
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, b"")
    ended = json.loads(out)
    assert (ended["status"], ended["answered"]) == ("complete", 1)
    assert vif("session", "list", runs, "--json").lines[0]["status"] == "complete"


def test_a_second_signal_interrupts(runs: Path, provider: Provider, vif: Vif) -> None:
    """The first one waits for answers, the second one abandons them."""
    provider.faults("stall")
    command = vif_command("proxy", runs, "-s", "pilot", "--upstream", provider.base_url)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        shown = [running.stdout.readline().decode().split() for _ in range(4)]
        url = shown[0][-1]
        assert shown[0] == ["base", "URL", url]
        assert shown[1][-1] == f"OPENAI_BASE_URL={url}"
        script = "import openai; client = openai.OpenAI(api_key='k', max_retries=0); "
        script += "client.chat.completions.create(model='m', messages=[])"
        with subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | {"OPENAI_BASE_URL": url},
            stderr=subprocess.PIPE,
        ) as client:
            provider.until_paid(1)
            running.send_signal(signal.SIGINT)
            Provider.until(lambda: refuses(url), "a closed port")
            running.send_signal(signal.SIGINT)
            err = running.communicate(timeout=60)[1]
            said = client.communicate(timeout=60)[1]
    assert running.returncode == 0, err
    assert b"interrupted" in err
    assert b"503" in said
    (call,) = vif("session", "calls", runs, "pilot", "--json").lines
    assert (call["status"], call["reason"]) == ("unknown", "abandoned")


def refuses(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 0), 5).close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--host", "no.such.host.invalid"], None),
        (["--port", "65536"], "--help"),
    ],
)
def test_where_a_proxy_does_not_listen(
    runs: Path, vif: Vif, arguments: list[str], word: str | None
) -> None:
    """Other machines only when that is meant."""
    ran = vif("proxy", runs, "-s", "x", "--upstream", "http://127.0.0.1:1", *arguments, "--json")
    assert (ran.code, ran.error["code"]) == (2, "usage")
    if word:
        assert word in ran.error["hint"]


def test_a_port_that_is_taken(runs: Path, provider: Provider, vif: Vif) -> None:
    """An error of the system, before a run is opened."""
    ran = vif(
        *("proxy", runs, "-s", "x", "--upstream", provider.base_url),
        *("--port", provider.port, "--json"),
    )
    assert (ran.code, ran.error["code"]) == (2, "system")
    assert vif("session", "list", runs).out == ""


def test_without_the_libraries_it_says_what_to_install(
    runs: Path, vif: Vif, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the commands works without them."""
    for name in ("uvicorn", "httpx", "httpx2"):
        monkeypatch.setitem(sys.modules, name, None)
    ran = vif("proxy", runs, "-s", "x", "--upstream", "http://127.0.0.1:1", "--json")
    assert (ran.code, ran.error["code"]) == (2, "proxy_libraries")
    assert "uvicorn, httpx2" in ran.error["message"]
    assert "pip install 'vif-ledger[proxy]'" in ran.error["hint"]
    assert vif("session", "list", runs).code == 0


HOSTILE = "m\x1b]0;owned\x07\u202e\r[bold]"


@pytest.fixture
def eventful(runs: Path) -> Path:
    """A session `pilot` with a bit of everything: answers, a failure, stages, text that attacks."""
    with ledger.open(runs) as log:
        for _ in range(2):
            with log.session("pilot", files=["plan.md"]) as session:
                with session.stage("extraction") as stage:
                    _call(session, "one", 200)
                    _call(session, "two", 200)
                    if stage.needed:
                        stage.result = {"found": [1, 2]}
                if session.run == 1:
                    session.savepoint("analysis", {"text": HOSTILE})
                _call(session, HOSTILE, 500, model=HOSTILE)
    return runs


def _call(session: Any, prompt: str, status: int, model: str = "demo-1") -> None:
    asked = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    headers = (("content-type", "application/json"),)
    url = "https://api.example.org/v1/chat/completions"
    call = session.begin(Request("POST", url, headers, json.dumps(asked).encode()))
    if call.recorded is None:
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": model,
            "system_fingerprint": f"fp_{prompt[:3]}",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "x"},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
        }
        call.responded(Response(status, headers, json.dumps(answer).encode()), streaming=None)


def test_a_session_as_people_see_it(eventful: Path, vif: Vif) -> None:
    """Runs, calls, costs, models, files and stages; no text of a record can steer a terminal."""
    shown = vif("session", "show", eventful, "pilot")
    assert shown.code == 0
    for pattern in (
        r"^pilot  complete$",
        r"^   2  .*complete +1 failed, 2 reused$",
        r"answered +2",
        r"given again +2",
        r"failed +1",
        r"total +.*2 calls  6 input tokens  10 output tokens",
        r"stage extraction +",
        r"demo-1  system fingerprint  fp_one became fp_two",
        r"file +plan.md  18 B",
        r"extraction +complete",
        r"analysis +so far",
    ):
        assert re.search(pattern, shown.out, re.MULTILINE), pattern
    listed = vif("session", "calls", eventful, "pilot")
    assert re.search(r"answered  demo-1 +given again 1 time  stage extraction$", listed.out, re.M)
    assert re.search(r"failed .*status 500  2 attempts  POST https://", listed.out)
    saved = vif("session", "savepoints", eventful, "pilot")
    assert re.search(r'extraction +complete +\{"found":\[1,2\]\}', saved.out)
    everything = [shown, listed, saved, vif("log", eventful), vif("session", "list", eventful)]
    everything += [vif("show", eventful, index) for index in range(1, 12)]
    for ran in everything:
        assert ran.code == 0
        assert not set(ran.out) & set(FORBIDDEN)


def test_a_session_as_programs_see_it(eventful: Path, vif: Vif) -> None:
    """One object, or one a line, with the keys that the help names."""
    answer = vif("session", "show", eventful, "pilot", "--json").json
    assert (answer["name"], answer["status"], answer["answered"]) == ("pilot", "complete", 2)
    assert [stage["name"] for stage in answer["stages"]] == ["analysis", "extraction"]
    assert answer["costs"]["stages"]["extraction"]["usage"] == {
        "input_tokens": 6,
        "output_tokens": 10,
    }
    assert [one["after"] for one in answer["changes"]] == ["fp_two"]
    calls = vif("session", "calls", eventful, "pilot", "--json").lines
    assert [(one["status"], one["attempts"], one["reused"]) for one in calls] == [
        ("answered", 1, 1),
        ("answered", 1, 1),
        ("failed", 2, 0),
    ]
    assert len(vif("session", "calls", eventful, "pilot", "--status=answered", "--json").lines) == 2
    saved = vif("session", "savepoints", eventful, "pilot", "--json").lines
    assert [(one["stage"], one["complete"]) for one in saved] == [
        ("analysis", False),
        ("extraction", True),
    ]
    assert saved[0]["state"] == {"text": HOSTILE}
    for name, keys in (
        (("session", "list"), vif("session", "list", eventful, "--json").lines[0]),
        (("session", "show"), answer),
        (("session", "calls"), calls[0]),
        (("session", "savepoints"), saved[0]),
    ):
        assert all(key in COMMANDS[name].help for key in keys), name


def test_statements_of_sessions_in_the_log(eventful: Path, vif: Vif) -> None:
    """Each of the six types says in words what it is."""
    out = vif("log", eventful).out
    for pattern in (
        r"session_open   pilot           run 1$",
        r"session_open   pilot           run 2 after complete$",
        r"intent         pilot           demo-1  POST https://api.example.org/v1/chat/completions$",
        r"intent .*attempt 2 after failed$",
        r"outcome        pilot           answered  200",
        r"outcome        pilot           failed  500",
        r"reuse          pilot           2 recorded answers given again$",
        r"savepoint      pilot           extraction  complete$",
        r"savepoint      pilot           analysis  so far$",
        r"session_close  pilot           run 1 complete  2 answered, 1 failed",
    ):
        assert re.search(pattern, out, re.MULTILINE), pattern
    opened = vif("show", eventful, 1).out
    assert re.search(r"frozen +file  plan.md  18 B", opened)
    assert json.loads(vif("show", eventful, 1, "--content", "environment").out)["python"]
    intent = vif("log", eventful, "--type", "intent", "--json").lines[0]["index"]
    assert '"one"' in vif("show", eventful, intent, "--content", "request").out
    assert '"usage"' in vif("show", eventful, intent + 1, "--content", "response").out


@pytest.mark.parametrize("command", ["show", "calls", "savepoints"])
def test_a_session_that_is_not_there(runs: Path, vif: Vif, command: str) -> None:
    """An error with a code."""
    ran = vif("session", command, runs, "nothing", "--json")
    assert (ran.code, ran.error["code"]) == (2, "session_missing")


def test_nothing_to_list(runs: Path, vif: Vif) -> None:
    """No output, and a remark for people."""
    listed = vif("session", "list", runs)
    assert (listed.code, listed.out, listed.err) == (0, "", "no sessions\n")
    assert vif("session", "list", runs, "--json").out == ""


@pytest.mark.parametrize("name", ["list", "show", "calls", "savepoints", "run"])
def test_the_examples_of_sessions_run(eventful: Path, tmp_path: Path, name: str) -> None:
    """Every example line of the help, typed into a shell as it is printed."""
    (tmp_path / "experiment.py").write_text("import os; print(os.environ['OPENAI_BASE_URL'])\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    for program, command in (
        ("vif", f"{sys.executable} -m ledger.cli"),
        ("python", sys.executable),
    ):
        script = programs / program
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    for line in examples(COMMANDS["session", name]):
        line = line.replace(
            "session run runs.vif pilot", "session run runs.vif pilot --file plan.md"
        )
        ran = subprocess.run(
            ["/bin/sh", "-c", line], env=environment, capture_output=True, timeout=60
        )
        assert ran.returncode == 0, (line, ran.stderr)


def test_the_example_of_the_proxy_runs(runs: Path, vif: Vif) -> None:
    """It serves until a signal ends it; nothing is sent before a client asks."""
    (line,) = examples(COMMANDS["proxy",])
    command = vif_command(*line.split()[1:])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        shown = [running.stdout.readline().decode() for _ in range(4)]
        running.send_signal(signal.SIGINT)
        err = running.communicate(timeout=60)[1]
    assert running.returncode == 0, err
    assert shown[2].split() == ["upstream", "https://api.openai.com/v1"]
    assert b"run 1 of pilot complete: no calls" in err
