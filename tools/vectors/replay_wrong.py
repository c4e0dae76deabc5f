"""Replays in packages that say otherwise than what they compared (specs/13 section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from tools.vectors import replay_answers as answers
from tools.vectors.body import DROP, Body
from tools.vectors.case import Case
from tools.vectors.operating import TEXT, Outside
from tools.vectors.replay_honest import LOCAL, OTHERS, asked, local
from tools.vectors.replaying import Replaying, Seen, replay_case
from tools.vectors.telling import JSON

_CODE = "replay_mismatch"
_FULL = replace(LOCAL, confidence=0.875)
_TOKENS = [("4", -0.5), ("2", -0.25)]
_CHAT = answers.chat("42", _TOKENS)
_AGAIN = answers.chat("42", _TOKENS, "2")


def _case(name: str, told: str, t: Replaying) -> Case:
    return replay_case(name, told, t, _CODE)


def cases() -> Iterator[Case]:
    """Yield the cases of replays that are wrong."""
    yield from _parents()
    yield from _expected()
    yield from _claims()
    yield from _hidden()
    yield from _numbers()
    yield from _outputs()
    yield from _answered()
    yield from _beside()


def _parents() -> Iterator[Case]:
    for kind, body in (
        ("annotation", {"kind": "note"}),
        ("savepoint", None),
    ):
        t = Replaying()
        witness = t.recorded(LOCAL)
        at = t.savepoint() if body is None else t.tell(kind, body, witness)
        t.not_run(at, "archive", "archive")
        yield _case(f"parent_{kind}", f"the parent is no witness but a {kind}", t)
    t = Replaying()
    first = t.replay(t.recorded(LOCAL), LOCAL, LOCAL)
    t.not_run(first, "archive", "archive")
    yield _case("parent_replay", "a replay of a replay", t)


def _expected() -> Iterator[Case]:
    """What the witness has is what was expected."""
    other = bytes(31) + b"\x01"
    said: Body = {}
    for name in ("output", "observation", "environment", "request", "response"):
        t = Replaying()
        said = {"raw.request": t.ref(b"{}", JSON), "raw.response": t.ref(b"[]", JSON)}
        witness = t.recorded(_FULL, engine="transformers", change=said)
        t.replay(witness, _FULL, _FULL, change={f"expected.{name}": other})
        yield _case(f"expected_{name}", f"another {name} than the witness has", t)
        t = Replaying()
        bare: Seen = Seen()
        t.not_run(t.recorded(bare), "transformers", "text", "engine_failed",
                  change={f"expected.{name}": other})  # fmt: skip
        yield _case(f"expected_{name}_none", f"the witness has no {name}", t)
        t = Replaying()
        said = {"raw.request": t.ref(b"{}", JSON), "raw.response": t.ref(b"[]", JSON)}
        t.not_run(t.recorded(_FULL, change=said), "transformers", "text", "engine_failed",
                  change={f"expected.{name}": DROP})  # fmt: skip
        yield _case(f"expected_{name}_left", f"the {name} of the witness is left out", t)
    changes: list[tuple[str, str, Seen, Body]] = [
        ("", "another confidence than the witness has", _FULL, {"expected.confidence": 0.9}),
        ("_none", "the witness has no confidence", LOCAL, {"expected.confidence": 0.9}),
        ("_left", "the confidence of the witness is left out", _FULL,
         {"expected.confidence": DROP}),
    ]  # fmt: skip
    for name, told, seen, change in changes:
        t = Replaying()
        t.not_run(t.recorded(seen), "transformers", "text", "engine_failed", change=change)
        yield _case(f"expected_confidence{name}", told, t)
    t = Replaying()
    blake = {"expected.output": t.ref(LOCAL.output or b"", TEXT)["blake3"]}
    t.not_run(t.recorded(LOCAL), "transformers", "text", "engine_failed", change=blake)
    yield _case("expected_blake3", "the other digest of the output", t)


def _claims() -> Iterator[Case]:
    """What came back differs, and is said to be the same; and the other way round."""
    for name, (_, after) in OTHERS.items():
        yield _case(f"claim_{name}", f"said to be the same at every level, but not: {name}",
                    local(after, claim=(LOCAL, LOCAL)))  # fmt: skip
        yield _case(f"denied_{name}", f"the same at every level, but said to differ: {name}",
                    local(LOCAL, claim=(LOCAL, after)))  # fmt: skip
    text = OTHERS["output"][1]
    yield _case("claim_text_alone", "the text is said to be the same, all else as it is",
                local(text, claim=(LOCAL, replace(text, output=LOCAL.output))))  # fmt: skip
    yield _case("claim_tokens_alone", "tokens are said to be the same, all else as it is",
                local(OTHERS["tokens"][1],
                      claim=(LOCAL, replace(OTHERS["tokens"][1], ids=LOCAL.ids))))  # fmt: skip
    yield _case("claim_fewer", "as many log-probabilities, it is said",
                local(replace(LOCAL, ids=None, texts=None, logprobs=(-0.5, -0.25)),
                      claim=(LOCAL, replace(LOCAL, ids=None, texts=None))))  # fmt: skip


def _hidden() -> Iterator[Case]:
    """What both have was compared; what one has not cannot have been."""
    bare = replace(LOCAL, ids=None)
    for name, told, less in (
        ("texts", "token texts", replace(bare, texts=None)),
        ("logprobs", "log-probabilities", replace(bare, logprobs=None)),
        ("raw", "raw outputs", replace(bare, raw=None)),
    ):
        yield _case(f"hidden_{name}", f"both have {told}, which are said not to be there",
                    local(bare, bare, claim=(less, less), wanted="text"))  # fmt: skip
        yield _case(f"made_up_{name}", f"only one has {told}, which are said to be the same",
                    local(less, bare, claim=(bare, bare), wanted="text"))  # fmt: skip
    yield _case("made_up_kinds", "ids on one side, texts on the other, said to be the same",
                local(replace(LOCAL, ids=None), replace(LOCAL, texts=None), claim=(LOCAL, LOCAL),
                      wanted="text"))  # fmt: skip
    plain = replace(LOCAL, environment={"model": "small-model", "system_fingerprint": "fp_9"})
    unknown = replace(plain, environment=None)
    fingerprint: Body = {"model.system_fingerprint": "fp_9"}
    t = Replaying()
    t.replay(t.recorded(unknown, change=fingerprint), plain, plain, claim=(unknown, plain))
    yield _case("hidden_fingerprint", "the fingerprint of the model is an environment", t)
    t = Replaying()
    t.replay(t.recorded(unknown), plain, plain)
    yield _case("made_up_environment", "the witness has no environment", t)


def _numbers() -> Iterator[Case]:
    far = OTHERS["logprobs"][1]
    first = OTHERS["output"][1]
    token = OTHERS["tokens"][1]
    changes: list[tuple[str, str, Seen, Body]] = [
        ("difference", "another difference of log-probabilities", far,
         {"logprob_difference": 0.125}),
        ("difference_near", "a difference that is there, but not the largest",
         OTHERS["raw"][1], {"logprob_difference": 0.0}),
        ("difference_none", "as many log-probabilities, and no difference is said", far,
         {"logprob_difference": DROP}),
        ("token", "the second token that differs, not the first", token,
         {"first_difference.token": 2}),
        ("token_before", "a token that is the same", token, {"first_difference.token": 0}),
        ("token_none", "tokens differ, and only the character is said", first,
         {"first_difference": {"character": 15}}),
        ("character", "the position in bytes, not code points", replace(
            LOCAL, output="zweiundvierzig ✓!".encode()), {"first_difference": {"character": 18}}),
        ("character_before", "a character that is the same", first,
         {"first_difference.character": 0}),
        ("character_none", "outputs differ, and only the token is said", first,
         {"first_difference": {"token": 2}}),
        ("difference_unsaid", "tokens and outputs differ, and it is not said where", first,
         {"first_difference": DROP}),
    ]  # fmt: skip
    for name, told, after, change in changes:
        yield _case(f"number_{name}", told, local(after, change=change))
    mixed = replace(LOCAL, output=b"42")
    yield _case("number_token_made_up", "only outputs differ, and a token is said, too",
                local(mixed, change={"first_difference.token": 0}))  # fmt: skip
    binary = Seen(output=b"\xff\x00", media="application/octet-stream")
    yield _case("number_character_binary", "outputs are no text, and a character is said",
                local(replace(binary, output=b"\xff\x01"), binary, wanted="text",
                      change={"first_difference": {"character": 1}}))  # fmt: skip


def _outputs() -> Iterator[Case]:
    one = Seen(output=b'{"a": 1, "b": [2.0]}', media=JSON)
    same = Seen(output=b'{"b":[2],"a":1}', media=JSON)
    other = Seen(output=b'{"a":2,"b":[2]}', media=JSON)
    yield _case("json_denied", "one JSON value in two spellings, said to differ",
                local(same, one, claim=(replace(one, media=TEXT), same),
                      wanted="text"))  # fmt: skip
    yield _case("json_claimed", "another JSON value, said to be the same",
                local(other, one, claim=(one, same), wanted="text"))  # fmt: skip
    yield _case("json_half", "two spellings, of which one is not said to be JSON",
                local(replace(same, media=TEXT), one, claim=(one, same),
                      wanted="text"))  # fmt: skip
    twice = Seen(output=b'{"a":1,"a":1,"b":[2]}', media=JSON)
    yield _case("json_twice", "two spellings, of which one is no I-JSON",
                local(twice, one, claim=(one, same), wanted="text"))  # fmt: skip


def _answered() -> Iterator[Case]:
    """What came back follows from the answer that came back."""
    chat = partial(asked, _CHAT, wanted="bits")
    words = answers.chat("43", _TOKENS, "2")
    yield _case("answer_output", "another output than the answer has",
                asked(_CHAT, replace(words, output=b"42"), wanted="text"))  # fmt: skip
    yield _case("answer_output_none", "the answer has an output that is left out",
                asked(_CHAT, replace(_AGAIN, output=None), wanted="archive"))  # fmt: skip
    calls = answers.chat("42", _TOKENS, "2", message={
        "role": "assistant", "content": "42", "tool_calls": [{"id": "1"}]})  # fmt: skip
    yield _case("answer_output_made_up", "an answer that calls tools has no output",
                asked(_CHAT, calls, wanted="text"))  # fmt: skip
    sure = [("4", -0.5), ("2", -0.375)]
    other = answers.chat("42", sure, "2")
    yield _case("answer_observation", "another observation than that of the answer",
                chat(replace(other, logprobs=_CHAT.logprobs)))  # fmt: skip
    yield _case("answer_observation_none", "the observation of the answer is left out",
                asked(_CHAT, replace(_AGAIN, texts=None, logprobs=None, raw=None),
                      wanted="text"))  # fmt: skip
    yield _case("answer_observation_less", "a part of the observation is left out",
                asked(_CHAT, replace(_AGAIN, logprobs=None), wanted="text"))  # fmt: skip
    stream = answers.chat_stream("42")
    yield _case("answer_observation_made_up", "a stream has no raw output",
                asked(_CHAT, replace(stream, raw=b"42"), wanted="text"))  # fmt: skip
    moved = answers.chat("42", _TOKENS, "2", "fp_2")
    yield _case("answer_environment", "another environment than that of the answer",
                asked(_CHAT, replace(moved, environment=_CHAT.environment)))  # fmt: skip
    yield _case("answer_environment_none", "the environment of the answer is left out",
                asked(_CHAT, replace(_AGAIN, environment=None), wanted="text"))  # fmt: skip
    bare = answers.chat("42", _TOKENS, "2", None)
    yield _case("answer_environment_made_up", "the answer names no environment",
                asked(_CHAT, replace(bare, environment=_CHAT.environment)))  # fmt: skip
    yield _case("answer_raw", "another raw output than the answer has",
                chat(replace(_AGAIN, raw=b"{}"), claim=(_CHAT, _AGAIN)))  # fmt: skip
    yield _case("answer_claim", "an answer in other words is said to be the same",
                asked(_CHAT, answers.chat("43", _TOKENS, "2"), claim=(_CHAT, _AGAIN),
                      wanted="text"))  # fmt: skip
    yield _case("answer_embedded", "the n-gram model answers in the same protocol",
                asked(_CHAT, replace(words, output=b"42"), engine="embedded",
                      said={"replay.engine": "embedded"}))  # fmt: skip


def _beside() -> Iterator[Case]:
    """The package of the witness's ledger shows it."""
    far = Replaying(far=True)
    index = far.recorded(LOCAL, engine="transformers")
    note = far.tell("annotation", {"kind": "note"}, index)
    witness, posed = far.outside(index), far.outside(note)
    whole = far.package()

    def case(name: str, told: str, here: Replaying) -> Case:
        return replay_case(f"beside_{name}", told, here, _CODE, beside=[dict(whole)],
                           also=[far.genesis])  # fmt: skip

    here = Replaying()
    here.replay(witness, LOCAL, OTHERS["output"][1], claim=(LOCAL, LOCAL))
    yield case("text", "the text is said to be the same", here)
    here = Replaying()
    here.replay(witness, LOCAL, LOCAL, change={"expected.output": bytes(32)})
    yield case("expected", "another output than the witness has", here)
    here = Replaying()
    here.not_run(Outside(posed.link, "annotation", {}), "archive", "archive")
    yield case("parent", "the parent is no witness there", here)
