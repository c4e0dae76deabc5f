"""Cases of specs/04 section 4: proofs as values, and in files."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from ledger.formats import merkle, proof_file
from tools.vectors import lab
from tools.vectors.case import Case

_LEAVES = tuple(merkle.hash_leaf(n.to_bytes(2)) for n in range(600))
_TILES = merkle.tiles_after_append(0, _LEAVES, lambda level, number: b"")


def _read(level: int, number: int) -> bytes:
    return _TILES[level, number]


def cases() -> Iterator[Case]:
    """Yield the cases of kinds inclusion, consistency and proof_file."""
    yield from _inclusions()
    yield from _consistencies()
    yield from _files()


def _root(size: int) -> bytes:
    return merkle.root_of(_LEAVES[:size])


def _inclusions() -> Iterator[Case]:
    def made(name: str, told: str, index: int, size: int, expect: str = "ok", **other: Any) -> Case:
        proof = merkle.inclusion_proof(index, size, _read) if index < size <= 600 else []
        values: dict[str, Any] = {
            "leaf_hash": _LEAVES[index] if index < 600 else bytes(32),
            "proof": proof,
            "root": _root(size) if 0 < size <= 600 else bytes(32),
        }
        values |= other
        arguments = {"index": index, "size": size} | {
            key: [item.hex() for item in value] if isinstance(value, list) else value.hex()
            for key, value in values.items()
        }
        return Case(f"inclusion_{name}", "inclusion", told, expect, arguments)

    for index, size in [(0, 1), (0, 2), (1, 2), (2, 3), (0, 3), (3, 5), (4, 5), (5, 7), (6, 7),
                        (7, 8), (0, 256), (255, 256), (256, 257), (100, 300), (512, 600),
                        (599, 600)]:  # fmt: skip
        yield made(f"{index}_of_{size}", f"leaf {index} in a tree of {size}", index, size)
    code = "inclusion_invalid"
    proof = merkle.inclusion_proof(3, 7, _read)
    yield made("index_is_size", "the index is the size", 7, 7, code)
    yield made("index_beyond", "the index is beyond the size", 9, 7, code)
    yield made("size_0", "an empty tree", 0, 0, code)
    yield made("root", "another root", 3, 7, code, root=_root(6))
    yield made("leaf_hash", "another leaf", 3, 7, code, leaf_hash=_LEAVES[2])
    yield made("index", "a proof for another index", 3, 7, code,
               proof=merkle.inclusion_proof(2, 7, _read))  # fmt: skip
    yield made("size", "a proof in a larger tree", 3, 7, code,
               proof=merkle.inclusion_proof(3, 9, _read))  # fmt: skip
    yield made("short", "the last hash is missing", 3, 7, code, proof=proof[:-1])
    yield made("empty", "no hash at all", 3, 7, code, proof=[])
    yield made("long", "a hash too many", 3, 7, code, proof=[*proof, proof[-1]])
    yield made(
        "long_root", "the root at the end of the proof", 3, 7, code, proof=[*proof, _root(7)]
    )
    yield made("long_single", "a proof for the only leaf", 0, 1, code, proof=[_LEAVES[0]])
    yield made("swapped", "two hashes swapped", 3, 7, code, proof=[proof[1], proof[0], proof[2]])
    yield made("flipped", "one bit flipped", 3, 7, code,
               proof=[bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]])  # fmt: skip
    yield made("hash_31", "a hash of 31 bytes", 3, 7, code, proof=[proof[0][:31], *proof[1:]])
    yield made("root_31", "a root of 31 bytes", 3, 7, code, root=_root(7)[:31])
    yield made("index_2_62", "an index far beyond", 2**62, 7, code)


def _consistencies() -> Iterator[Case]:
    def made(name: str, told: str, old: int, new: int, expect: str = "ok", **other: Any) -> Case:
        proof = merkle.consistency_proof(old, new, _read) if 0 < old <= new <= 600 else []
        values: dict[str, Any] = {
            "old_root": _root(old) if old else bytes(32),
            "new_root": _root(new) if 0 < new <= 600 else bytes(32),
            "proof": proof,
        }
        values |= other
        arguments = {"old": old, "new": new} | {
            key: [item.hex() for item in value] if isinstance(value, list) else value.hex()
            for key, value in values.items()
        }
        return Case(f"consistency_{name}", "consistency", told, expect, arguments)

    for old, new in [(1, 1), (1, 2), (2, 3), (3, 3), (3, 7), (4, 7), (6, 7), (4, 8), (6, 8), (7, 8),
                     (1, 256), (255, 256), (256, 257), (256, 512), (300, 600),
                     (599, 600)]:  # fmt: skip
        yield made(f"{old}_to_{new}", f"from {old} to {new}", old, new)
    code = "consistency_invalid"
    proof = merkle.consistency_proof(3, 7, _read)
    yield made("from_0", "every tree would be consistent with an empty one", 0, 7, code)
    yield made("from_0_to_0", "two empty trees", 0, 0, code)
    yield made("backwards", "the first is the larger", 7, 3, code)
    yield made("equal_proof", "equal sizes with a proof", 7, 7, code, proof=[_LEAVES[0]])
    yield made("equal_roots", "equal sizes with different roots", 7, 7, code, new_root=_root(6))
    yield made("empty", "no hash at all", 3, 7, code, proof=[])
    yield made("empty_power", "no hash at all from a power of two", 4, 7, code, proof=[])
    yield made("short", "the last hash is missing", 3, 7, code, proof=proof[:-1])
    yield made("long", "a hash too many", 3, 7, code, proof=[*proof, proof[-1]])
    yield made("long_power", "a hash too many from a power of two", 4, 8, code,
               proof=[*merkle.consistency_proof(4, 8, _read), _LEAVES[0]])  # fmt: skip
    yield made("old_root_first", "the old root leads the proof although the size is a power of two",
               4, 8, code, proof=[_root(4), *merkle.consistency_proof(4, 8, _read)])  # fmt: skip
    yield made("old_root", "another old root", 3, 7, code, old_root=_root(2))
    yield made("new_root", "another new root", 3, 7, code, new_root=_root(6))
    yield made(
        "roots_swapped", "the roots swapped", 3, 7, code, old_root=_root(7), new_root=_root(3)
    )
    yield made("flipped", "one bit flipped", 3, 7, code,
               proof=[*proof[:-1], proof[-1][:-1] + bytes([proof[-1][-1] ^ 1])])  # fmt: skip
    yield made("hash_33", "a hash of 33 bytes", 3, 7, code, proof=[*proof[:-1], proof[-1] + b"\0"])
    yield made("sizes", "a proof for other sizes", 3, 7, code,
               proof=merkle.consistency_proof(3, 6, _read))  # fmt: skip


def _files() -> Iterator[Case]:
    head = lab.head(5)
    tiles = merkle.tiles_after_append(0, lab.LEAVES, lambda level, number: b"")
    inclusion = merkle.inclusion_proof(3, 5, lambda level, number: tiles[level, number])
    consistency = merkle.consistency_proof(3, 5, lambda level, number: tiles[level, number])
    receipt = proof_file.write_inclusion(3, inclusion, head)
    update = proof_file.write_consistency(3, consistency, head)

    def made(
        name: str, told: str, form: str, data: bytes, number: int, hashes: Sequence[bytes]
    ) -> Case:
        arguments = {
            "form": form,
            "index" if form == "inclusion" else "old": number,
            "hashes": [value.hex() for value in hashes],
        }
        return Case(f"proof_{name}", "proof_file", told, "ok", arguments, {"input.bin": data})

    yield made("inclusion", "a receipt", "inclusion", receipt, 3, inclusion)
    yield made("inclusion_alone", "a receipt in a tree of one", "inclusion",
               proof_file.write_inclusion(0, [], lab.head(1)), 0, [])  # fmt: skip
    most = [bytes([n]) * 32 for n in range(63)]
    yield made("inclusion_63", "as many hashes as there may be", "inclusion",
               proof_file.write_inclusion(2**63 - 2, most, head), 2**63 - 2, most)  # fmt: skip
    yield made("consistency", "a consistency proof", "consistency", update, 3, consistency)
    yield made("consistency_equal", "from a size to itself", "consistency",
               proof_file.write_consistency(5, [], head), 5, [])  # fmt: skip
    for form, name, told, data in _malformed(receipt, update):
        raw = data if isinstance(data, bytes) else data.encode()
        yield Case(f"proof_{form}_{name}", "proof_file", told, "proof_file_invalid",
                   {"form": form}, {"input.bin": raw})  # fmt: skip


def _malformed(receipt: bytes, update: bytes) -> Iterator[tuple[str, str, str, str | bytes]]:
    first, index, *rest = receipt.decode().split("\n")
    tail = "\n".join(rest)
    digest = b64encode(bytes(32)).decode()
    broken: list[tuple[str, str, str | bytes]] = [
        ("no_magic", "the first line is missing", f"{index}\n{tail}"),
        ("magic", "another version", f"c2sp.org/tlog-proof@v2\n{index}\n{tail}"),
        ("no_index", "the index is missing", f"{first}\n{tail}"),
        ("extra", "an extra line", f"{first}\nextra AAAA\n{index}\n{tail}"),
        ("extra_after", "an extra line after the index", f"{first}\n{index}\nextra AAAA\n{tail}"),
        ("index_padded", "an index with a leading zero", f"{first}\nindex 03\n{tail}"),
        ("index_plus", "an index with a sign", f"{first}\nindex +3\n{tail}"),
        ("index_spaces", "two spaces before the index", f"{first}\nindex  3\n{tail}"),
        ("index_after", "a space after the index", f"{first}\nindex 3 \n{tail}"),
        ("index_2_63", "index 2^63", f"{first}\nindex {2**63}\n{tail}"),
        ("index_upper", "Index", f"{first}\nIndex 3\n{tail}"),
        ("index_tab", "a tab before the index", f"{first}\nindex\t3\n{tail}"),
        (
            "hash_31",
            "a hash of 31 bytes",
            f"{first}\n{index}\n{b64encode(bytes(31)).decode()}\n{tail}",
        ),
        ("hash_unpadded", "a hash without padding", f"{first}\n{index}\n{digest[:-1]}\n{tail}"),
        (
            "hash_bits",
            "trailing bits that are not zero",
            f"{first}\n{index}\n{digest[:-2]}B=\n{tail}",
        ),
        ("hash_space", "a space after a hash", f"{first}\n{index}\n{digest} \n{tail}"),
        ("hash_hex", "a hash in hexadecimal", f"{first}\n{index}\n{bytes(32).hex()}\n{tail}"),
        (
            "64",
            "64 hashes",
            f"{first}\n{index}\n" + f"{digest}\n" * 64 + "\n" + tail.split("\n\n", 1)[1],
        ),
        ("crlf", "lines that end in CR LF", receipt.replace(b"\n", b"\r\n")),
        ("no_empty_line", "no empty line before the head", receipt.replace(b"\n\n", b"\n", 1)),
        ("no_head", "no head", receipt.split(b"\n\n")[0] + b"\n"),
        ("empty", "no bytes at all", b""),
        ("utf8", "a byte that is not ASCII", receipt.replace(b"index", b"index\xff", 1)),
        ("other_form", "a consistency proof", update),
    ]
    for name, told, data in broken:
        yield "inclusion", name, told, data
    old, *rest = update.decode().split("\n")
    tail = "\n".join(rest)
    broken = [
        ("no_old", "the old size is missing", tail),
        ("old_padded", "an old size with a leading zero", f"old 03\n{tail}"),
        ("old_minus", "an old size with a sign", f"old -3\n{tail}"),
        ("old_2_63", "old 2^63", f"old {2**63}\n{tail}"),
        ("old_twice", "two old sizes", f"{old}\n{old}\n{tail}"),
        ("hash_33", "a hash of 33 bytes", f"{old}\n{b64encode(bytes(33)).decode()}\n{tail}"),
        ("64", "64 hashes", f"{old}\n" + f"{digest}\n" * 64 + "\n" + tail.split("\n\n", 1)[1]),
        ("no_empty_line", "no empty line before the head", update.replace(b"\n\n", b"\n", 1)),
        ("no_head", "no head", update.split(b"\n\n")[0] + b"\n"),
        ("empty", "no bytes at all", b""),
        ("other_form", "a receipt", receipt),
    ]
    for name, told, data in broken:
        yield "consistency", name, told, data
