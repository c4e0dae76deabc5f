"""What a provenance claims to have verified, against what was found (specs/12 section 8).

This comes last, when every finding on the parts has been made.
"""

from __future__ import annotations

from array import array
from typing import Any

from . import cbor, cose
from .faults import BROKEN_CHAIN, BROKEN_LINEAGE
from .part_ground import AWAY, PACKAGE_SHIFT, Part, PartGround

Computed = dict[str, Any]


class Claims:
    """The provenances with claims, by position."""

    def __init__(self, ground: PartGround) -> None:
        self._ground = ground
        self._positions = array("I")

    def add(self, position: int) -> None:
        """Take a provenance that claims something."""
        self._positions.append(position)

    def finish(self) -> None:
        """Compare all claims; `claim_mismatch`."""
        a = self._ground.audits[0]
        for position in self._positions:
            found = a.statement(position)
            if found is None:
                continue
            header, payload = cose.parse(found[1])[:2]
            p = cbor.decode_loose(payload)
            parts = [self._ground.part(parent, position) for parent in p["parents"]]
            computed = self._computed(position, self._ground.names.raw(header.kid), parts)
            self._compare(position, p["body"]["claims"], computed)

    def _computed(self, position: int, kid: int, parts: list[Part]) -> Computed:
        """Return what is found of the parts of a provenance; `trust_chain` as numbers, or None."""
        bits = self._bits(position)
        for one in parts:
            if one.place >= 0:
                bits |= self._bits(one.place)
        chain, lineage = not bits & BROKEN_CHAIN, not bits & BROKEN_LINEAGE
        status = "verified"
        if not chain or not lineage:
            status = "failed"
        elif any(one.tag == AWAY and not one.own for one in parts):
            status = "outside"
        kids = None
        if all(one.row is not None for one in parts):
            kids = [*dict.fromkeys([*(one.row.kid for one in parts), kid])]
        return {
            "chain_verified": chain,
            "lineage_verified": lineage,
            "trust_chain": kids,
            "status": status,
        }

    def _bits(self, place: int) -> int:
        package, position = divmod(place, 1 << PACKAGE_SHIFT)
        faults = self._ground.audits[package].report.faults
        return 0 if faults is None else faults.at(position)

    def _compare(self, position: int, claims: Computed, computed: Computed) -> None:
        wrong = []
        for name, claimed in claims.items():
            found = computed[name]
            if name == "trust_chain":
                numbers = [self._ground.names.raw(kid) for kid in claimed]
                if found is not None and numbers != found:
                    wrong.append((name, f"{len(found)} keys", f"{len(claimed)} keys"))
            elif claimed != found:
                wrong.append((name, str(found), str(claimed)))
        if wrong:
            names, expected, actual = (", ".join(one[k] for one in wrong) for k in range(3))
            text = f"claimed otherwise than found: {names}"
            self._ground.emit("claim_mismatch", position, text, expected, actual)
