"""`vif export`, `vif import`, `vif doctor`: hand over, take over, look after."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ledger
from tests.cli.world import Vif


def verify(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the verifier as a process of its own."""
    command = [sys.executable, "-m", "verifier", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_printed_command_verifies_the_package(vif: Vif, lab: Path) -> None:
    """What export tells an auditor to type ends in VERIFIED, as it stands."""
    ran = vif("export", lab, "my package")
    assert (ran.code, ran.err) == (0, "")
    typed = shlex.split(ran.out[ran.out.index("vif-verify") :].replace("\\\n", " "))
    assert typed[0] == "vif-verify"
    checked = verify(*typed[1:])
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.startswith("VERIFIED")
    genesis, head = re.findall(r"^  (?:genesis|head) +(\S+)$", ran.out, re.MULTILINE)
    assert [genesis, head] == [typed[3], typed[5]]


def test_an_export_for_programs(vif: Vif, lab: Path) -> None:
    """JSON gives package, head and the verifier's arguments; nothing else is printed."""
    ran = vif("export", lab, "package.zip", "--json")
    assert (ran.code, ran.err) == (0, "")
    said = ran.json
    assert zipfile.is_zipfile("package.zip")
    assert said["known_head"] == f"{said['size']}:{said['root']}"
    assert said["signed"] is True
    assert verify(*said["verify"]).returncode == 0
    again = vif("export", lab, "package.zip", "--json")
    assert (again.code, again.error["code"]) == (2, "export_exists")


def test_parts_and_unsigned_packages(vif: Vif, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session without contents, a range anchored to an earlier head, and one without a key."""
    monkeypatch.setenv("VIF_KEYS", "nowhere")
    unsigned = vif("export", lab, "unsigned", "--unsigned", "--json").json
    assert unsigned["signed"] is False
    assert verify(*unsigned["verify"]).returncode == 3
    assert vif("export", lab, "signed", "--json").error["code"] == "no_signer"
    monkeypatch.setenv("VIF_KEYS", "keys")
    earlier = vif("head", lab, "--json").json["known_head"]
    part = vif("export", lab, "part", "--range", "4:6", "--consistency-from", 6, "--json")
    assert part.code == 0
    genesis = part.json["genesis"]
    report = verify("part", "--trust", genesis, "--known-head", earlier, "--json")
    axes = json.loads(report.stdout)["axes"]
    assert axes["integrity"]["status"] == "verified"
    withheld = ["--session", "pilot", "--contents", "withheld", "--json"]
    session = vif("export", lab, "session", *withheld).json
    assert "withheld" in verify(*session["verify"]).stdout


def test_a_session_says_what_is_in_its_folder(vif: Vif, lab: Path) -> None:
    """What is there, each with its purpose; every name printed is one of the package."""
    with ledger.open(lab, session="pilot") as log:
        session = log.session("mva/e2", experiment=Path(__file__))
        session.savepoint("answers", {"done": 1})
        session.close("interrupted", "KeyboardInterrupt")
    ran = vif("export", lab, "e2", "--session", "mva/e2")
    assert (ran.code, ran.err) == (0, "")
    told = ran.out[ran.out.index("The session by purpose") : ran.out.index("Anybody")]
    assert "data/session/" in told.splitlines()[0]
    names = [line.split()[0] for line in told.splitlines()[1:] if line]
    assert names == ["experiment_snapshot.md", "sessions", "system_state", "fault_recovery"]
    assert sorted(names) == sorted(path.name for path in Path("e2/data/session").iterdir())
    assert "savepoints" in told
    readme = Path("e2/README.md").read_text()
    assert readme.count("| `data/session/` |") == readme.count("`data/PROJECT_CHRONOLOG_*") == 1
    assert "data/session/" in vif("export", "--help").out


def test_programs_learn_whether_there_is_a_session_folder(vif: Vif, lab: Path) -> None:
    """Its path in the package, also in a zip; null where nothing of a session is laid out."""
    for number, (options, folder) in enumerate(
        [
            (["--session", "pilot"], "data/session"),
            (["--session", "pilot", "--unsigned"], "data/session"),
            (["--session", "pilot", "--contents", "withheld"], None),
            (["--range", "1:3"], None),
            ([], None),
        ]
    ):
        said = vif("export", lab, f"{number}.zip", *options, "--json").json
        assert said["session_folder"] == folder
        with zipfile.ZipFile(f"{number}.zip") as archive:
            names = archive.namelist()
        assert any("/data/session/" in name for name in names) is (folder is not None)
        ran = vif("export", lab, f"{number}", *options)
        assert ("The session by purpose" in ran.out) is (folder is not None)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--contents", "some"], "usage"),
        (["--session", "pilot", "--range", "1:2"], "usage"),
        (["--range", "2"], "usage"),
        (["--range", "2:2"], "usage"),
        (["--range", "5:99"], "export_empty"),
        (["--session", "none"], "export_empty"),
        (["--consistency-from", "2"], "usage"),
        (["--range", "2:4", "--consistency-from", "99"], "not_found"),
    ],
)
def test_a_wrong_selection_writes_nothing(
    vif: Vif, lab: Path, options: list[str], code: str
) -> None:
    """What cannot be selected is refused, without package and without export statement."""
    ran = vif("export", lab, "package", *options, "--json")
    assert (ran.code, ran.error["code"]) == (2, code)
    assert not Path("package").exists()
    assert vif("head", lab, "--json").json["size"] == 6


def test_json_lines_are_imported_whole(vif: Vif, lab: Path) -> None:
    """All lines and the import statement; a second time only when asked; nothing if one is bad."""
    Path("calls.jsonl").write_text('{"model":"m","prompt":"a"}\n{"model":"m","prompt":"b"}\n')
    ran = vif("import", "jsonl", lab, "calls.jsonl", "--session", "late", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert (ran.json["witnesses"], ran.json["skipped"]) == (2, [])
    assert len(vif("log", lab, "--session", "late", "--json").lines) == 3
    again = vif("import", "jsonl", lab, "calls.jsonl", "--json")
    assert (again.code, again.error["code"]) == (2, "already_imported")
    assert "--again" in again.error["hint"]
    assert "imported" in vif("import", "jsonl", lab, "calls.jsonl", "--again").out
    size = vif("head", lab, "--json").json["size"]
    Path("bad.jsonl").write_text('{"model":"m","prompt":"a"}\noops\n')
    bad = vif("import", "jsonl", lab, "bad.jsonl", "--json")
    assert (bad.code, bad.error["code"]) == (2, "source_unreadable")
    assert "--skip-unreadable" in bad.error["hint"]
    assert vif("head", lab, "--json").json["size"] == size
    rest = vif("import", "jsonl", lab, "bad.jsonl", "--skip-unreadable", "--json")
    assert (rest.code, rest.json["witnesses"], len(rest.json["skipped"])) == (1, 1, 1)
    assert vif("import", "jsonl", lab, "none.jsonl", "--json").error["code"] == "file_unreadable"


def test_an_inspect_log_is_imported(vif: Vif, lab: Path, shared: Path) -> None:
    """Every call and score of a real log, under the session that it names."""
    source = shared / "samples" / "theory-of-mind.eval"
    ran = vif("import", "inspect", lab, source, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert (ran.json["witnesses"], ran.json["annotations"]) == (200, 100)
    named = ran.json["session"]
    assert len(vif("log", lab, "--session", named, "--type", "witness", "--json").lines) == 200
    assert vif("doctor", lab).code == 0
    Path("no.eval").write_text("not a log")
    assert vif("import", "inspect", lab, "no.eval", "--json").error["code"] == "source_unreadable"


def test_a_sound_ledger(vif: Vif, lab: Path) -> None:
    """The doctor says that all is sound and whether the keys are at hand."""
    ran = vif("doctor", lab)
    assert ran.code == 0
    assert ran.out.startswith("sound")
    assert ran.out.count("here, without a passphrase") == 2
    said = vif("doctor", lab, "--rebuild-views", "--json").json
    assert (said["sound"], said["size"], said["problems"]) == (True, 6, [])
    assert [key["role"] for key in said["keys"]] == ["log", "producer"]


def test_damage_is_named(vif: Vif, lab: Path) -> None:
    """One bit of one statement on the disk: which one, what was expected; exit code 1."""
    data = lab / "db" / "data.mdb"
    content = bytearray(data.read_bytes())
    place = content.index(b"other-model")
    content[place] ^= 1
    data.write_bytes(content)
    ran = vif("doctor", lab, "--json")
    assert ran.code == 1
    assert ran.json["sound"] is False
    found = {(one["table"], one["key"], one["code"]) for one in ran.json["problems"]}
    assert ("entries", "3", "signature_invalid") in found
    shown = vif("doctor", lab)
    assert shown.out.startswith("damaged")
    assert "signature_invalid  entries 3" in shown.out


def test_a_key_in_the_ledger_is_a_finding(vif: Vif, lab: Path) -> None:
    """A private key that was copied into the ledger's folder is reported."""
    source = next(Path("keys").glob("log-*.pem"))
    os.link(source, lab / source.name)
    ran = vif("doctor", lab, "--json")
    assert ran.code == 1
    assert [one["code"] for one in ran.json["problems"]] == ["key_in_ledger"]


def test_what_is_no_ledger_cannot_be_examined(vif: Vif) -> None:
    """A folder without a ledger is an error and not a finding."""
    for arguments in (["doctor", "none"], ["log", "none"], ["head", "."], ["export", "none", "x"]):
        ran = vif(*arguments, "--json")
        assert (ran.code, ran.error["code"]) == (2, "ledger_missing")
