"""Content codings are undone in pieces, however large what they hide."""

from __future__ import annotations

import gzip
import importlib
import random
import zlib
from importlib.util import find_spec

import pytest

from ledger.capture.codings import PIECE_MAX_BYTES, Decoder, Undecodable

ENCODERS = {"gzip": gzip.compress, "deflate": zlib.compress}
if find_spec("brotli"):
    ENCODERS["br"] = importlib.import_module("brotli").compress
if find_spec("backports") and find_spec("backports.zstd"):
    ENCODERS["zstd"] = importlib.import_module("backports.zstd").compress
TEXT = b"".join(b"%d" % random.Random(7).randrange(10**9) for _ in range(3000))
BODIES = [b"", b"x", TEXT, bytes(5 * PIECE_MAX_BYTES)]


@pytest.mark.parametrize("coding", ENCODERS)
@pytest.mark.parametrize("body", BODIES, ids=len)
def test_a_body_comes_out_in_pieces_of_bounded_size(coding, body):
    decoder = Decoder([coding])
    pieces = list(decoder.feed(ENCODERS[coding](body)))
    assert b"".join(pieces) == body
    assert max(map(len, pieces), default=0) <= 2 * PIECE_MAX_BYTES
    assert decoder.finished


@pytest.mark.parametrize("coding", ENCODERS)
def test_a_body_can_come_in_any_pieces_and_be_cut_off(coding):
    packed = ENCODERS[coding](TEXT)
    decoder = Decoder([coding])
    out = b"".join(b"".join(decoder.feed(packed[at : at + 7])) for at in range(0, len(packed), 7))
    assert out == TEXT
    assert decoder.finished
    short = Decoder([coding])
    assert TEXT.startswith(b"".join(short.feed(packed[: len(packed) // 2])))
    assert not short.finished


@pytest.mark.parametrize("coding", [*ENCODERS, "compress", "aws-chunked"])
def test_what_is_not_of_the_coding_is_undecodable(coding):
    with pytest.raises(Undecodable):
        list(Decoder([coding]).feed(b"\xff" * 100))


def test_codings_are_undone_in_reverse_order():
    packed = zlib.compress(gzip.compress(TEXT))
    assert b"".join(Decoder(["gzip", "identity", "deflate"]).feed(packed)) == TEXT


def test_without_coding_bytes_pass():
    decoder = Decoder([])
    assert decoder.finished
    assert list(decoder.feed(b"abc")) == [b"abc"]


def test_several_members_and_padding_are_one_gzip_body():
    packed = gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0\0"
    assert b"".join(Decoder(["gzip"]).feed(packed)) == b"ab"
