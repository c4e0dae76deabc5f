"""The beginning of a run: what it depends on, and what the run before left open (specs/10 §2, §4).

In one commit a run is opened and every intent that has no outcome gets one: `unknown`, `killed`.
Who reads the log afterwards finds each request either answered or known not to be.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ledger.drafts import Archived, Draft
from ledger.errors import ContentError, FormatError, SessionError
from ledger.formats import content as formats
from ledger.formats.content import ContentRef
from ledger.log import Ledger
from ledger.model.archive import canonical_json
from ledger.model.session import CALL_KEY_BYTES, Frozen, Outcome, SessionOpen
from ledger.session.changes import differences, in_words
from ledger.session.environment import describe
from ledger.session.freeze import Source, freeze
from ledger.session.options import OnUnknown
from ledger.session.replay import Replay

__all__ = ["open_run"]

_JSON = "application/json"


def open_run(
    log: Ledger,
    past: Replay,
    sources: Sequence[Source],
    *,
    writer: str,
    refuse_change: bool,
    on_unknown: OnUnknown,
    budget_usd: float | None,
) -> tuple[int, str | None, bytes | None]:
    """Append the beginning of the next run and take it into `past`.

    Returns its number, how the run before ended, and the key of the session's call digests in a
    salted ledger. Raises `SessionError("session_changed")`, `ContentError` for a key that was
    erased, and what `append` raises.
    """
    last = past.runs[-1] if past.runs else None
    before = _frozen(past)
    frozen, contents = freeze(log, sources, before)
    changed = differences(frozen, before) if last else []
    if changed and refuse_change:
        raise SessionError(
            "session_changed",
            f"the run before depended on something else: {in_words(changed)}",
            hint='open it with on_change="continue", which records the change, or use a new name',
        )
    environment = log.archive(canonical_json(describe()), _JSON)
    ref, key, archived = _call_key(log, past)
    number = last.number + 1 if last else 1
    previous = (last.status or "killed") if last else None
    body = SessionOpen(
        run=number,
        previous=previous,  # type: ignore[arg-type]
        writer=writer,
        on_unknown=on_unknown,
        environment=environment.ref,
        frozen=tuple(frozen),
        changed=tuple(changed) or None,
        budget_usd=budget_usd,
        call_key=ref,
    )
    opening = Draft(
        "session_open",
        body,
        (last.parent,) if last else (),
        (*contents, environment, *archived),
    )
    left = list(past.open.items())
    killed = [
        Draft("outcome", Outcome(status="unknown", reason="killed"), (intent.parent,))
        for _, intent in left
    ]
    try:
        receipts = log.append_many([opening, *killed])
    except FormatError as error:
        if error.code == "statement_too_large":
            raise ContentError(
                "content_too_large",
                f"{len(frozen)} files do not fit into one statement",
                hint="put them into a folder and name it as corpus",
            ) from error
        raise
    for receipt in receipts:
        past.take(log.get(receipt.index))
    return number, previous, key


def _frozen(past: Replay) -> list[Frozen]:
    listed: list[dict[str, Any]] = past.last_open["frozen"] if past.last_open else []
    return [Frozen(**one) for one in listed]


def _call_key(log: Ledger, past: Replay) -> tuple[ContentRef | None, bytes | None, list[Archived]]:
    """The key of the session's call digests, made in its first run; none without salt."""
    if not log.salted:
        return None, None, []
    if past.last_open is not None:
        ref = formats.from_cbor(past.last_open["call_key"])
        return ref, log.content(ref), []
    key = os.urandom(CALL_KEY_BYTES)
    archived = log.archive(key, "application/octet-stream")
    return archived.ref, key, [archived]
