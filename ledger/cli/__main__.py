"""`python -m ledger.cli`: the `vif` command without its script."""

from __future__ import annotations

from ledger.cli.app import main

if __name__ == "__main__":
    main()
