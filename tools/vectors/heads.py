"""Cases of specs/04 section 3: heads as text, and heads under a key."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from ledger.formats import merkle, note
from tools.vectors import lab
from tools.vectors.case import Case

_HEAD = lab.head(5)
_TEXT, _LINE = (part.decode() for part in _HEAD.split(b"\n\n"))
_TEXT += "\n"
_ORIGIN, _SIZE, _ROOT = _TEXT.split("\n")[:3]
_WITNESS = lab.signer(9, "cosigner.example", "log")


def cases() -> Iterator[Case]:
    """Yield the cases of kinds checkpoint and note."""
    yield _checkpoint("signed", "the head of the test ledger", _HEAD, size=5)
    yield _checkpoint("size_1", "the smallest head", lab.head(1), size=1)
    many = _TEXT + "\n" + _line(_WITNESS, _TEXT) * 15 + _LINE
    yield _checkpoint("16_lines", "as many signature lines as there may be", many.encode(), size=5)
    text = f"{_ORIGIN}\n9223372036854775807\n{_ROOT}\n"
    whole = f"{text}\n{_line(lab.LOG, text)}".encode()
    yield _checkpoint("size_largest", "size 2^63-1", whole, size=2**63 - 1)
    text = f"{_ORIGIN}\n0\n{_ROOT}\n"
    yield _checkpoint(
        "size_0", "a head of nothing", f"{text}\n{_LINE}".encode(), expect="log_empty"
    )
    for name, told, data in _malformed():
        raw = data.encode() if isinstance(data, str) else data
        yield _checkpoint(name, told, raw, expect="checkpoint_invalid")
    yield from _notes()


def _checkpoint(
    name: str, description: str, data: bytes, *, size: int = 0, expect: str = "ok"
) -> Case:
    arguments: dict[str, Any] = {}
    if expect == "ok":
        root = note.decode_base64(data.split(b"\n")[2].decode()) or b""
        arguments = {"origin": lab.ORIGIN, "size": size, "root": root.hex()}
    files = {"input.bin": data}
    return Case(f"checkpoint_{name}", "checkpoint", description, expect, arguments, files)


def _line(key: Any, text: str) -> str:
    blob = note.key_id(key.name, key.public_key) + key.sign(text.encode())
    return f"— {key.name} {b64encode(blob).decode()}\n"


def _malformed() -> Iterator[tuple[str, str, str | bytes]]:
    def made(*, origin: str = _ORIGIN, size: str = _SIZE, root: str = _ROOT, more: str = "") -> str:
        return f"{origin}\n{size}\n{root}\n{more}\n{_LINE}"

    yield "empty", "no bytes at all", b""
    yield "utf8", "invalid UTF-8 in the origin", _HEAD.replace(b"example", b"exampl\xff")
    yield (
        "utf8_surrogate",
        "a surrogate in a key name",
        _HEAD + b"\xe2\x80\x94 \xed\xa0\x80 AAAAAAA=\n",
    )
    yield "bom", "a byte order mark", b"\xef\xbb\xbf" + _HEAD
    yield "crlf", "lines that end in CR LF", _HEAD.replace(b"\n", b"\r\n")
    yield "tab", "a control character in the origin", made(origin="example.org\t/lab")
    yield "nul", "U+0000 in a key name", _HEAD + "— a\0b AAAAAAA=\n".encode()
    yield "origin_empty", "an empty origin", made(origin="")
    yield "origin_space", "an origin with a space", made(origin="example.org lab")
    yield "origin_slash", "an origin that ends in a slash", made(origin="example.org/")
    yield "origin_129", "an origin of 129 characters", made(origin="a" * 129)
    yield "origin_not_ascii", "an origin with a letter beyond ASCII", made(origin="exämple.org")
    for name, told, size in [
        ("zero_padded", "a leading zero", "05"), ("plus", "a sign", "+5"),
        ("minus", "a sign", "-5"),
        ("minus_0", "a sign before zero", "-0"), ("underscore", "a separator", "1_000"),
        ("space", "a space before the digits", " 5"),
        ("space_after", "a space after the digits", "5 "),
        ("empty", "no digits", ""), ("hex", "hexadecimal", "0x5"), ("float", "a fraction", "5.0"),
        ("exponent", "an exponent", "5e0"), ("arabic", "digits beyond ASCII", "٥"),
        ("2_63", "2^63", "9223372036854775808"), ("21_digits", "21 digits", "1" * 21),
        ("00", "two zeros", "00"),
    ]:  # fmt: skip
        yield f"size_{name}", f"the size has {told}", made(size=size)
    raw = note.decode_base64(_ROOT) or b""
    for name, told, root in [
        ("31", "31 bytes", b64encode(raw[:31]).decode()),
        ("33", "33 bytes", b64encode(raw + b"\0").decode()),
        ("empty", "nothing", ""),
        ("unpadded", "no padding", _ROOT.rstrip("=")),
        ("padded", "too much padding", _ROOT + "="),
        ("urlsafe", "the other alphabet", b64encode(b"\xfb" * 32).decode().replace("+", "-")),
        ("bits", "trailing bits that are not zero", b64encode(bytes(32)).decode()[:-2] + "B="),
        ("space", "a space inside", _ROOT[:9] + " " + _ROOT[9:]),
        ("hex", "hexadecimal", raw.hex()),
        ("junk", "characters outside of the alphabet", _ROOT[:9] + "!!!!" + _ROOT[9:]),
    ]:
        yield f"root_{name}", f"the root line has {told}", made(root=root)
    yield "extension", "an extension line", made(more="extension\n")
    yield "lines_2", "no root line", f"{_ORIGIN}\n{_SIZE}\n\n{_LINE}"
    yield "no_empty_line", "no empty line before the signatures", _TEXT + _LINE
    yield "two_empty_lines", "two empty lines", _TEXT + "\n\n" + _LINE
    yield "no_signature", "no signature line", _TEXT + "\n"
    yield "text_alone", "the text alone", _TEXT
    yield "no_final_newline", "no newline at the end", _HEAD[:-1]
    yield "line_after", "a line after the signatures", _HEAD + b"more\n"
    yield "empty_line_after", "an empty line after the signatures", _HEAD + b"\n"
    yield "empty_line_between", "an empty line between signatures", f"{_TEXT}\n{_LINE}\n{_LINE}"
    name, blob = _LINE.split(" ")[1:]
    for label, told, line in [
        ("hyphen", "a hyphen instead of the dash", f"- {name} {blob}"),
        ("en_dash", "an en dash", f"– {name} {blob}"),
        ("no_name", "no key name", f"— {blob}"),
        ("empty_name", "an empty key name", f"—  {blob}"),
        ("plus", "a plus in the key name", f"— a+b {blob}"),
        ("two_spaces", "two spaces", f"— {name}  {blob}"),
        ("third_word", "a third word", f"— {name} x {blob}"),
        ("space_after", "a space at the end", f"— {name} {blob[:-1]} \n"),
        ("no_blob", "no signature", f"— {name}\n"),
        ("unpadded", "no padding", f"— {name} {blob.rstrip()[:-1]}\n"),
        ("junk", "characters outside of the alphabet", f"— {name} !{blob}"),
        ("key_id_alone", "a key id and nothing else", f"— {name} AAAAAA==\n"),
        ("key_id_short", "three bytes", f"— {name} AAAA\n"),
    ]:
        yield f"line_{label}", f"a signature line with {told}", f"{_TEXT}\n{_LINE}{line}"
    yield "17_lines", "17 signature lines", f"{_TEXT}\n" + _LINE * 17
    large = b64encode(bytes(49500)).decode()
    yield "too_large", "more than 65,536 bytes", f"{_TEXT}\n{_LINE}— {name} {large}\n"


def _notes() -> Iterator[Case]:
    def made(name: str, told: str, data: str | bytes, expect: str = "ok", **other: str) -> Case:
        arguments = {"name": lab.ORIGIN, "public_key": lab.LOG.public_key.hex()} | other
        files = {"input.bin": data.encode() if isinstance(data, str) else data}
        return Case(f"note_{name}", "note", told, expect, arguments, files)

    code = "checkpoint_signature"
    other = lab.signer(8, lab.ORIGIN, "log")
    blob = note.decode_base64(_LINE.split(" ")[2][:-1]) or b""

    def line(raw: bytes, name: str = lab.ORIGIN) -> str:
        return f"— {name} {b64encode(raw).decode()}\n"

    cosigned = _line(_WITNESS, _TEXT)
    yield made("signed", "the head of the test ledger", _HEAD)
    yield made("cosigned", "a line of another key is ignored", f"{_TEXT}\n{_LINE}{cosigned}")
    yield made("cosigned_first", "wherever it stands", f"{_TEXT}\n{cosigned}{_LINE}")
    broken = line(note.key_id(_WITNESS.name, _WITNESS.public_key) + bytes(64), _WITNESS.name)
    yield made("cosigned_broken", "whatever it says", f"{_TEXT}\n{_LINE}{broken}")
    short = line(b"\x01\x02\x03\x04\x05", "short.example")
    yield made("cosigned_short", "however long it is", f"{_TEXT}\n{short}{_LINE}")
    same_name = _line(other, _TEXT)
    yield made("same_name", "a key is its name and its id", f"{_TEXT}\n{same_name}{_LINE}")
    yield made("twice", "one line twice", f"{_TEXT}\n{_LINE}{_LINE}")
    yield made("other_key", "only another key under that name", f"{_TEXT}\n{same_name}", code)
    yield made("other_name", "the right key id under another name",
               f"{_TEXT}\n{line(blob, 'example.com/lab')}", code)  # fmt: skip
    yield made("key_id", "the right signature under another key id",
               f"{_TEXT}\n{line(bytes(4) + blob[4:])}", code)  # fmt: skip
    yield made("flipped", "one bit of the signature is flipped",
               f"{_TEXT}\n{line(blob[:20] + bytes([blob[20] ^ 1]) + blob[21:])}", code)  # fmt: skip
    yield made("one_of_two", "a good line and a bad one of the same key",
               f"{_TEXT}\n{_LINE}{line(blob[:-1] + bytes([blob[-1] ^ 1]))}", code)  # fmt: skip
    yield made("short", "a signature of 63 bytes", f"{_TEXT}\n{line(blob[:-1])}", code)
    yield made("long", "a signature of 65 bytes", f"{_TEXT}\n{line(blob + bytes(1))}", code)
    yield made("size", "the size is another one", _HEAD.replace(b"\n5\n", b"\n6\n"), code)
    root = b64encode(merkle.root_of(lab.LEAVES[:4])).decode()
    yield made("root", "the root is another one", _HEAD.decode().replace(_ROOT, root), code)
    bare = lab.LOG.sign(_TEXT[:-1].encode())
    yield made("newline", "signed without the final newline of the text",
               f"{_TEXT}\n{line(blob[:4] + bare)}", code)  # fmt: skip
    yield made("malformed", "refused before any signature is looked at", _HEAD + b"\n",
               "checkpoint_invalid")  # fmt: skip
