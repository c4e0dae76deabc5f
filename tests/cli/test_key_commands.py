"""`vif init` and `vif key`: keys are made, protected, enrolled, and never shown."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from ledger.keys import keyfile
from ledger.keys.trust import parse_trust
from tests.cli.world import Ran, Vif

SECRET = "correct horse battery"


def private_parts() -> set[str]:
    """Return every line of base64 in the private key files."""
    return {
        line
        for path in Path("keys").glob("*.pem")
        for line in path.read_text().splitlines()
        if re.fullmatch("[A-Za-z0-9+/=]{20,}", line)
    }


@pytest.fixture
def watched(vif: Vif, monkeypatch: pytest.MonkeyPatch) -> Vif:
    """Return `vif`, failing when anything secret is printed."""

    def call(*arguments: object, **options: Any) -> Ran:
        ran = vif(*arguments, **options)
        printed = ran.out + ran.err
        assert "PRIVATE KEY-----" not in printed
        assert SECRET not in printed
        assert not [part for part in private_parts() if part in printed]
        return ran

    return call


def test_a_new_ledger_and_its_keys(watched: Vif) -> None:
    """Three keys outside of the ledger, mode 0600, and the genesis to publish."""
    ran = watched("init", "runs.vif", "--origin", "example.org/x", "--name", "me", "--json")
    assert (ran.code, ran.err) == (0, "")
    made = ran.json
    assert sorted(made["key_files"]) == ["authority", "log", "producer"]
    for path in map(Path, made["key_files"].values()):
        assert path.parent.name == "keys"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert parse_trust(made["trust"].encode()).genesis.hex() == made["genesis"]
    assert not list(Path("runs.vif").rglob("*.pem"))
    again = watched("init", "runs.vif", "--json")
    assert (again.code, again.error["code"]) == (2, "ledger_exists")
    assert len(list(Path("keys").iterdir())) == 3, "a refused call leaves no keys behind"
    assert "offline" in watched("init", "other.vif").out


def test_keys_inside_the_ledger_are_refused(watched: Vif) -> None:
    """Who hands a ledger over must not hand over its keys."""
    ran = watched("init", "runs.vif", "--keys", "runs.vif/keys", "--json")
    assert (ran.code, ran.error["code"]) == (2, "key_permissions")


def test_the_passphrase_comes_from_the_environment(
    watched: Vif, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With VIF_KEY_PASSPHRASE keys are encrypted, and open again to append."""
    monkeypatch.setenv("VIF_KEY_PASSPHRASE", SECRET)
    assert watched("init", "runs.vif").code == 0
    assert [line["encrypted"] for line in watched("key", "list", "--json").lines] == [True] * 3
    assert watched("record", "runs.vif", "-m", "m", "-p", "p").code == 0
    monkeypatch.setenv("VIF_KEY_PASSPHRASE", SECRET + "!")
    wrong = watched("record", "runs.vif", "-m", "m", "-p", "p", "--json")
    assert (wrong.code, wrong.error["code"]) == (2, "key_passphrase")
    monkeypatch.delenv("VIF_KEY_PASSPHRASE")
    lines = b'{"model": "m", "prompt": "p"}\n' * 3
    unasked = watched("record", "runs.vif", "-", "--json", stdin=lines)
    assert unasked.code == 2
    assert "VIF_KEY_PASSPHRASE" in json.loads(unasked.err)["error"]["hint"]


def test_no_command_takes_a_passphrase_as_an_argument(vif: Vif) -> None:
    """Arguments are seen by every user of a machine; no option holds a secret."""
    for command in ("init", "key new", "key encrypt", "key rotate"):
        assert not re.search(r"--(pass\w*|secret|pin)\b", vif(*command.split(), "--help").out)


def test_a_key_file_is_encrypted_in_place(watched: Vif, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same key under a passphrase, then under another; the old ones open it no more."""
    kid = watched("key", "new", "producer", "me", "--json").json["kid"]
    too_short = watched("key", "encrypt", kid[:8])
    assert too_short.code == 2
    monkeypatch.setenv("VIF_KEY_PASSPHRASE", "short")
    assert "at least 8" in watched("key", "encrypt", kid[:8]).err
    monkeypatch.setenv("VIF_KEY_PASSPHRASE", SECRET)
    said = watched("key", "encrypt", "me", "--json").json
    assert (said["kid"], said["encrypted"]) == (kid, True)
    monkeypatch.setenv("VIF_KEY_NEW_PASSPHRASE", SECRET + "2")
    assert watched("key", "encrypt", kid).code == 0
    path = Path(said["file"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keyfile.load(path, (SECRET + "2").encode()).kid.hex() == kid
    assert [one.name for one in Path("keys").iterdir()] == [path.name]
    assert watched("key", "encrypt", kid).code == 2, "the old passphrase is given"


def test_keys_are_found_by_what_a_person_types(watched: Vif) -> None:
    """By name, by the beginning of the id, or by file; several are named, none is explained."""
    first = watched("key", "new", "producer", "twin", "--json").json
    watched("key", "new", "producer", "twin")
    for typed in (first["kid"], first["kid"][:16], first["file"]):
        assert watched("key", "show", typed, "--json").json == first
    assert "by its id" in watched("key", "show", "twin").err
    missing = watched("key", "show", "nobody", "--json")
    assert (missing.code, missing.error["code"]) == (2, "key_missing")
    assert watched("key", "new", "authority", "x").code == 2
    assert watched("key", "new", "producer", "no spaces").code == 2


def test_a_key_lives(watched: Vif, lab: Path) -> None:
    """Made, enrolled, rotated, revoked: the ledger says where each key is valid."""
    watched("key", "new", "producer", "lab-2")
    enrolled = watched("key", "enrol", lab, "lab-2", "--json").json
    assert (enrolled["event"], enrolled["index"]) == ("enrolled", 6)
    rotated = watched("key", "rotate", lab, "lab-2", "--json").json
    assert (rotated["name"], rotated["index"]) == ("lab-2", 7)
    assert rotated["kid"] != enrolled["kid"]
    assert watched("record", lab, "-m", "m", "-p", "p").code == 0
    unsure = watched("key", "revoke", lab, rotated["kid"], "--last-good", 7, "--reason", "lost")
    assert (unsure.code, "--yes" in unsure.err) == (2, True)
    revoked = watched(
        "key", "revoke", lab, "lab-2", "--last-good", 7, "--reason", "lost", "--yes", "--json"
    ).json
    assert revoked["event"] == "revoked"
    listed = {line["kid"]: line for line in watched("key", "list", lab, "--json").lines}
    old, new = listed[enrolled["kid"]], listed[rotated["kid"]]
    assert (old["introduced"], old["ended"]) == (6, 7)
    assert (new["introduced"], new["last_good_index"]) == (7, 7)
    shown = watched("key", "list", lab).out
    assert "revoked" in shown
    assert shown.count("here") == 5


def test_a_wrong_key_event_changes_nothing(watched: Vif, lab: Path) -> None:
    """What the rules of keys do not allow is refused, and leaves no new key file."""
    before = sorted(Path("keys").iterdir())
    watched("key", "rotate", lab, "authority")
    watched("key", "rotate", lab, "nobody")
    watched("key", "enrol", lab, "lab-1")
    assert watched("key", "revoke", lab, "lab-1", "--last-good", 99, "--reason", "", "-y").code == 2
    assert sorted(Path("keys").iterdir()) == before
    assert watched("head", lab, "--json").json["size"] == 6


def test_reading_needs_no_key(vif: Vif, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that was handed over is read without keys; writing names what is missing."""
    monkeypatch.setenv("VIF_KEYS", "nowhere")
    assert vif("log", lab).code == 0
    assert "not here" in vif("key", "list", lab).out
    refused = vif("record", lab, "-m", "m", "-p", "p", "--json")
    assert (refused.code, refused.error["code"]) == (2, "no_signer")


def test_one_of_several_keys_is_chosen(vif: Vif, lab: Path) -> None:
    """`--signer` says whose signature it is, and leaves the other keys locked."""
    assert vif("key", "new", "producer", "lab-2").code == 0
    assert vif("key", "enrol", lab, "lab-2").code == 0
    for signer, issuer in (("lab-2", "lab-2"), ("lab-1", "lab-1")):
        ran = vif("record", lab, "-m", "m", "-p", "p", "--signer", signer, "--json")
        assert vif("show", lab, ran.json["index"], "--json").json["issuer"] == issuer
    refused = vif("record", lab, "-m", "m", "-p", "p", "--signer", "nobody", "--json")
    assert (refused.code, refused.error["code"]) == (2, "key_missing")


def test_a_log_key_is_replaced(vif: Vif, lab: Path) -> None:
    """A new log key signs the heads from its enrolment on, and can be rotated too."""
    made = vif("key", "new", "log", "example.org/lab", "--json").json
    assert vif("key", "enrol", lab, made["kid"]).code == 0
    before = vif("key", "vkey", lab).out
    assert vif("key", "rotate", lab, made["kid"]).code == 0
    assert vif("record", lab, "-m", "m", "-p", "p").code == 0
    assert vif("key", "vkey", lab).out != before
    assert vif("doctor", lab).code == 0


def test_open_key_files_are_named(watched: Vif, lab: Path) -> None:
    """A key file that others can read is reported, and the others are still listed."""
    path = next(Path("keys").glob("producer-*.pem"))
    path.chmod(0o644)
    ran = watched("key", "list")
    assert ran.code == 1
    assert "error[key_permissions]" in ran.err
    assert "chmod 600" in ran.err
    assert len(ran.out.splitlines()) == 3


def test_the_trust_file_and_the_verifier_key(watched: Vif, lab: Path) -> None:
    """What an auditor pins, as file, on standard output, and as JSON."""
    said = watched("key", "trust", lab, "-o", "trust.json", "--json").json
    written = parse_trust(Path("trust.json").read_bytes())
    assert (written.origin, written.genesis.hex()) == ("example.org/lab", said["genesis"])
    assert watched("key", "trust", lab).out == Path("trust.json").read_text()
    assert watched("key", "vkey", lab).out.startswith("example.org/lab+")
