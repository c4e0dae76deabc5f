"""Operations replayed stage by stage, in packages (specs/13 section 8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tools.vectors import lab
from tools.vectors.body import Body
from tools.vectors.case import Case
from tools.vectors.operating import SMALL, THOUGHT, change_of
from tools.vectors.operation_stories import ASK, READ
from tools.vectors.replaying import Replaying, Seen, replay_case

_CODE = "replay_mismatch"
_FIT = [{"name": "stages_fit", "passed": True}]
_READ, _ASKED = Seen(output=THOUGHT), Seen(output=b"42")
Counts = Sequence[tuple[int, int, str | None]]


class Whole:
    """An operation of three stages, two of which were made with a call; and their replays."""

    def __init__(self) -> None:
        """Tell the operation."""
        self.t = t = Replaying()
        self.read = t.work(READ, THOUGHT)
        self.insight = t.insight(self.read)
        self.handed = t.transfer(self.insight)
        self.ask = t.work(ASK, b"42", SMALL)
        self.done = t.execution(self.handed, self.ask)
        self.combined = t.finish(self.insight, self.handed, self.done)

    def again(self, witness: int, output: bytes | None = None, **more: Any) -> int:
        """Append the replay of one of its calls; with another output it does not succeed."""
        before = _READ if witness == self.read else _ASKED
        after = before if output is None else Seen(output=output)
        return self.t.replay(witness, before, after, **more)

    def over(self, *replays: int, counts: Counts, change: Body | None = None,
             parents: Sequence[int] | None = None) -> Replaying:  # fmt: skip
        """Append the replay_operation; `counts` are replays, successes and level of each stage."""
        index = len(self.t.log.statements)
        kinds = ("insight", "transfer", "execution")
        stages = [
            {"stage": kind, "label": "1", "replays": made, "succeeded": good}
            | ({} if level is None else {"level": level})
            for kind, (made, good, level) in zip(kinds, counts, strict=False)
        ]
        body: Body = {
            "version": 1,
            "operation": dict(self.t.operation),
            "wanted": "text",
            "stages": stages,
            "checks": [dict(one) for one in _FIT],
            "success": all(made == good for made, good, _ in counts),
            "message": "",
            "started_at": lab.moment(index - 1)[1],
            "ended_at": lab.moment(index)[1],
        }
        named = (self.combined, *replays) if parents is None else parents
        self.t.tell("replay_operation", change_of(body, change or {}), *named)
        return self.t


_BOTH: Counts = [(1, 1, "text"), (0, 0, None), (1, 1, "text")]
_FAILED: Counts = [(1, 1, "text"), (0, 0, None), (1, 0, "archive")]


def cases() -> Iterator[Case]:
    """Yield the cases of operations replayed."""
    yield from _honest()
    yield from _wrong()
    yield from _parents()


def _both(change: Body | None = None, counts: Counts = _BOTH) -> Replaying:
    whole = Whole()
    return whole.over(whole.again(whole.read), whole.again(whole.ask), counts=counts,
                      change=change)  # fmt: skip


def _honest() -> Iterator[Case]:
    yield replay_case("operation", "both calls of an operation came out the same", _both())
    whole = Whole()
    t = whole.over(whole.again(whole.read), whole.again(whole.ask, b"43"), counts=_FAILED)
    yield replay_case("operation_differs", "one of two calls came out otherwise", t,
                      notes=("replay_failed",))  # fmt: skip
    whole = Whole()
    t = whole.over(whole.again(whole.ask), counts=[(0, 0, None), (0, 0, None), (1, 1, "text")])
    yield replay_case("operation_partly", "only one of two calls was replayed", t)
    t = Whole().over(counts=[(0, 0, None)] * 3)
    yield replay_case("operation_none", "no call was replayed", t)
    t = _both({"checks.0.passed": False, "success": False})
    yield replay_case("operation_unfit", "all replays succeeded, and the stages do not fit", t)


def _wrong() -> Iterator[Case]:
    """What does not follow from the parents."""
    for name, told, change in (
        ("name", "another operation", {"operation.name": "other"}),
        ("number", "another number of the operation", {"operation.number": 2}),
        ("wanted", "another level than the replays wanted", {"wanted": "archive"}),
        ("label", "another label than that of the stage", {"stages.0.label": "2"}),
        ("stage", "another type than that of the stage", {"stages.1.stage": "execution",
                                                          "stages.1.label": "2"}),
        ("level", "a lower level than the lowest", {"stages.0.level": "archive"}),
        ("level_high", "a higher level than the lowest", {"stages.0.level": "bits"}),
        ("succeeded", "fewer succeeded than did", {"stages.0.succeeded": 0, "success": False}),
    ):  # fmt: skip
        yield replay_case(f"operation_{name}", told, _both(change), _CODE)
    whole = Whole()
    t = whole.over(whole.again(whole.read), whole.again(whole.ask, b"43"), counts=_BOTH)
    yield replay_case("operation_success", "success, though a call came out otherwise", t, _CODE)
    yield replay_case("operation_short", "a stage is left out",
                      _both(counts=[(1, 1, "text"), (1, 1, "text")]), _CODE)  # fmt: skip
    yield replay_case("operation_moved", "a replay is counted for another stage",
                      _both(counts=[(0, 0, None), (1, 1, "text"), (1, 1, "text")]),
                      _CODE)  # fmt: skip
    more = {"stage": "execution", "label": "2", "replays": 0, "succeeded": 0}
    yield replay_case("operation_long", "a stage too many", _both({"stages": [
        {"stage": "insight", "label": "1", "replays": 1, "succeeded": 1, "level": "text"},
        {"stage": "transfer", "label": "1", "replays": 0, "succeeded": 0},
        {"stage": "execution", "label": "1", "replays": 1, "succeeded": 1, "level": "text"},
        more]}), _CODE)  # fmt: skip
    yield replay_case("operation_order", "stages in another order", _both({"stages": [
        {"stage": "transfer", "label": "1", "replays": 0, "succeeded": 0},
        {"stage": "insight", "label": "1", "replays": 1, "succeeded": 1, "level": "text"},
        {"stage": "execution", "label": "1", "replays": 1, "succeeded": 1, "level": "text"},
        ]}), _CODE)  # fmt: skip


def _parents() -> Iterator[Case]:
    whole = Whole()
    first, second = whole.again(whole.read), whole.again(whole.ask)
    t = whole.over(second, first, counts=_BOTH)
    yield replay_case("operation_swapped", "replays in another order than the calls", t, _CODE)
    whole = Whole()
    one = whole.again(whole.read)
    t = whole.over(counts=_BOTH, parents=(whole.combined, one, whole.ask))
    yield replay_case("operation_no_replay", "a call is named, not its replay", t, _CODE)
    whole = Whole()
    one = whole.again(whole.read)
    t = whole.over(counts=[(1, 1, "text"), (0, 0, None), (0, 0, None)], parents=(whole.done, one))
    yield replay_case("operation_no_whole", "a stage is named, not the whole", t, _CODE)
    whole = Whole()
    other = whole.t.work(READ, THOUGHT)
    again = whole.t.replay(other, _READ, _READ)
    t = whole.over(again, counts=[(1, 1, "text"), (0, 0, None), (0, 0, None)])
    yield replay_case("operation_stranger", "a replay of a call that is none of the operation's", t,
                      _CODE)  # fmt: skip
    whole = Whole()
    high = whole.again(whole.read, wanted="archive")
    t = whole.over(high, whole.again(whole.ask), counts=_BOTH)
    yield replay_case("operation_wanted_one", "one replay wanted another level", t, _CODE)
