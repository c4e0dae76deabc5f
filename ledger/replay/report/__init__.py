"""How deterministic operations are: counts over their replays, as text, JSON and a page (specs/13).

`making` runs operations, or reads the replays that a ledger has recorded; `whole` counts.
"""
