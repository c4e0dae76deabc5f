"""Requests of a package sent again to an endpoint, and what came back (specs/13 section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import read_answer
from .endpoint import Asking
from .engines import ASKED, Way
from .errors import Refused
from .faults import ANY
from .levels import (
    DIFFERS,
    LEVELS,
    MATCH,
    NOT_OBSERVABLE,
    NOT_RUN,
    Comparison,
    Seen,
    chained,
    compare,
    reached,
)
from .posting import NoAnswer, headers_of, post
from .recorded import TooMuch
from .ways import Called, Ways

if TYPE_CHECKING:
    from .audit import Audit

REPLAY_EPSILON = 1e-5
_NOT_READ = "an answer without an output that can be read"


class Rerun:
    """Asks an endpoint for each witness that can be asked for, in order of index."""

    def __init__(self, a: Audit, ways: Ways, asking: Asking) -> None:
        self._a = a
        self._ways = ways
        self._asking = asking
        self._large = 0
        self._runs: list[dict[str, Any]] = []
        self._reproduced = 0

    def run(self) -> dict[str, Any]:
        """Send the requests one at a time; `not_reproduced`, `endpoint_failed`."""
        a = self._a
        for position in a.log.positions():
            if a.report.faults is not None and a.report.faults.at(position) & ANY:
                continue
            found = self._ways.payload(position)
            if found is None or found[1]["type"] != "witness":
                continue
            index, p = found
            if a.selection.has(index, p.get("session")):
                self._take(index, p)
        run = a.report.replay_run = {
            "endpoint": self._asking.endpoint.text,
            "level": self._asking.level,
            "asked": len(self._runs),
            "reproduced": self._reproduced,
            "runs": self._runs,
        }
        if self._large:
            text = f"requests to the endpoint: contents too large or changed ({self._large})"
            a.report.not_checked.append(text)
        return run

    def _take(self, index: int, p: dict[str, Any]) -> None:
        """Ask for a witness if its request and its output are here."""
        witness, recorded = p["body"], self._ways.recorded
        called = self._ways.of(p)
        way, output = called.way, witness["output"].get("output_hash")
        if way is None or way.engine not in ASKED or way.path is None or output is None:
            return
        if not recorded.holds(witness["raw"]["request"]) or not recorded.holds(output):
            return
        try:
            expected = recorded.expected(witness, way, called.response_headers)
            answered = self._answer(witness, way, called)
        except (TooMuch, Refused):
            self._large += 1
        except NoAnswer as e:
            self._failed(index, p, str(e))
        else:
            if answered.output is None:
                self._failed(index, p, _NOT_READ)
            else:
                self._compared(index, p, compare(expected, answered, REPLAY_EPSILON))

    def _answer(self, witness: dict[str, Any], way: Way, called: Called) -> Seen:
        """Send a request and return what its answer says."""
        asking, ref = self._asking, witness["raw"]["request"]
        headers = headers_of(asking.endpoint, called.request_headers, ref["size_bytes"])
        pieces = self._ways.recorded.pieces(ref)
        body = post(asking, asking.endpoint.target(way), headers, pieces)
        self._a.progress("asked", len(self._runs) + 1, 0)
        return Seen(*read_answer(way.answers_in() or "", body))

    def _archive(self, witness: dict[str, Any]) -> str:
        """Return the state of the level `archive`."""
        refs = archive_refs(witness)
        return MATCH if all(map(self._ways.recorded.holds, refs)) else DIFFERS

    def _failed(self, index: int, p: dict[str, Any], why: str) -> None:
        states = {"archive": self._archive(p["body"]), **dict.fromkeys(LEVELS[1:], NOT_RUN)}
        self._add(index, p, states, None, "engine_failed", why)
        self._a.report.note("endpoint_failed", why, index, p["id"])

    def _compared(self, index: int, p: dict[str, Any], found: Comparison) -> None:
        wanted = self._asking.level
        states = chained({"archive": self._archive(p["body"]), **found.levels})
        if states[wanted] == MATCH:
            self._reproduced += 1
            self._add(index, p, states, found.first_difference, None, f"{wanted} is the same")
            return
        message = _words(wanted, states, found.first_difference)
        reason = _reason(wanted, states, found)
        if reason == "environment_differs":
            message += ", in another environment"
        self._add(index, p, states, found.first_difference, reason, message)
        self._a.report.note("not_reproduced", message, index, p["id"])

    def _add(
        self,
        index: int,
        p: dict[str, Any],
        states: dict[str, str],
        first: dict[str, int] | None,
        reason: str | None,
        message: str,
    ) -> None:
        self._runs.append(
            {
                "index": index,
                "id": p["id"],
                "level": reached(states),
                "levels": states,
                "first_difference": first,
                "reason": reason,
                "message": message,
            }
        )


def archive_refs(witness: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the contents that the level `archive` looks at."""
    raw, replay = witness.get("raw", {}), witness.get("replay", {})
    named = [witness["output"].get("output_hash"), raw.get("request"), raw.get("response")]
    named += [replay.get("observation"), replay.get("environment")]
    return [witness["data"]["prompt_hash"], *(ref for ref in named if ref is not None)]


def _reason(wanted: str, states: dict[str, str], found: Comparison) -> str:
    if states["archive"] == DIFFERS:
        return "content_missing"
    if DIFFERS not in [states[level] for level in LEVELS[: LEVELS.index(wanted) + 1]]:
        return "not_observable"
    return "environment_differs" if found.environment_identical is False else "output_differs"


def _words(wanted: str, states: dict[str, str], first: dict[str, int] | None) -> str:
    if states[wanted] == NOT_OBSERVABLE:
        return f"{wanted} cannot be observed"
    at = ", ".join(f"{what} {number}" for what, number in sorted((first or {}).items()))
    return f"{wanted} differs" + (f", first at {at}" if at else "")
