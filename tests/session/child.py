"""A run in a process of its own, which a test kills: `python -m tests.session.child FOLDER KEYS N`.

Makes N answered calls, then begins one more, says so, and waits to be killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import ledger
from tests.session.lab import NAME, answer, ask, do


def main(folder: str, keys: str, count: str) -> None:
    with ledger.open(Path(folder), keys=keys) as log:
        session = log.session(NAME)
        for number in range(int(count)):
            do(session, ask(f"q{number}"), answer(f"a{number}"))
        session.savepoint("progress", {"done": int(count)})
        session.begin(ask("last"))
        print("sent", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
