"""Private keys in files: how they are made, who may read them, and what they give away."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.errors import FormatError, KeyFileError
from ledger.keys import ed25519, keyfile
from ledger.keys.keyfile import KeyFolder
from ledger.keys.signer import Ed25519Signer, open_signer

SEED = bytes(range(32))
PRIVATE = Ed25519PrivateKey.from_private_bytes(SEED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the path of a folder of keys that is not there yet."""
    return tmp_path / "config" / "keys"


@pytest.fixture
def path(folder: Path) -> Path:
    """Return the file of a known key."""
    return keyfile.store(PRIVATE, "producer", "lab", folder)


def code(work: Any, *arguments: Any, **options: Any) -> str:
    """Return the code with which work is refused; no message holds key or passphrase."""
    with pytest.raises(KeyFileError) as refused:
        work(*arguments, **options)
    text = repr(refused.value) + str(refused.value) + str(refused.value.hint)
    assert SEED.hex() not in text
    assert "secret" not in text
    return refused.value.code


def test_a_new_key_signs_what_its_file_says(folder: Path) -> None:
    """A generated key has the role and name asked for, and its public key verifies."""
    made = keyfile.generate("log", "example.org/lab", folder)
    signer = keyfile.load(made)
    assert (signer.role, signer.name) == ("log", "example.org/lab")
    assert signer.kid == ed25519.thumbprint(signer.public_key)
    assert made.name == f"log-{signer.kid.hex()[:16]}.pem"
    ed25519.check_public_key(signer.public_key)
    ed25519.verify(signer.public_key, signer.sign(b"message"), b"message")
    assert keyfile.load(keyfile.generate("log", "example.org/lab", folder)).kid != signer.kid


def test_only_the_owner_can_read_a_key(path: Path) -> None:
    """The file has mode 0600, its folder 0700, whatever the umask is."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_open_umask_does_not_open_a_key(folder: Path) -> None:
    """A umask of 0 changes nothing."""
    before = os.umask(0)
    try:
        made = keyfile.generate("producer", "lab", folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700


def test_a_key_is_never_overwritten(path: Path) -> None:
    """Storing a key whose file is there is refused, and the file stays as it is."""
    before = path.read_bytes()
    assert code(keyfile.store, PRIVATE, "producer", "other", path.parent) == "key_exists"
    assert path.read_bytes() == before


def test_a_key_is_not_written_through_a_link(path: Path, tmp_path: Path) -> None:
    """A link that waits at the place of the file is not followed."""
    path.unlink()
    target = tmp_path / "elsewhere"
    path.symlink_to(target)
    assert code(keyfile.store, PRIVATE, "producer", "lab", path.parent) == "key_exists"
    assert not target.exists()


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o710, 0o701, 0o777])
def test_a_key_is_not_written_into_an_open_folder(folder: Path, mode: int) -> None:
    """A folder that group or others can enter is refused before anything is written."""
    folder.mkdir(parents=True)
    folder.chmod(mode)
    assert code(keyfile.generate, "producer", "lab", folder) == "key_permissions"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o660])
def test_a_key_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    """Reading, and looking without unlocking, need a mode without group and others."""
    path.chmod(mode)
    assert code(keyfile.load, path) == "key_permissions"
    assert code(keyfile.inspect, path) == "key_permissions"


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    """A path without a file, and a link to nowhere, are missing."""
    assert code(keyfile.load, tmp_path / "none.pem") == "key_missing"
    (tmp_path / "link.pem").symlink_to(tmp_path / "none.pem")
    assert code(keyfile.load, tmp_path / "link.pem") == "key_missing"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, and a pipe that would block for ever, are unreadable at once."""
    (tmp_path / "folder.pem").mkdir()
    assert code(keyfile.load, tmp_path / "folder.pem") == "key_unreadable"
    os.mkfifo(tmp_path / "pipe.pem", 0o600)
    assert code(keyfile.load, tmp_path / "pipe.pem") == "key_unreadable"


def test_a_passphrase_protects_a_key(folder: Path) -> None:
    """The right one opens it; a wrong, empty or missing one gives key_passphrase."""
    made = keyfile.store(PRIVATE, "producer", "lab", folder, passphrase=b"secret")
    assert b"ENCRYPTED" in made.read_bytes()
    assert keyfile.load(made, b"secret").public_key == PRIVATE.public_key().public_bytes_raw()
    assert keyfile.load(made, lambda: b"secret").name == "lab"
    for wrong in (b"secreT", b"", None, lambda: b"", lambda: b"x" * 2000):
        assert code(keyfile.load, made, wrong) == "key_passphrase"


def test_an_empty_passphrase_is_not_taken_for_none(folder: Path) -> None:
    """Asking for protection without a passphrase does not leave the key unprotected."""
    assert code(keyfile.generate, "producer", "lab", folder, passphrase=b"") == "key_passphrase"
    assert not folder.exists()


def test_nobody_is_asked_for_a_passphrase_that_is_not_needed(path: Path) -> None:
    """A key in the clear is read without calling back."""

    def ask() -> bytes:
        raise AssertionError("asked")

    assert keyfile.load(path, ask).name == "lab"


def test_a_file_tells_its_public_part_without_being_unlocked(folder: Path) -> None:
    """Name, role, public key and key id are read without the passphrase."""
    made = keyfile.store(PRIVATE, "authority", "lab", folder, passphrase=b"secret")
    info = keyfile.inspect(made)
    public_key = PRIVATE.public_key().public_bytes_raw()
    assert (info.path, info.name, info.role, info.encrypted) == (made, "lab", "authority", True)
    assert (info.public_key, info.kid) == (public_key, ed25519.thumbprint(public_key))


OTHER = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)), "lab", "producer")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"name: lab", b"name: bal"),
        (b"name: lab", b"name: lab2"),
        (b"name: lab\n", b""),
        (b"name: lab\n", b"name: lab\nname: lab\n"),
        (b"name: lab", b"name: l\xc3\xa4b"),
        (b"name: lab", b"name: l b"),
        (b"role: producer", b"role: authority"),
        (b"role: producer", b"role: admin"),
        (b"vif-key: 1", b"vif-key: 2"),
        (b"public-key: ", b"public-key: 00"),
        (b"proof: ", b"proof:"),
        (b"\n", b"\r\n"),
        (b"PRIVATE KEY-----\n", b"PRIVATE KEY-----\n\n"),
        (b"-----END ", b"-----end "),
    ],
)
@pytest.mark.parametrize("passphrase", [None, b"secret"])
def test_an_edited_file_is_refused(
    folder: Path, old: bytes, new: bytes, passphrase: bytes | None
) -> None:
    """Name, role and every line belong to the key: none can be changed by hand."""
    made = keyfile.store(PRIVATE, "producer", "lab", folder, passphrase=passphrase)
    data = made.read_bytes()
    assert old in data
    made.write_bytes(data.replace(old, new))
    assert code(keyfile.load, made, b"secret") == "key_unreadable"


def test_a_key_that_only_claims_to_be_encrypted_does_not_open(path: Path) -> None:
    """The line that announces the block decides whether a passphrase is asked for."""
    path.write_bytes(path.read_bytes().replace(b" PRIVATE KEY", b" ENCRYPTED PRIVATE KEY"))
    assert code(keyfile.load, path) == "key_passphrase"
    assert code(keyfile.load, path, b"secret") == "key_passphrase"


def test_the_lines_of_another_key_are_refused(path: Path, tmp_path: Path) -> None:
    """The lines of one key above the private part of another are found, though each is good."""
    other = keyfile.store(OTHER._private, "producer", "lab", path.parent)
    lines = other.read_bytes().split(b"-----BEGIN")[0]
    pem = path.read_bytes().split(b"-----BEGIN")[1]
    path.write_bytes(lines + b"-----BEGIN" + pem)
    assert keyfile.inspect(path).public_key == OTHER.public_key
    assert code(keyfile.load, path) == "key_unreadable"


def test_another_kind_of_key_is_refused(path: Path) -> None:
    """A key on another curve is not used, whatever the lines say."""
    lines = path.read_bytes().split(b"-----BEGIN")[0]
    pem = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.write_bytes(lines + pem)
    assert code(keyfile.load, path) == "key_unreadable"


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"vif-key: 1\n", b"a" * 100_000])
def test_junk_is_refused(path: Path, data: bytes) -> None:
    """Empty, binary, cut off and oversized files are unreadable."""
    path.write_bytes(data)
    assert code(keyfile.load, path) == "key_unreadable"


def test_any_cut_is_refused(path: Path) -> None:
    """A file cut anywhere, as after a crash while it was written, is unreadable."""
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert code(keyfile.load, path) == "key_unreadable"


def test_other_programs_read_the_key(path: Path) -> None:
    """The lines above the PEM block do not disturb a reader of PEM."""
    private = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    assert private.private_bytes_raw() == SEED


def test_a_failed_write_leaves_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails, the half-written key is taken away."""

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    folder.mkdir(mode=0o700, parents=True)
    monkeypatch.setattr(os, "fsync", fail)
    assert code(keyfile.generate, "producer", "lab", folder) == "key_permissions"
    assert list(folder.iterdir()) == []


def test_a_key_is_durable_before_its_path_is_returned(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File and folder are both synced: losing a key that was enrolled would be worse than none."""
    synced = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    keyfile.generate("producer", "lab", folder)
    assert synced == [False, True]


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("admin", "lab"),
        ("", "lab"),
        ("log", ""),
        ("log", "a b"),
        ("log", "a\nrole: authority"),
        ("log", "a" * 129),
    ],
)
def test_a_name_that_no_key_can_have_is_refused(folder: Path, role: str, name: str) -> None:
    """A role or name outside of specs/05 never reaches a file."""
    with pytest.raises(FormatError, match="body_invalid"):
        keyfile.generate(role, name, folder)
    assert not folder.exists()


def test_a_folder_finds_its_keys(path: Path) -> None:
    """Keys are listed without unlocking and found by key id; other files are left alone."""
    locked = keyfile.store(OTHER._private, "log", "org", path.parent, passphrase=b"secret")
    (path.parent / "notes.txt").write_text("not a key")
    (path.parent / "tls.pem").write_text("not one of ours")
    keys = KeyFolder(path.parent)
    assert [(info.path, info.encrypted) for info in keys.list()] == [(locked, True), (path, False)]
    assert keys.find(OTHER.kid) == locked
    assert keys.find(keyfile.load(path).kid) == path
    assert keys.find(bytes(32)) is None


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """Asking for keys makes no folder."""
    keys = KeyFolder(tmp_path / "none")
    assert (keys.list(), keys.find(bytes(32))) == ((), None)
    assert not keys.path.exists()


def test_two_keys_that_share_the_beginning_of_their_ids_are_told_apart(path: Path) -> None:
    """A file is found by the whole key id, though its name holds only a part."""
    kid = keyfile.load(path).kid
    assert KeyFolder(path.parent).find(kid[:8] + bytes(24)) is None


def test_the_folder_is_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VIF_KEYS names the folder; without it the user's configuration holds it."""
    monkeypatch.setenv("VIF_KEYS", str(tmp_path))
    assert keyfile.default_folder().path == tmp_path
    monkeypatch.delenv("VIF_KEYS")
    assert keyfile.default_folder().path.parts[-2:] == ("vif", "keys")


def test_a_signer_is_opened_by_its_address(path: Path) -> None:
    """`file:PATH` is the one address that is supported; reserved and unknown ones are refused."""
    assert open_signer(f"file:{path}").name == "lab"
    for uri in ("agent:x", "pkcs11:x", "awskms:x", "file:", str(path), "", "http://x", ":x"):
        assert code(open_signer, uri) == "signer_unsupported"
    assert code(open_signer, "file:/nowhere/at/all") == "key_missing"


def test_a_signer_gives_nothing_away(path: Path) -> None:
    """No text, copy or pickle of a signer holds key material, and it has no attribute for it."""
    signer = keyfile.load(path)
    for text in (repr(signer), str(signer), f"{signer}", repr([signer]), repr(signer._private)):
        assert SEED.hex() not in text
        assert repr(SEED) not in text
    assert "lab" in repr(signer)
    for work in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            work(signer)
    assert not hasattr(signer, "__dict__")
