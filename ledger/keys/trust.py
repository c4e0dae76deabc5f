"""Trust files: what an auditor pins, from outside any package (specs/05 section 5).

{"vif_trust": 1, "origin": "example.org/lab", "genesis": "<64 hex digits>"}
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from ledger.errors import FormatError
from ledger.formats.values import DIGEST_BYTES, is_origin

TRUST_MAX_BYTES: Final = 65536
TRUST_VERSION: Final = 1

_HEX: Final = re.compile(r"[0-9a-f]{64}")


class Trust(NamedTuple):
    """The ledger an auditor means: its origin and the leaf hash of its genesis."""

    origin: str
    genesis: bytes


def write_trust(origin: str, genesis: bytes) -> bytes:
    """Write a trust file, ending in a newline."""
    if not is_origin(origin) or len(genesis) != DIGEST_BYTES:
        raise FormatError("trust_invalid", "a trust file has an origin and a leaf hash")
    value = {"vif_trust": TRUST_VERSION, "origin": origin, "genesis": genesis.hex()}
    return json.dumps(value).encode() + b"\n"


def parse_trust(data: bytes) -> Trust:
    """Read a trust file; FormatError `trust_invalid`."""
    if len(data) > TRUST_MAX_BYTES:
        raise _refusal(f"{len(data)} bytes; at most {TRUST_MAX_BYTES}")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError):
        raise _refusal("not JSON in UTF-8") from None
    if type(value) is not dict or value.keys() != {"vif_trust", "origin", "genesis"}:
        raise _refusal("not an object of exactly vif_trust, origin and genesis")
    version, origin, genesis = value["vif_trust"], value["origin"], value["genesis"]
    if type(version) is not int or version != TRUST_VERSION:
        raise _refusal("vif_trust is not 1")
    if not is_origin(origin):
        raise _refusal("origin")
    if type(genesis) is not str or _HEX.fullmatch(genesis) is None:
        raise _refusal("genesis is not 64 hex digits")
    return Trust(origin, bytes.fromhex(genesis))


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _refusal("a member appears twice")
    return value


def _refusal(why: str) -> FormatError:
    return FormatError("trust_invalid", why)
