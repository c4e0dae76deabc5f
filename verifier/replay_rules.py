"""A replay against the witness and the contents that it compared (specs/13 section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from .at_hand import AtHand, Statement
from .errors import BadValue
from .expectations import Expectations, Known, Output, Side
from .levels import DIFFERS, LEVELS, MATCH, NOT_RUN, Seen, observed, same_content
from .observation import Observation
from .protocols import speaks

ENGINES_OF_PROTOCOLS = ("openai", "anthropic", "embedded")
_PARTS = ("output", "observation", "environment")
_T = TypeVar("_T")
_EXPECTED = (
    ("output", "output", "output_hash"),
    ("observation", "replay", "observation"),
    ("environment", "replay", "environment"),
    ("request", "raw", "request"),
    ("response", "raw", "response"),
)


class ReplayRules:
    """Judges replays, and counts those of which a content, or the witness, was not at hand."""

    def __init__(self, hand: AtHand) -> None:
        self._hand = hand
        self._expectations = Expectations(hand)
        self.unseen = 0
        self.away = 0

    def judge(self, replay: Statement, witness: Statement) -> list[str]:
        """Return all that a replay says otherwise than it follows."""
        b = replay.body
        wrong = _expected(b["expected"], witness.body)
        if "replayed" not in b:
            return wrong
        expected = self._expectations.of(witness)
        replayed = self._replayed(replay.package, b["replayed"], wrong)
        whole = all(one.known for one in (*expected, *replayed))
        wrong += _compared(b, expected, replayed)
        if b["engine"] in ENGINES_OF_PROTOCOLS:
            whole &= self._follows(replay, witness, replayed, wrong)
        self.unseen += not whole
        return wrong

    def sentences(self) -> list[str]:
        """Return what was not checked, with the number of each."""
        parts = (
            (self.away, "replays of witnesses that are not at hand"),
            (self.unseen, "replays: contents that are not at hand, or too large"),
        )
        return [f"{text} ({number})" for number, text in parts if number]

    def _replayed(self, package: int, said: dict[str, Any], wrong: list[str]) -> Side:
        e = self._expectations
        side = Side(Known(), Known(), Known())
        if "output" in said:
            side = side._replace(output=e.output(package, said["output"]))
        bad: BadValue | None = None
        if "observation" in said:
            seen, bad = e.observation(package, said["observation"])
            side = side._replace(observation=seen)
            wrong += _refusal("observation", bad)
        if "environment" in said:
            where, bad = e.environment(package, said["environment"])
            side = side._replace(environment=where)
            wrong += _refusal("environment", bad)
        return side

    def _follows(self, replay: Statement, witness: Statement, side: Side, wrong: list[str]) -> bool:
        """Check what follows from the response; return whether all of it is known."""
        said, engine = replay.body["replayed"], replay.body["engine"]
        if "response" not in said:
            wrong += [
                f"replayed.{part} follows from no response" for part in _PARTS if part in said
            ]
            return True
        protocol = Known(speaks(engine, None))
        if protocol.value is None:
            of = self._expectations.protocol(witness)
            protocol = Known(speaks(engine, of.value), of.known)
        if protocol.value is None:
            return protocol.known
        answer = self._expectations.answer(replay.package, said["response"], protocol.value).value
        if answer is None:
            return False
        for part, found in zip(_PARTS, (answer.output, answer.observation, answer.environment),
                               strict=True):  # fmt: skip
            if (found is not None) is not (part in said):
                lacking = "is not in" if found is None else "is in"
                wrong.append(f"replayed.{part} {'is there' if found is None else 'is missing'}, "
                             f"and {lacking} the response")  # fmt: skip
        output = side.output.value
        if answer.output is not None and output is not None:
            same = same_content(answer.output, answer.media_type, *output)
            wrong += [] if same else ["replayed.output is not that of the response"]
        for part, found, fact in (
            ("observation", answer.observation, side.observation),
            ("environment", answer.environment, side.environment),
        ):
            if found is not None and fact.value is not None and found != fact.value:
                wrong.append(f"replayed.{part} is not that of the response")
        return True


def _refusal(part: str, bad: BadValue | None) -> list[str]:
    return [] if bad is None else [f"replayed.{part}: {bad.message}"]


def _expected(said: dict[str, Any], witness: dict[str, Any]) -> list[str]:
    """Check that `expected` is exactly what the witness has."""
    found: dict[str, Any] = {}
    for name, group, key in _EXPECTED:
        if key in witness.get(group, ()):
            found[name] = witness[group][key]["sha256"]
    if "confidence_score" in witness.get("uncertainty", ()):
        found["confidence"] = witness["uncertainty"]["confidence_score"]
    names = sorted(said.keys() | found.keys())
    return [
        f"expected.{name} is not that of the witness"
        for name in names
        if said.get(name) != found.get(name)
    ]


def _both(a: Known[_T], b: Known[_T]) -> tuple[_T | None, _T | None, bool]:
    """Return what is compared on both sides, and whether it is known; one without is neither."""
    none = any(one.known and one.value is None for one in (a, b))
    if none or not (a.known and b.known):
        return None, None, none
    return a.value, b.value, True


def _compared(b: dict[str, Any], expected: Side, replayed: Side) -> list[str]:
    """Check levels and differences, as far as both sides are known."""
    outputs = _both(expected.output, replayed.output)
    seen = _both(expected.observation, replayed.observation)
    where = _both(expected.environment, replayed.environment)
    found = observed(
        _seen(outputs[0], seen[0], where[0]),
        _seen(outputs[1], seen[1], where[1]),
        b.get("epsilon", 0.0),
    )
    nothing = (seen[2] and seen[0] is None) or (where[2] and where[0] is None)
    judged = {
        "text": outputs[2],
        "tokens": seen[2],
        "logprobs": seen[2],
        "bits": nothing or (seen[2] and where[2]),
    }
    wrong = _levels(b["levels"], found.levels, [one for one in LEVELS[1:] if judged[one]])
    first, said = found.first_difference or {}, b.get("first_difference", {})
    pairs: list[tuple[str, bool, object, object]] = [
        ("first_difference.character", outputs[2], first.get("character"), said.get("character")),
        ("first_difference.token", seen[2], first.get("token"), said.get("token")),
        ("logprob_difference", seen[2], found.logprob_difference, b.get("logprob_difference")),
        ("raw_identical", seen[2], found.raw_identical, b.get("raw_identical")),
        (
            "environment_identical",
            where[2],
            found.environment_identical,
            b.get("environment_identical"),
        ),
    ]
    return wrong + [
        f"{name} is {_words(told)}, not {_words(value)}"
        for name, known, value, told in pairs
        if known and value != told
    ]


def _seen(output: Output | None, seen: Observation | None, where: bytes | None) -> Seen:
    content, kind = (None, None) if output is None else output
    return Seen(content, kind, seen, where)


def _levels(said: dict[str, str], found: dict[str, str], judged: Sequence[str]) -> list[str]:
    """Check states; one that would be `match` differs once a level before it does."""
    wrong = []
    for at, level in enumerate(LEVELS):
        if level not in judged or said[level] == NOT_RUN:
            continue
        before = [said[one] for one in LEVELS[:at]]
        state = DIFFERS if found[level] == MATCH and DIFFERS in before else found[level]
        if said[level] != state:
            wrong.append(f"level {level} is {state}, not {said[level]}")
    return wrong


def _words(value: object) -> str:
    return "absent" if value is None else str(value)
