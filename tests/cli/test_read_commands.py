"""`vif log`, `show`, `head`, `check-output` and `prove`: what is in a ledger, and proofs of it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

import ledger
from ledger.formats import merkle, note
from ledger.formats.content import refer
from ledger.formats.proof_file import parse_consistency, parse_inclusion
from tests.cli.world import FORBIDDEN, HOSTILE_TEXT, Vif

STATEMENT_KEYS = [
    *("index", "id", "leaf_hash", "type", "created_at", "stream", "seq", "session", "issuer"),
    *("kid", "parents", "body"),
]


def indices(vif: Vif, lab: Path, *options: object) -> list[int]:
    """Return the indices that a listing has, in its order."""
    ran = vif("log", lab, *options, "--json")
    assert (ran.code, ran.err) == (0, "")
    return [line["index"] for line in ran.lines]


def test_a_listing_for_people(vif: Vif, lab: Path) -> None:
    """Everything is listed, newest last, a line each, in aligned columns."""
    ran = vif("log", lab)
    head, *rows = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert [int(row.split()[0]) for row in rows] == list(range(6))
    column = head.index("WHAT")
    assert [row[column:] for row in rows[:5]] == [
        "example.org/lab",
        "demo-model  A 0.97",
        "demo-model  C 0.50",
        "other-model",
        "judge = 0.25",
    ]


def test_a_listing_for_programs(vif: Vif, lab: Path) -> None:
    """JSON Lines have the same keys in every line, byte strings in hex, absent sessions null."""
    lines = vif("log", lab, "--json").lines
    assert [list(line) for line in lines] == [STATEMENT_KEYS] * 6
    assert [line["session"] for line in lines] == [None, *["pilot"] * 4, None]
    assert [len(line["parents"]) for line in lines] == [0, 0, 0, 2, 1, 0]
    assert re.fullmatch("[0-9a-f]{64}", lines[1]["body"]["output"]["output_hash"]["sha256"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--type", "witness"], [1, 2, 3, 5]),
        (["--session", "pilot", "--type", "annotation"], [4]),
        (["--model", "other-model"], [3]),
        (["--stream", "keys"], [0]),
        (["--since", "2000-01-01", "--until", "2000-01-02"], []),
        (["--since", "1h"], [0, 1, 2, 3, 4, 5]),
        (["--limit", "2"], [4, 5]),
        (["--limit", "2", "--reverse"], [5, 4]),
        (["--reverse"], [5, 4, 3, 2, 1, 0]),
        (["--type", "witness", "-n", "3"], [2, 3, 5]),
        (["--type", "no such type"], []),
    ],
)
def test_filters_hold_together(
    vif: Vif, lab: Path, options: list[str], expected: list[int]
) -> None:
    """Conditions all hold; a limit takes the newest and keeps the order."""
    assert indices(vif, lab, *options) == expected


def test_nothing_found_is_said_and_no_failure(vif: Vif, lab: Path) -> None:
    """An empty answer leaves standard output empty and says so beside it."""
    ran = vif("log", lab, "--session", "none")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing matches" in ran.err


def test_every_statement_can_be_shown(vif: Vif, lab: Path) -> None:
    """Groups come in the order of the specification, contents say whether they are at hand."""
    ran = vif("show", lab, "3")
    assert ran.code == 0
    titles = [line for line in ran.out.splitlines() if re.fullmatch("[a-z]+", line)]
    assert titles == ["model", "data", "tools", "replay", "output", "meta", "capture", "raw"]
    assert ran.out.count("in the archive") == 4
    assert "parents    #1" in ran.out
    for index in range(6):
        shown = vif("show", lab, f"#{index}")
        assert shown.code == 0
        assert shown.out.startswith(f"#{index}  ")
        assert vif("show", lab, index, "--json").json["index"] == index


def test_a_statement_has_many_names(vif: Vif, lab: Path) -> None:
    """Index, `#index`, id, a unique beginning of it, leaf hash and `last` all find it."""
    made = vif("show", lab, "5", "--json").json
    others = [line["id"] for line in vif("log", lab, "--json").lines[:5]]
    unique = next(
        made["id"][:n]
        for n in range(9, 37)
        if not any(other.startswith(made["id"][:n]) for other in others)
    )
    for name in ("5", "#5", "last", made["id"], made["id"].upper(), unique, made["leaf_hash"]):
        assert vif("show", lab, name, "--json").json == made, name


def test_an_ambiguous_or_unknown_name_is_explained(vif: Vif, lab: Path) -> None:
    """A beginning that several ids share is refused and two of them are named."""
    first = vif("show", lab, "0", "--json").json["id"]
    ran = vif("show", lab, first[:6], "--json")
    assert ran.code == 2
    assert ran.error["code"] == "not_found"
    assert "#0" in ran.error["message"]
    for name in ("6", "#-1", "0" * 8, "ffffffff", "0" * 64, "abc", "", "01a1-", "١"):
        assert vif("show", lab, name, "--json").error["code"] == "not_found", name


def test_contents_are_shown_as_text(vif: Vif, lab: Path) -> None:
    """A content is printed as it is when it is text, and explained when it is not."""
    assert vif("show", lab, 1, "--content", "output").out == "four\n"
    binary = vif("show", lab, 3, "-c", "response")
    assert binary.code == 2
    assert "256 B of application/octet-stream" in binary.err
    assert vif("show", lab, 1, "-c", "request", "--json").code == 2
    missing = vif("show", lab, 1, "-c", "request")
    assert "error[content_missing]" in missing.err
    assert "prompt, output" in missing.err


def test_raw_content_is_byte_for_byte(process, lab: Path) -> None:
    """`--raw` into a pipe or file gives the very bytes."""
    ran = process("show", lab, 3, "-c", "response", "--raw")
    assert (ran.returncode, ran.stdout) == (0, bytes(range(256)))


def test_records_cannot_write_to_the_terminal(vif: Vif, lab: Path) -> None:
    """Control characters, hidden characters, markup and emoji codes of a record stay letters."""
    for arguments in (
        ["log", lab],
        ["log", lab, "--json"],
        ["show", lab, 5],
        ["show", lab, 5, "--json"],
        ["show", lab, 5, "-c", "output"],
        ["lineage", lab, 5],
    ):
        ran = vif(*arguments)
        assert ran.code == 0
        assert not set(FORBIDDEN) & set(ran.out + ran.err), arguments
    assert "[bold]m[/bold] \\u202egpj.exe" in vif("log", lab).out
    shown = vif("show", lab, 5, "-c", "output").out
    assert ":smile: [red]x[/red]\\r\nline two\n" in shown


def test_the_head_in_all_its_forms(vif: Vif, lab: Path) -> None:
    """The same head as SIZE:ROOT, as values, and as a checkpoint file that the log key signed."""
    said = vif("head", lab, "--json", "-o", "head.txt").json
    assert said["known_head"] == f"6:{said['root']}"
    with ledger.open(lab, read_only=True) as log:
        key = log.keys().log_key_at(6)
        assert said["genesis"] == log.genesis.hex()
    written = Path("head.txt").read_bytes()
    checkpoint = note.verify_checkpoint(written, "example.org/lab", key.public_key)
    assert (checkpoint.size, checkpoint.root.hex()) == (6, said["root"])
    assert said["checkpoint"].encode() == written
    assert vif("head", lab).out.splitlines()[-1] == said["known_head"]


def test_files_are_never_overwritten(vif: Vif, lab: Path) -> None:
    """A file that is there already stays as it was."""
    Path("taken").write_text("mine")
    for arguments in (["head", lab], ["key", "trust", lab], ["prove", "inclusion", lab, 1]):
        ran = vif(*arguments, "-o", "taken", "--json")
        assert (ran.code, ran.error["code"]) == (2, "file_exists")
    assert Path("taken").read_text() == "mine"


def test_inclusion_is_proven(vif: Vif, lab: Path) -> None:
    """The printed proof leads from the leaf hash to the signed root, as file and as JSON."""
    said = vif("prove", "inclusion", lab, 3, "--json").json
    hashes = [bytes.fromhex(value) for value in said["hashes"]]
    root, leaf = bytes.fromhex(said["root"]), bytes.fromhex(said["leaf_hash"])
    merkle.verify_inclusion(3, said["size"], leaf, hashes, root)
    assert vif("prove", "inclusion", lab, 3).out == said["proof"]
    assert vif("prove", "inclusion", lab, 3, "-o", "receipt.txt").code == 0
    assert parse_inclusion(Path("receipt.txt").read_bytes()).hashes == tuple(hashes)


def test_consistency_is_proven(vif: Vif, lab: Path) -> None:
    """The log of an earlier size is the beginning of the newest, or of one in between."""
    said = vif("prove", "consistency", lab, 2, "--json").json
    old_root, root = bytes.fromhex(said["old_root"]), bytes.fromhex(said["root"])
    hashes = [bytes.fromhex(value) for value in said["hashes"]]
    merkle.verify_consistency(2, said["size"], old_root, root, hashes)
    assert parse_consistency(vif("prove", "consistency", lab, 2).out.encode()).old == 2
    between = vif("prove", "consistency", lab, 2, 5, "--json").json
    assert (between["size"], between["proof"]) == (5, None)
    for arguments in ([2, 5], [2, 5, "-o", "x.txt", "--json"], [9], [5, 2], [2, 9]):
        assert vif("prove", "consistency", lab, *arguments).code == 2
    assert not Path("x.txt").exists()


def test_a_file_is_compared_with_a_record(vif: Vif, lab: Path) -> None:
    """Exit code 0 for the very bytes, 1 for others, 2 where there is nothing to compare."""
    Path("same.txt").write_text("four")
    Path("other.txt").write_text("four\n")
    assert vif("check-output", lab, 1, "same.txt").code == 0
    said = vif("check-output", lab, 1, "other.txt", "--json")
    assert said.code == 1
    assert said.json["matches"] is False
    assert said.json["sha256"] == hashlib.sha256(b"four").hexdigest()
    shown = vif("check-output", lab, 1, "other.txt")
    assert hashlib.sha256(b"four\n").hexdigest() in shown.out
    Path("prompt.txt").write_text(HOSTILE_TEXT, newline="")
    assert vif("check-output", lab, 5, "prompt.txt", "--content", "prompt").code == 0
    for arguments in ([0, "same.txt"], [1, "none.txt"], [1, "same.txt", "--content", "request"]):
        assert vif("check-output", lab, *arguments).code == 2


def test_a_salted_record_is_compared_with_its_salt(vif: Vif) -> None:
    """In a salted ledger the plain hash shows nothing, and the command says so and compares."""
    assert vif("init", "salted.vif", "--salted").code == 0
    assert vif("record", "salted.vif", "-m", "m", "-p", "yes?", "-o", "yes").code == 0
    Path("yes.txt").write_text("yes")
    ran = vif("check-output", "salted.vif", 1, "yes.txt")
    assert ran.code == 0
    assert "sha256sum alone cannot show it" in ran.out
    said = vif("check-output", "salted.vif", 1, "yes.txt", "--json").json
    assert said["salted"] is True
    assert said["sha256"] != hashlib.sha256(b"yes").hexdigest()
    with ledger.open("salted.vif", keys="keys") as log:
        body = log.get(1).payload.body
        log.erase(refer_of(body["output"]["output_hash"]), "asked for")
    gone = vif("check-output", "salted.vif", 1, "yes.txt", "--json")
    assert (gone.code, gone.error["code"]) == (2, "content_erased")
    assert "erased" in vif("show", "salted.vif", 1).out


def refer_of(value: dict[str, object]) -> ledger.ContentRef:
    """Return a reference as it stands in a body."""
    assert refer(b"", "text/plain")  # the same kind of value
    return ledger.ContentRef(**value)  # type: ignore[arg-type]


def test_json_answers_are_one_value_a_line(vif: Vif, lab: Path) -> None:
    """Nothing else is on standard output with --json, for every reading command."""
    Path("same.txt").write_text("four")
    for arguments in (
        ["log", lab],
        ["show", lab, 1],
        ["lineage", lab, 4],
        ["head", lab],
        ["prove", "inclusion", lab, 1],
        ["prove", "consistency", lab, 1],
        ["check-output", lab, 1, "same.txt"],
        ["key", "list"],
        ["key", "list", lab],
        ["key", "vkey", lab],
        ["key", "trust", lab],
        ["doctor", lab],
    ):
        ran = vif(*arguments, "--json")
        assert (ran.code, ran.err) == (0, ""), arguments
        for line in ran.out.splitlines():
            assert isinstance(json.loads(line), dict)
