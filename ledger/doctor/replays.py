"""Replays and prompts as problems of the ledger (specs/13): what they say is computed again."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from ledger.doctor.problem import Problem
from ledger.errors import LedgerError, ReplayError, StoreError
from ledger.formats.payload import Payload
from ledger.keystate import KeyState
from ledger.reader import Reader
from ledger.replay.judging import judge
from ledger.replay.prompts import check_prompt
from ledger.replay.source import LedgerSource
from ledger.store import Snapshot, Store

__all__ = ["Replays", "check_replays"]


class Replays:
    """Which statements are to be looked at; eight bytes each."""

    def __init__(self) -> None:
        self.indices = array("Q")

    def add(self, index: int, payload: Payload) -> None:
        """Take note of replays, and of witnesses whose prompt follows from a template."""
        data = payload.body.get("data")
        filled = isinstance(data, dict) and "prompt_template" in data
        if payload.type == "replay" or (payload.type == "witness" and filled):
            self.indices.append(index)


def check_replays(store: Store, snapshot: Snapshot, noted: Replays) -> Iterator[Problem]:
    """Compare again what replays compared, and make prompts again from their templates."""
    if not noted.indices:
        return
    try:
        source = LedgerSource(Reader(store, KeyState(snapshot)))
    except StoreError:
        return  # a key event is damaged, and reported
    for index in noted.indices:
        entry = source.log.get(index)
        try:
            if entry.payload.type == "witness":
                check_prompt(source, entry.payload)
                continue
            wrong = judge(source, entry)
        except ReplayError as error:
            if error.code == "prompt_mismatch":
                yield Problem(error.code, "entries", str(index), error.message)
            continue
        except (LedgerError, KeyError, TypeError):
            continue  # malformed or damaged, and reported as such
        if wrong:
            said = f"says otherwise than what it compared: {', '.join(wrong)}"
            yield Problem("replay_mismatch", "entries", str(index), said)
