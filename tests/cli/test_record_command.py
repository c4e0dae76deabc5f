"""`vif record`: from flags and from standard input, where one bad line costs only itself."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.world import FORBIDDEN, Vif, vif_command


def test_flags_make_a_witness(vif: Vif, lab: Path) -> None:
    """What was typed is what is recorded, with derived values and the parents that were named."""
    Path("ask.json").write_text('{"q": "2 + 2?"}')
    Path("answer.bin").write_bytes(b"\xff\x00")
    ran = vif(
        *("record", lab, "-m", "m", "--prompt-file", "ask.json", "--output-file", "answer.bin"),
        *("--confidence", "0.9", "--method", "verbal", "--criticality", "important"),
        *("--provider", "p", "--operation", "text_completion", "--seed", "7"),
        *("--temperature", "0.2", "--parent", "1", "--parent", "#2", "--session", "s"),
        "--json",
    )
    assert (ran.code, ran.err) == (0, "")
    receipt = ran.json
    assert receipt["known_head"] == f"{receipt['size']}:{receipt['root']}"
    made = vif("show", lab, receipt["id"], "--json").json
    body = made["body"]
    assert made["leaf_hash"] == receipt["leaf_hash"]
    assert [parent["id"] for parent in made["parents"]] == [
        vif("show", lab, index, "--json").json["id"] for index in (1, 2)
    ]
    assert made["session"] == "s"
    assert body["model"] == {"model_id": "m", "model_provider": "p", "provider_source": "stated"}
    assert body["operation"] == "text_completion"
    assert body["uncertainty"]["confidence_band"] == "B"
    assert body["uncertainty"]["confidence_method"] == "verbal"
    assert body["meta"]["kappa_gate_passed"] is True
    assert body["replay"] == {"replay_seed": 7, "temperature": 0.2}
    assert body["data"]["prompt_hash"]["media_type"] == "application/json"
    assert body["output"]["output_hash"]["media_type"] == "application/octet-stream"


def test_a_receipt_for_people(vif: Vif, lab: Path) -> None:
    """A person sees index, id, leaf hash, and the head in the form an auditor takes."""
    ran = vif("record", lab, "-m", "m", "-p", "ask", "-o", "answer")
    assert ran.code == 0
    assert re.search(r"recorded +#6 +[0-9a-f-]{36}", ran.out)
    assert re.search(r"head +7:[0-9a-f]{64}", ran.out)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], "usage", "either flags or '-'"),
        (["-m", "m", "-p", "p", "-"], "usage", "either flags or '-'"),
        (["-m", "m"], "usage", "--prompt"),
        (["calls.jsonl"], "usage", "not '-'"),
        (["-m", "m", "-p", "a", "--prompt-file", "b"], "usage", "not both"),
        (["-m", "m", "--prompt-file", "no.txt"], "file_unreadable", "no.txt"),
        (["-m", "m", "-p", "p", "--confidence", "2"], "body_invalid", "confidence_score"),
        (["-m", "m", "-p", "p", "--criticality", "high"], "body_invalid", "task_criticality"),
        (["-m", "m", "-p", "p", "--parent", "99"], "not_found", "99"),
        (["-m", "m", "-p", "p", "--session", "a b"], "header_invalid", "a b"),
        (["-m", "m", "-p", "p", "--keys", "elsewhere"], "no_signer", "elsewhere"),
    ],
)
def test_a_wrong_call_records_nothing(
    vif: Vif, lab: Path, arguments: list[str], code: str, says: str
) -> None:
    """A call that makes no sense is refused with its reason, and the log stays as it was."""
    ran = vif("record", lab, *arguments, "--json")
    assert ran.code == 2
    assert ran.error["code"] == code
    assert says in ran.error["message"]
    assert vif("head", lab, "--json").json["size"] == 6


def lines(*records: object) -> bytes:
    """Return JSON Lines; text is taken as it is."""
    texts = (one if isinstance(one, str) else json.dumps(one) for one in records)
    return "\n".join(texts).encode() + b"\n"


GOOD = {"model": "m", "prompt": "p"}


def test_one_bad_line_costs_only_itself(vif: Vif, lab: Path) -> None:
    """Every good line is recorded in order; each bad one is named with its number and reason."""
    stdin = lines(
        GOOD,
        "",
        '{"model": "m"',
        GOOD | {"prompt": "second", "parents": [1, "last"]},
        GOOD | {"confidence": 2},
        GOOD | {"parents": [400]},
        "[1]",
        '{"model": "m", "prompt": "p", "model": "n"}',
        GOOD | {"nope": 1},
        GOOD | {"prompt": "third", "occurred_at": "2026-01-01T10:00:00+02:00"},
    )
    ran = vif("record", lab, "-", "--json", stdin=stdin)
    assert ran.code == 1
    assert [(one["line"], one["index"]) for one in ran.lines] == [(1, 6), (4, 7), (10, 8)]
    errors = [json.loads(line)["error"] for line in ran.err.splitlines()]
    assert [error["line"] for error in errors] == [3, 5, 6, 7, 8, 9]
    assert {error["code"] for error in errors} == {"record_invalid", "body_invalid", "not_found"}
    assert vif("show", lab, 7, "-c", "prompt").out == "second\n"
    third = vif("show", lab, 8, "--json").json
    assert third["body"]["temporal"]["occurred_at"] == "2026-01-01T08:00:00.000000Z"


def test_people_are_told_which_lines_were_refused(vif: Vif, lab: Path) -> None:
    """Receipts go to standard output, refusals and the count to standard error."""
    ran = vif("record", lab, "-", stdin=lines(GOOD, "oops", GOOD))
    assert ran.code == 1
    assert len(ran.out.splitlines()) == 2
    assert "line 2: error[record_invalid]: not JSON" in ran.err
    assert "recorded 2 of 3; refused line 2" in ran.err


def test_a_line_that_only_the_log_can_refuse(vif: Vif, lab: Path) -> None:
    """A record too large for a statement is refused alone, not with the lines around it."""
    large = GOOD | {"parameters": {f"key{n}": "x" * 4000 for n in range(40)}}
    ran = vif("record", lab, "-", "--json", stdin=lines(GOOD, large, GOOD))
    assert ran.code == 1
    assert [one["line"] for one in ran.lines] == [1, 3]
    assert json.loads(ran.err)["error"]["code"] in {"cbor_invalid", "statement_too_large"}


def test_one_object_over_several_lines(vif: Vif, lab: Path) -> None:
    """A pretty-printed object, as `jq .` writes it, is one witness."""
    ran = vif("record", lab, "-", "--json", stdin=json.dumps(GOOD, indent=2).encode())
    assert ran.code == 0
    assert ran.json["line"] == 1


def test_a_refusal_shows_nothing_of_the_record(vif: Vif, lab: Path) -> None:
    """An error names fields and places; values may be secret, and may attack the terminal."""
    secret = "sk-verysecret-\x1b[31m"
    stdin = lines(GOOD | {"temperature": secret}, GOOD | {"confidence_method": secret}, secret)
    ran = vif("record", lab, "-", stdin=stdin)
    assert ran.code == 1
    assert "verysecret" not in ran.out + ran.err
    assert not set(FORBIDDEN) & set(ran.out + ran.err)


def test_a_slow_writer_has_each_line_at_once(lab: Path) -> None:
    """A line is durable and has its receipt while the pipe is still open."""
    with subprocess.Popen(
        vif_command("record", lab, "-", "--json"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for expected in (6, 7):
            running.stdin.write(lines(GOOD))
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["index"] == expected
        running.stdin.close()
        assert running.wait(20) == 0


def test_no_line_is_lost_when_nobody_reads_the_receipts(vif: Vif, lab: Path) -> None:
    """`vif record … | head -1` stops printing, and records to the last line."""
    with subprocess.Popen(
        vif_command("record", lab, "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdin.write(lines(GOOD))
        running.stdin.flush()
        running.stdout.readline()
        running.stdout.close()
        for _ in range(3):
            running.stdin.write(lines(*[GOOD] * 500))
            running.stdin.flush()
        running.stdin.close()
        assert running.wait(30) == 0
        assert running.stderr.read() == b""
    assert vif("head", lab, "--json").json["size"] == 6 + 1501
