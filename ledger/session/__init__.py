"""Sessions: experiments whose paid answers survive crashes and are never paid twice (specs/10).

`Ledger.session` is the way in. `history` reads what sessions recorded, without a key.
"""

from __future__ import annotations

from ledger.session.call import Call
from ledger.session.changes import ModelChange
from ledger.session.costs import CostLine, CostReport
from ledger.session.entrance import open_session
from ledger.session.options import SessionOptions
from ledger.session.scanning import SecretWarning
from ledger.session.session import Session
from ledger.session.stages import Stage

__all__ = [
    "Call",
    "CostLine",
    "CostReport",
    "ModelChange",
    "SecretWarning",
    "Session",
    "SessionOptions",
    "Stage",
    "open_session",
]
