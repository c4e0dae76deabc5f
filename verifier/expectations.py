"""What is expected of a replay: what a witness and its contents say (specs/13 sections 1, 4, 5).

A fact is a value, known not to be there, or not known because a content is not at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from .answers import ANSWER_MAX_BYTES, Answer, environment_of, read_answer
from .at_hand import AtHand, Statement
from .encodings import decoded, encodings_of
from .engines import way_of
from .errors import BadValue
from .observation import Observation, parse_environment, parse_observation
from .protocols import members_of

T = TypeVar("T")


@dataclass(frozen=True)
class Known(Generic[T]):
    """A fact; `value` is None for what is not there, and for what is not known."""

    value: T | None = None
    known: bool = True


UNKNOWN: Known[Any] = Known(None, False)
Output = tuple[bytes, str]
"""content and media type"""


class Side(NamedTuple):
    """One side of a comparison, as far as it is known."""

    output: Known[Output]
    observation: Known[Observation]
    environment: Known[bytes]


class Expectations:
    """Reads what a witness lets expect; the last witness is remembered."""

    def __init__(self, hand: AtHand) -> None:
        self._hand = hand
        self._last: tuple[tuple[int, int], Side] | None = None

    def of(self, witness: Statement) -> Side:
        """Return what a replay of a witness is compared with."""
        place = (witness.package, witness.position)
        if self._last is None or self._last[0] != place:
            self._last = (place, self._read(witness))
        return self._last[1]

    def _read(self, w: Statement) -> Side:
        b = w.body
        replay = b.get("replay", {})
        output: Known[Output] = Known()
        if "output_hash" in b["output"]:
            output = self.output(w.package, b["output"]["output_hash"])
        if "observation" in replay:
            seen = self.observation(w.package, replay["observation"])[0]
        else:
            answer = self._answered(w)
            seen = UNKNOWN if answer.value is None else Known(answer.value.observation)
        if "environment" in replay:
            where = self.environment(w.package, replay["environment"])[0]
        else:
            model = b["model"]
            where = Known()
            if "system_fingerprint" in model:
                where = Known(environment_of(model["model_id"], model["system_fingerprint"]))
        return Side(output, seen, where)

    def output(self, package: int, ref: dict[str, Any]) -> Known[Output]:
        """Return an output that a reference names."""
        content = self._hand.content(package, ref)
        return UNKNOWN if content is None else Known((content, ref["media_type"]))

    def observation(
        self, package: int, ref: dict[str, Any]
    ) -> tuple[Known[Observation], BadValue | None]:
        """Return what an observation says, nothing if it is not one, and then why."""
        content = self._hand.content(package, ref)
        if content is None:
            return UNKNOWN, None
        try:
            return Known(parse_observation(content)), None
        except BadValue as e:
            return Known(), e

    def environment(
        self, package: int, ref: dict[str, Any]
    ) -> tuple[Known[bytes], BadValue | None]:
        """Return the bytes of an environment, nothing if it is not one, and then why."""
        content = self._hand.content(package, ref)
        if content is None:
            return UNKNOWN, None
        try:
            parse_environment(content)
        except BadValue as e:
            return Known(), e
        return Known(content), None

    def _answered(self, w: Statement) -> Known[Answer]:
        """Return what `raw.response` of a witness says."""
        raw = w.body.get("raw", {})
        if "response" not in raw:
            return Known(Answer())
        protocol = self.protocol(w)
        if protocol.value is None:
            return Known(Answer()) if protocol.known else UNKNOWN
        headers = raw.get("response_headers")
        if headers is None:  # then those of the outcome, whose response it is
            outcome = self._parent(w, "outcome")
            headers = {} if outcome is None else outcome.body.get("response_headers", {})
        encoding = headers.get("content-encoding", "")
        return self.answer(w.package, raw["response"], protocol.value, encoding)

    def answer(
        self, package: int, ref: dict[str, Any], protocol: str, encoding: str = ""
    ) -> Known[Answer]:
        """Return what an archived response says in a protocol."""
        encodings = encodings_of(encoding)
        content = None if encodings is None else self._hand.content(package, ref)
        if content is None or encodings is None:
            return UNKNOWN
        body = decoded((content,), encodings, ANSWER_MAX_BYTES) if encodings else content
        if body is None or not self._hand.shelf.spend(len(body)):
            return UNKNOWN
        return Known(read_answer(protocol, body))

    def protocol(self, w: Statement) -> Known[str]:
        """Return the protocol in which the call of a witness was made."""
        gone = False

        def names() -> frozenset[str]:
            nonlocal gone
            request = self._hand.content(w.package, w.body["raw"]["request"])
            gone = request is None
            return frozenset() if request is None else members_of(request)

        outcome = self._parent(w, "outcome")
        intent = None if outcome is None else self._parent(outcome, "intent")
        way = way_of(w.body, None if intent is None else intent.body, names)
        return UNKNOWN if gone else Known(None if way is None else way.answers_in())

    def _parent(self, child: Statement, kind: str) -> Statement | None:
        """Return the first parent if it is at hand and of a type."""
        found = self._hand.parent(child, 0)
        return found if found is not None and found.kind == kind else None
