"""From a ledger and a name to a running session (specs/10 section 2).

The order matters: the lock first, so that what is read next is still so when the run is opened.
"""

from __future__ import annotations

import math
from typing import Any, Unpack

from ledger.capture.headers import HeaderAllowList
from ledger.crossmodel.operations import Operations
from ledger.errors import FormatError, RecordError
from ledger.formats.call import IDENTITY_HEADERS
from ledger.formats.values import is_label, is_name
from ledger.log import Ledger
from ledger.model.build import default_writer
from ledger.model.derive import KAPPA_THRESHOLDS
from ledger.session.asking import Asker
from ledger.session.calls import Calls
from ledger.session.freeze import gather
from ledger.session.journal import Journal
from ledger.session.lock import take
from ledger.session.opening import open_run
from ledger.session.options import SessionOptions
from ledger.session.pricing import Pricing, default_prices
from ledger.session.replay import replay
from ledger.session.session import Session
from ledger.session.settings import Settings
from ledger.session.stages import Stages

__all__ = ["open_session"]

_DEFAULTS: dict[str, Any] = {
    "experiment": None,
    "framework": None,
    "files": (),
    "corpus": None,
    "on_change": "refuse",
    "on_unknown": "ask",
    "budget_usd": None,
    "prices": None,
    "allow_headers": (),
    "task_criticality": "routine",
    "domain": None,
    "progress": None,
}


def open_session(log: Ledger, name: str, **options: Unpack[SessionOptions]) -> Session:
    """Open a session's next run; see `Ledger.session` and `SessionOptions`.

    Raises `SessionError` (`session_busy`, `session_changed`), `ContentError` for files that cannot
    be read, `RecordError` for a header that must not be recorded, and what `append` raises.
    `TypeError` and `ValueError` for options that do not exist.
    """
    given = _checked({**_DEFAULTS, **options})
    if not is_label(name):
        raise FormatError("header_invalid", "the name of a session is a label of specs/00")
    log.check_signers()
    prices = given["prices"] if given["prices"] is not None else default_prices()
    pricing = Pricing(prices)
    allowed = HeaderAllowList((*IDENTITY_HEADERS, *given["allow_headers"]))
    lock = take(log.path, name)
    stream: Ledger | None = None
    try:
        sources = gather(**{key: given[key] for key in _FROZEN})
        past = replay(log, name)
        stream = log.open_stream(session=name)
        run, previous, key = open_run(
            stream,
            past,
            sources,
            writer=default_writer(),
            refuse_change=given["on_change"] == "refuse",
            on_unknown=given["on_unknown"],
            budget_usd=given["budget_usd"],
        )
        asker = Asker(allowed, key, pricing)
        settings = Settings(
            run,
            given["on_unknown"],
            given["budget_usd"],
            pricing,
            default_writer(),
            given["task_criticality"],
            given["domain"],
        )
        journal = Journal(name, log, stream, lock)
        calls = Calls(journal, settings, asker, past)
        stages = Stages(journal, past.stages, calls.keep_numbers)
        operations = Operations(past.operations, calls.keep_numbers)
        return Session(journal, calls, stages, operations, past.runs[-1].parent, previous)
    except BaseException:
        if stream is not None:
            stream.close()
        lock.release()
        raise


_FROZEN = ("experiment", "framework", "files", "corpus", "progress")
_CHOICES = {
    "on_change": ("refuse", "continue"),
    "on_unknown": ("ask", "retry", "fetch"),
    "task_criticality": tuple(KAPPA_THRESHOLDS),
}


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    unknown = given.keys() - _DEFAULTS.keys()
    if unknown:
        raise TypeError(f"a session has no option {min(unknown)!r}")
    for option, choices in _CHOICES.items():
        if given[option] not in choices:
            raise ValueError(f"{option} is one of {', '.join(choices)}")
    budget = given["budget_usd"]
    if budget is not None:
        if not math.isfinite(budget) or budget < 0:
            raise ValueError("budget_usd is an amount of US dollars")
        given["budget_usd"] = float(budget)
    if given["domain"] is not None and not is_name(given["domain"]):
        raise RecordError("record_invalid", "domain is a name of specs/00")
    return given
