"""The lists of a bag, byte for byte (specs/07 §2)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import bagit

from ledger.export.bag import Bag
from ledger.export.sink import open_sink


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make(target: Path, *, seal: bool) -> None:
    with open_sink(target) as sink, Bag(sink, target.parent) as bag:
        bag.add("data/summary.html", [b"page"], compress=True)
        bag.add("README.md", [b"read me"], compress=True)
        bag.add("data/content/aa/aa00", [b"content"])
        if seal:
            written = bag.seal()
            assert written.path == "seal-sha256.txt"
        bag.add("data/log/tile/0/000.p/1", [b"t" * 32])
        bag.add("data/log/checkpoint", [b"head"])
        bag.close(date="2026-11-20", origin="example.org/lab")
        sink.finish()


def test_a_sealed_bag_is_byte_for_byte_as_the_page_says(tmp_path: Path) -> None:
    """All five tag files, their lines in bytewise order, and what stands in which list."""
    make(tmp_path / "bag", seal=True)
    names = ["bagit.txt", "bag-info.txt", "seal-sha256.txt", "manifest-sha256.txt"]
    names += ["tagmanifest-sha256.txt"]
    bagit_txt, info, seal, manifest, tagmanifest = (
        (tmp_path / "bag" / name).read_text() for name in names
    )
    assert bagit_txt == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    assert info == (
        "Bagging-Date: 2026-11-20\n"
        "External-Identifier: example.org/lab\n"
        "Payload-Oxum: 47.4\n"
        "Bag-Software-Agent: vif-ledger\n"
    )
    readme = f"{digest(b'read me')}  README.md\n"
    content = f"{digest(b'content')}  data/content/aa/aa00\n"
    log = f"{digest(b'head')}  data/log/checkpoint\n{digest(b't' * 32)}  data/log/tile/0/000.p/1\n"
    page = f"{digest(b'page')}  data/summary.html\n"
    assert seal == readme + content + page
    assert manifest == content + log + page
    assert tagmanifest == readme + "".join(
        f"{digest(text.encode())}  {name}\n"
        for name, text in [
            ("bag-info.txt", info),
            ("bagit.txt", bagit_txt),
            ("manifest-sha256.txt", manifest),
            ("seal-sha256.txt", seal),
        ]
    )


def test_an_unsealed_bag_has_no_seal_anywhere(tmp_path: Path) -> None:
    """An unsigned package has neither the file nor a line about it."""
    make(tmp_path / "bag", seal=False)
    assert not (tmp_path / "bag" / "seal-sha256.txt").exists()
    assert "seal" not in (tmp_path / "bag" / "tagmanifest-sha256.txt").read_text()


def test_the_public_bagit_library_validates_it(tmp_path: Path) -> None:
    """RFC 8493 as another program reads it."""
    make(tmp_path / "bag", seal=True)
    assert bagit.Bag(str(tmp_path / "bag")).validate()
