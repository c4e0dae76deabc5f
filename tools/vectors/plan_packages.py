"""Cases of specs/13 section 9: packages with a plan, and with one that does not follow.

Whoever made a package that is refused has all keys: manifests, seal and export statement agree
with the files. Only deriving the plan again tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from tools.vectors import replay_answers as answers
from tools.vectors.bagged import Files, in_zips, package_case
from tools.vectors.body import DROP, Body, altered
from tools.vectors.case import Case
from tools.vectors.operating import TEXT
from tools.vectors.planning import ENVIRONMENT, PLAN, WEIGHTS, Planning, relined
from tools.vectors.replay_honest import LOCAL
from tools.vectors.replaying import Seen
from tools.vectors.telling import ANSWER, FIRST, JSON

_WEIGHTS = bytes(range(32))
_HEX = "ab" * 32
_TOKENS = [("4", -0.5), ("2", -0.25)]
_PARAMETERS: Body = {"replay_seed": 7, "temperature": 0.5, "other_params": {"stop": ["."]}}
_PROMPT = b"What is 6 times 7?"
_AT = ["https://example.org/small-model", "the shelf in room 4"]
_CALL, _LOCAL, _CHAT, _STEP, _MINE, _BARE = range(6)
"""Places of the lines in the plan of `_story`."""


def cases() -> Iterator[Case]:
    """Yield the cases of kind package about plans, each package in one file."""
    for family in (_good, _mismatch, _invalid, _incomplete):
        yield from map(in_zips, family())


def _story(*, salted: bool = False) -> Planning:
    """Tell a run with a call and operations of other kinds, one of which says too little."""
    t = Planning(salted=salted)
    opened = t.open()
    at = t.witness(t.outcome(t.intent()))
    t.planned(at, "openai", "endpoint", t.ref(FIRST), Seen(output=b"42"),
              path="/v1/chat/completions")  # fmt: skip
    said: Body = {f"replay.{name}": value for name, value in _PARAMETERS.items()}
    said |= {"replay.other_params": _PARAMETERS["other_params"], "model.weights_hash": _WEIGHTS}
    at = t.recorded(LOCAL, engine="transformers", change=said)
    t.planned(at, "transformers", "weights", t.ref(_PROMPT, TEXT), LOCAL,
              weights=_WEIGHTS.hex(), parameters=_PARAMETERS)  # fmt: skip
    seen = answers.chat("42", _TOKENS)
    t.planned(t.recorded(seen, answers.CHAT), "openai", "endpoint", t.ref(answers.CHAT, JSON),
              seen, path="/v1/chat/completions")  # fmt: skip
    arguments = t.ref(b'{"a":6,"b":7}', JSON)
    said = {"operation": "execute_tool", "capture.vantage": "hook",
            "tools": {"tool_ids": ["multiply"], "tool_parameters": arguments}}  # fmt: skip
    simple = Seen(output=b"42")
    t.planned(t.recorded(simple, change=said), "step", "function", arguments, simple,
              tool="multiply")  # fmt: skip
    large = {"replay.other_params": {"seed": 2**53, "key": b"\x01"}, "replay.top_k": 5}
    at = t.recorded(simple, engine="mine", change=large)
    t.planned(at, "mine", "engine", t.ref(_PROMPT, TEXT), simple, parameters={"top_k": 5})
    t.not_planned(t.recorded(simple), "not_recorded")
    t.close(opened, answered=1, unpriced=1)
    return t


def _case(name: str, told: str, t: Planning, files: Files, expect: str = "ok", *,
          notes: tuple[str, ...] = ("engine_unknown",)) -> Case:  # fmt: skip
    return package_case(f"plan_{name}", told, files, t.log.known_head(), expect,
                        exit_code=0 if expect == "ok" else 1, genesis=t.genesis,
                        notes=notes if expect == "ok" else None)  # fmt: skip


def _good() -> Iterator[Case]:
    t = _story()
    yield _case("whole", "a plan of a call, a local model, a request, a function and more", t,
                t.with_plan(t.plan()))  # fmt: skip
    t = _story(salted=True)
    yield _case("salted", "the same in a salted ledger", t, t.with_plan(t.plan()))
    t = _story()
    yield _case("weights_at", "where weights are to be had is the word of the producer", t,
                t.with_plan(t.plan(at={"small-model": _AT})))  # fmt: skip
    t = Planning()
    yield _case("empty", "nothing to be run again, and a plan without a line", t,
                t.with_plan(t.plan(None)), notes=())  # fmt: skip
    yield from _erased()
    yield from _paths()


def _erased() -> Iterator[Case]:
    """What a comparison needs was erased; and what it does not need."""
    for name, told, of, reason in (
        ("output", "an output", b"42", "content_missing"),
        ("request", "the request of a call", FIRST, "content_missing"),
        ("response", "the response of a call", ANSWER, "content_missing"),
        ("prompt", "a prompt that a call does not need", _PROMPT, None),
    ):
        t = Planning()
        opened = t.open()
        at = t.witness(t.outcome(t.intent()))
        if reason is None:
            t.planned(at, "openai", "endpoint", t.ref(FIRST), Seen(output=b"42"),
                      path="/v1/chat/completions")  # fmt: skip
        else:
            t.not_planned(at, reason)
        t.close(opened, answered=1, unpriced=1)
        ref = t.ref(of)
        t.tell("erasure", {"content": ref, "reason": "asked for"}, session=None)
        gone = ref["blake3"].hex()
        content = {path: data for path, data in t.archived().items() if path[-64:] != gone}
        yield _case(f"erased_{name}", f"{told} was erased", t, t.with_plan(t.plan(), content),
                    notes=("content_erased",))  # fmt: skip


def _paths() -> Iterator[Case]:
    """The path is that of the intent, if it is at hand, or else that of the protocol."""
    url = "https://api.example.org/openai/chat/completions?api-version=1"
    for name, told, path, start in (
        ("path", "the path of a call with its query", "/openai/chat/completions?api-version=1", 0),
        ("path_range", "the intent is outside of the range: the body decides",
         "/v1/chat/completions", 4),
    ):  # fmt: skip
        t = Planning()
        opened = t.open()
        intent = t.intent(url=url, call={"digest": t.digest(FIRST, url), "replicate": 1})
        at = t.witness(t.outcome(intent))
        t.planned(at, "openai", "endpoint", t.ref(FIRST), Seen(output=b"42"), path=path)
        t.close(opened, answered=1, unpriced=1)
        if not start:
            yield _case(name, told, t, t.with_plan(t.plan()), notes=())
            continue
        files = t.range_with_plan(t.plan(None), start)
        yield package_case(f"plan_{name}", told, files, t.log.known_head(), exit_code=3,
                           codes=("partial_ledger", "stream_partial"), genesis=t.genesis,
                           notes=("parent_outside",))  # fmt: skip


Edit = Callable[[list[Body]], Any]


def _edited(edit: Edit) -> tuple[Planning, Files]:
    t = _story()
    lines = deepcopy(t.lines)
    edit(lines)
    return t, t.with_plan(relined(t.plan(), lines))


def _member(place: int, path: str, value: Any) -> Edit:
    def edit(lines: list[Body]) -> None:
        lines[place] = altered(lines[place], path, value)

    return edit


def _mismatch() -> Iterator[Case]:
    """Lines that are well-formed and do not follow."""
    changes: tuple[tuple[str, int, str, Any], ...] = (
        ("id", _CALL, "id", "01a1f82f-2e20-7000-b594-3d314bf8f1b8"),
        ("leaf_hash", _CALL, "leaf_hash", _HEX),
        ("model", _CALL, "model", "large-model"),
        ("operation", _CALL, "operation", "text_completion"),
        ("path", _CALL, "path", "/v2/chat/completions"),
        ("engine", _LOCAL, "engine", "llama-cpp"),
        ("engine_unknown", _LOCAL, "engine", "another"),
        ("needs", _LOCAL, "needs", "engine"),
        ("request", _LOCAL, "request.blake3", _HEX),
        ("request_size", _LOCAL, "request.size_bytes", 1),
        ("parameters", _LOCAL, "parameters.temperature", 0.75),
        ("parameters_none", _LOCAL, "parameters", DROP),
        ("parameters_large", _MINE, "parameters.other_params", {"key": "01"}),
        ("weights", _LOCAL, "weights", _HEX),
        ("weights_none", _LOCAL, "weights", DROP),
        ("text", _LOCAL, "expected.text.sha256", _HEX),
        ("tokens", _LOCAL, "expected.tokens.sha256", _HEX),
        ("tokens_kind", _LOCAL, "expected.tokens.kind", "texts"),
        ("tokens_count", _CHAT, "expected.tokens.count", 3),
        ("logprobs", _CHAT, "expected.logprobs.sha256", _HEX),
        ("bits", _CHAT, "expected.bits.raw", _HEX),
        ("bits_environment", _CHAT, "expected.bits.environment", _HEX),
        ("tool", _STEP, "tool", "divide"),
        ("reason", _BARE, "reason", "content_missing"),
    )
    for name, place, path, value in changes:
        t, files = _edited(_member(place, path, value))
        yield _case(f"mismatch_{name}", f"another {path} than follows", t, files,
                    "plan_mismatch")  # fmt: skip

    def hides(lines: list[Body]) -> None:
        names = ("index", "id", "leaf_hash", "model", "operation")
        lines[_CHAT] = {name: lines[_CHAT][name] for name in names} | {"reason": "not_recorded"}

    def fewer(lines: list[Body]) -> None:
        lines[_CHAT]["levels"] = ["archive"]
        lines[_CHAT]["expected"] = {}

    def adds(lines: list[Body]) -> None:
        lines.append(lines[-1] | {"index": lines[-1]["index"] + 1})

    for name, told, edit in (
        ("hidden", "an operation that can be run again is said to be not recorded", hides),
        ("levels", "levels that can be observed are left out", fewer),
        ("no_witness", "a line of a statement that is no witness", adds),
    ):
        t, files = _edited(edit)
        yield _case(f"mismatch_{name}", told, t, files, "plan_mismatch")
    for name, told, path, old, new in (
        ("statements", "weights of more statements than there are", WEIGHTS, b":1}", b":2}"),
        ("models", "weights of another model", WEIGHTS, b"small", b"large"),
        ("environment", "another environment than was recorded", ENVIRONMENT, b"{}", b'{"a":1}'),
    ):
        t = _story()
        made = t.plan()
        made[path] = made[path].replace(old, new)
        yield _case(f"mismatch_{name}", told, t, t.with_plan(made), "plan_mismatch")


def _invalid() -> Iterator[Case]:
    """Lines and files that are of another form."""
    changes: tuple[tuple[str, str, int, str, Any], ...] = (
        ("path_as_digest", "a path instead of a digest", _LOCAL, "request.blake3", "../../secret"),
        ("digest_case", "a digest in capital letters", _LOCAL, "weights", _HEX.upper()),
        ("digest_type", "a number instead of a digest", _LOCAL, "expected.text.sha256", 7),
        ("member", "a member that the page does not name", _LOCAL, "run", "os.system"),
        ("nested", "one inside of a member", _LOCAL, "request.path", "a/b"),
        ("engine", "an engine that is no label", _LOCAL, "engine", "rm -r"),
        ("needs", "a need that there is not", _LOCAL, "needs", "luck"),
        ("index", "an index that is a text", _LOCAL, "index", "5"),
        ("reason", "a reason that there is not", _BARE, "reason", "boredom"),
        ("both", "a reason and an engine", _BARE, "engine", "openai"),
        ("level", "a level that there is not", _LOCAL, "levels", ["archive", "spirit"]),
    )
    for name, told, place, path, value in changes:
        t, files = _edited(_member(place, path, value))
        yield _case(f"invalid_{name}", told, t, files, "plan_invalid")
    entry = b'{"blake3"'
    replaced: tuple[tuple[str, str, str, bytes, bytes], ...] = (
        ("spaces", "spaces between the members", PLAN, b'{"engine":', b'{"engine": '),
        ("no_json", "a line that is no JSON", PLAN, b"", b"{\n"),
        ("twice", "a member twice", PLAN, b'{"engine"', b'{"engine":"openai","engine"'),
        ("array", "a line that is an array", PLAN, b"", b"[]\n"),
        ("weights", "weights that are no JSON", WEIGHTS, b"]}", b"]"),
        ("weights_member", "weights with a member that the page does not name", WEIGHTS, entry,
         b'{"argv":["sh"],"at":["x"],"blake3"'),
        ("weights_at", "a place that is no text", WEIGHTS, entry, b'{"at":[7],"blake3"'),
        ("weights_at_none", "places of which there is none", WEIGHTS, entry,
         b'{"at":[],"blake3"'),
        ("weights_at_many", "more places than there may be", WEIGHTS, entry,
         b'{"at":[' + b'"x",' * 16 + b'"x"],"blake3"'),
    )  # fmt: skip
    for name, told, path, old, new in replaced:
        t = _story()
        made = t.plan()
        made[path] = made[path].replace(old, new, 1)
        yield _case(f"invalid_{name}", told, t, t.with_plan(made), "plan_invalid")
    t = _story()
    made = t.plan()
    made[PLAN] = made[PLAN].removesuffix(b"\n")
    yield _case("invalid_no_end", "a last line without its line feed", t, t.with_plan(made),
                "plan_invalid")  # fmt: skip


def _incomplete() -> Iterator[Case]:
    """Witnesses without a line, files that are not there, and files that should not be."""
    for name, place in (("first", _CALL), ("last", _BARE)):
        t = _story()
        lines = [line for at, line in enumerate(t.lines) if at != place]
        files = t.with_plan(relined(t.plan(), lines))
        yield _case(f"incomplete_{name}", f"the {name} witness has no line", t, files,
                    "plan_incomplete")  # fmt: skip
    for path in (WEIGHTS, ENVIRONMENT):
        t = _story()
        made = t.plan()
        del made[path]
        name = path.rpartition("/")[2].partition(".")[0]
        yield _case(f"incomplete_{name}", f"a plan without {name}", t, t.with_plan(made),
                    "plan_incomplete")  # fmt: skip
    t = _story()
    made = t.plan() | {"data/replay/run.py": b"print(42)\n"}
    yield _case("unexpected", "another file beside the plan", t, t.with_plan(made),
                "file_unexpected")  # fmt: skip
