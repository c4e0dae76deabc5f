"""Properties of heads and proof files (specs/04 sections 3 and 4)."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.formats import note, proof_file
from tools.vectors import lab

HEAD = lab.head(5)
origins = st.from_regex(r"[A-Za-z0-9._-]{1,30}(/[A-Za-z0-9._-]{1,30}){0,2}", fullmatch=True)
digests = st.binary(min_size=32, max_size=32)
sizes = st.integers(1, 2**63 - 1)


@given(origins, sizes, digests)
def test_a_head_is_read_back(origin: str, size: int, root: bytes) -> None:
    """What is signed is parsed and verifies, under the key that signed and no other."""
    head = note.Checkpoint(origin, size, root)
    data = note.sign_checkpoint(head, origin, lab.LOG.sign, lab.LOG.public_key)
    assert note.parse_checkpoint(data)[0] == head
    assert note.verify_checkpoint(data, origin, lab.LOG.public_key) == head
    with pytest.raises(FormatError, match="checkpoint_signature"):
        note.verify_checkpoint(data, origin, lab.PRODUCER.public_key)


@given(st.integers(0, len(HEAD) - 1), st.integers(1, 255))
def test_a_changed_byte_of_a_head_is_found(at: int, mask: int) -> None:
    """A changed byte makes a head malformed or its signature wrong."""
    changed = HEAD[:at] + bytes([HEAD[at] ^ mask]) + HEAD[at + 1 :]
    with pytest.raises(FormatError) as refused:
        note.verify_checkpoint(changed, lab.ORIGIN, lab.LOG.public_key)
    assert refused.value.code in {"checkpoint_invalid", "checkpoint_signature", "log_empty"}


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_a_note_or_refused(data: bytes) -> None:
    """Nothing but a FormatError escapes; what is read is written back from its parts."""
    for whole in (data, HEAD + data, HEAD[:40] + data):
        try:
            parsed = note.parse_note(whole)
        except FormatError as error:
            if error.code != "checkpoint_invalid":
                raise
            continue
        lines = [
            f"— {s.name} {b64encode(s.key_id + s.signature).decode()}\n" for s in parsed.signatures
        ]
        assert (parsed.text + "\n" + "".join(lines)).encode() == whole


@given(st.text(max_size=60))
@example("QR==")
@example("QUF=")
@example("QQ")
@example("QQ=")
@example("QQ==\n")
@example("Q-==")
@example("====")
def test_base64_has_one_spelling(text: str) -> None:
    """What decode_base64 takes is what encoding its result gives."""
    raw = note.decode_base64(text)
    assert raw is None or b64encode(raw).decode() == text


@given(st.binary(max_size=60))
def test_base64_is_read_back(raw: bytes) -> None:
    """Every byte string can be read back."""
    assert note.decode_base64(b64encode(raw).decode()) == raw


@given(origins, digests)
def test_a_verifier_key_is_read_back(name: str, public_key: bytes) -> None:
    """parse_vkey(vkey(x)) is x."""
    assert note.parse_vkey(note.vkey(name, public_key)) == (name, public_key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "a b+00000000+AQ==",
        note.vkey("name", bytes(32)).replace("name", "game"),
        note.vkey("name", bytes(32)) + "\n",
        note.vkey("name", bytes(31)),
        note.vkey("name", bytes(32)).replace("+AQ", "+BA"),
        note.vkey("name", bytes(32)).upper(),
    ],
)
def test_other_text_is_no_verifier_key(text: str) -> None:
    """Another name, length, kind of key or spelling is refused."""
    with pytest.raises(FormatError, match="checkpoint_invalid"):
        note.parse_vkey(text)


def test_no_head_is_signed_that_would_be_refused() -> None:
    """A writer keeps to section 3 too."""
    for origin, size, root, code in [
        ("a b", 1, bytes(32), "checkpoint_invalid"),
        ("a", 1, bytes(31), "checkpoint_invalid"),
        ("a", 0, bytes(32), "log_empty"),
        ("a", -1, bytes(32), "log_empty"),
    ]:
        head = note.Checkpoint(origin, size, root)
        with pytest.raises(FormatError, match=code):
            note.sign_checkpoint(head, origin, lab.LOG.sign, lab.LOG.public_key)


@given(
    st.integers(0, 2**63 - 1), st.lists(digests, max_size=63), st.binary(min_size=1, max_size=90)
)
def test_proof_files_are_read_back(number: int, hashes: list[bytes], checkpoint: bytes) -> None:
    """Whatever the head is, both forms keep index or size, hashes and head."""
    receipt = proof_file.parse_inclusion(proof_file.write_inclusion(number, hashes, checkpoint))
    assert (receipt.index, list(receipt.hashes), receipt.checkpoint) == (number, hashes, checkpoint)
    update = proof_file.parse_consistency(proof_file.write_consistency(number, hashes, checkpoint))
    assert (update.old, list(update.hashes), update.checkpoint) == (number, hashes, checkpoint)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_proof_file_or_refused(data: bytes) -> None:
    """Nothing but a FormatError escapes."""
    for start in (b"", b"c2sp.org/tlog-proof@v1\nindex 3\n", b"old 3\n"):
        for parse in (proof_file.parse_inclusion, proof_file.parse_consistency):
            try:
                parse(start + data)
            except FormatError as error:
                if error.code != "proof_file_invalid":
                    raise


def test_no_proof_file_of_64_hashes_is_written() -> None:
    """A writer keeps to the bound too."""
    for write in (proof_file.write_inclusion, proof_file.write_consistency):
        with pytest.raises(FormatError, match="proof_file_invalid"):
            write(0, [bytes(32)] * 64, b"head")
