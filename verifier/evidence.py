"""Who replayed what of a package, key by key (specs/13 section 10)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from .at_hand import Statement
from .levels import LEVELS, NONE
from .session_tables import Keys

_ORDER = (NONE, *LEVELS)


@dataclass
class _Row:
    """What one key signed."""

    name: str
    number: int
    replays: int = 0
    reproduced: int = 0
    witnesses: int = 0
    level: int = field(default=len(_ORDER))


class Evidence:
    """Counts replays by ledger and key; a different witness takes some 25 bytes a key."""

    def __init__(self) -> None:
        self._rows: dict[tuple[bool, bytes, bytes], _Row] = {}
        self._witnesses = Keys()

    def add(self, genesis: bytes, own: bool, replay: Statement, witness: int) -> None:
        """Take a replay of the witness at a position of the first package."""
        key = (not own, genesis, replay.kid)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row(replay.issuer, len(self._rows))
        row.replays += 1
        fresh = len(self._witnesses)
        row.witnesses += self._witnesses.number(b"%d %d" % (row.number, witness)) == fresh
        if replay.body["success"]:
            row.reproduced += 1
            row.level = min(row.level, _ORDER.index(replay.body["level"]))

    def members(self, pinned: Collection[bytes]) -> list[dict[str, Any]]:
        """Return the member `replays` of a report; `pinned` are the geneses that are."""
        return [
            {
                "kid": kid.hex(),
                "name": row.name,
                "genesis": genesis.hex(),
                "own": not other,
                "pinned": genesis in pinned,
                "replays": row.replays,
                "reproduced": row.reproduced,
                "witnesses": row.witnesses,
                "level": _ORDER[row.level] if row.reproduced else None,
            }
            for (other, genesis, kid), row in sorted(self._rows.items())
        ]
