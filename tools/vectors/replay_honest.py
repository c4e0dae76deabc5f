"""Replays in packages that say what they compared, at each level (specs/13 sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tools.vectors import replay_answers as answers
from tools.vectors.body import Body
from tools.vectors.case import Case
from tools.vectors.replay_lab import LEVELS
from tools.vectors.replaying import Replaying, Seen, packed, replay_case
from tools.vectors.telling import JSON

IDS, LOGPROBS = (5, 9, 11), (-0.5, -0.25, -0.125)
HERE: Body = {"dtype": "float32", "libraries": {"torch": "2.9.1"}, "threads": 1}
LOCAL = Seen(
    output="zweiundvierzig ✓".encode(),
    ids=IDS,
    texts=("zwei", "und", "vierzig ✓"),
    logprobs=LOGPROBS,
    raw=packed(IDS, LOGPROBS),
    environment=HERE,
)
FAILED = ("replay_failed",)

_NEAR = (-0.5005, -0.25, -0.125)
_FAR = (-0.5, -0.25, -0.375)
OTHERS: dict[str, tuple[str, Seen]] = {
    "output": ("the text differs, in the same environment",
               replace(LOCAL, output="zweiundvierzig ✗".encode(), ids=(5, 9, 12),
                       texts=("zwei", "und", "vierzig ✗"), raw=packed((5, 9, 12), LOGPROBS))),
    "tokens": ("the same text of other tokens",
               replace(LOCAL, ids=(5, 20, 11), texts=("zwei", "u", "ndvierzig ✓"),
                       raw=packed((5, 20, 11), LOGPROBS))),
    "logprobs": ("log-probabilities differ by more than epsilon",
                 replace(LOCAL, logprobs=_FAR, raw=packed(IDS, _FAR))),
    "raw": ("log-probabilities differ within epsilon",
            replace(LOCAL, logprobs=_NEAR, raw=packed(IDS, _NEAR))),
    "environment": ("all is the same, in another environment",
                    replace(LOCAL, environment=HERE | {"threads": 2})),
    "both": ("the text differs, in another environment",
             replace(LOCAL, output=b"42", ids=(7,), texts=("42",), logprobs=(-0.5,),
                     raw=packed((7,), (-0.5,)), environment=HERE | {"threads": 2})),
}  # fmt: skip
"""What differs from `LOCAL`, by what it differs in."""


def local(after: Seen = LOCAL, before: Seen = LOCAL, *, wanted: str = "bits",
          change: Body | None = None, claim: tuple[Seen, Seen] | None = None,
          said: Body | None = None, salted: bool = False) -> Replaying:  # fmt: skip
    """Tell a witness and its replay in one ledger; `said` changes the witness."""
    t = Replaying(salted=salted)
    witness = t.recorded(before, engine="transformers", change=said)
    t.replay(witness, before, after, wanted=wanted, change=change, claim=claim)
    return t


def asked(before: Seen, after: Seen, request: bytes = answers.CHAT, *, engine: str = "openai",
          wanted: str = "text", said: Body | None = None, change: Body | None = None,
          claim: tuple[Seen, Seen] | None = None) -> Replaying:  # fmt: skip
    """Tell a witness of a protocol and its replay in one ledger."""
    t = Replaying()
    witness = t.recorded(before, request, change=said)
    t.replay(witness, before, after, engine=engine, wanted=wanted, change=change, claim=claim)
    return t


def cases() -> Iterator[Case]:
    """Yield the cases of replays that say what they compared."""
    for wanted in LEVELS:
        yield replay_case(f"wanted_{wanted}", f"the same at every level, {wanted} was wanted",
                          local(wanted=wanted))  # fmt: skip
    yield replay_case("salted", "the same in a salted ledger", local(salted=True))
    for name, (told, after) in OTHERS.items():
        yield replay_case(f"differs_{name}", told, local(after), notes=FAILED)
    yield replay_case("differs_beyond", "a level differs beyond the one that was wanted",
                      local(OTHERS["logprobs"][1], wanted="tokens"))  # fmt: skip
    yield from _not_run()
    yield from _observed()
    yield from _outputs()
    yield from _protocols()
    yield from _elsewhere()


def _not_run() -> Iterator[Case]:
    for reason in ("prompt_mismatch", "parameters_mismatch", "tool_results_mismatch",
                   "content_missing", "weights_mismatch", "model_unavailable", "engine_unknown",
                   "not_recorded", "engine_failed"):  # fmt: skip
        t = Replaying()
        t.not_run(t.recorded(LOCAL), "transformers", "text", reason)
        yield replay_case(reason, f"nothing came back: {reason}", t, notes=FAILED)
    t = Replaying()
    t.not_run(t.recorded(LOCAL), "archive", "archive")
    yield replay_case("archive", "what is recorded is there", t)
    t = Replaying()
    t.not_run(t.recorded(LOCAL), "archive", "bits", "not_observable")
    yield replay_case("archive_other", "the engine archive observes nothing else", t, notes=FAILED)
    t = Replaying()
    t.not_run(t.recorded(LOCAL), "archive", "archive", "content_missing", "differs")
    yield replay_case("archive_missing", "a content was missing to somebody", t, notes=FAILED)
    t = Replaying()
    witness = t.recorded(LOCAL)
    for number in (1, 2, 3):
        t.replay(witness, LOCAL, LOCAL, change={"run": {"number": number, "of": 3}})
    yield replay_case("three", "three runs in a row", t)


def _observed() -> Iterator[Case]:
    """What is there on one side alone is not compared."""
    bare = Seen(output=LOCAL.output)
    yield replay_case("text_only", "there is nothing but an output",
                      local(bare, bare, wanted="text"))  # fmt: skip
    yield replay_case("unobserved", "what was wanted cannot be observed", local(bare, bare),
                      notes=FAILED)  # fmt: skip
    yield replay_case("unobserved_before", "the witness saw nothing but an output",
                      local(LOCAL, bare, wanted="text"))  # fmt: skip
    nothing = Seen(ids=IDS)
    yield replay_case("no_output", "neither has an output, and tokens are the same",
                      local(nothing, nothing, wanted="tokens"))  # fmt: skip
    yield replay_case("no_output_before", "the witness has no output, and text was wanted",
                      local(LOCAL, replace(LOCAL, output=None), wanted="text"),
                      notes=FAILED)  # fmt: skip
    yield replay_case("ids_first", "ids are the same, texts are not",
                      local(replace(LOCAL, texts=("a", "b", "c")), wanted="tokens"))  # fmt: skip
    yield replay_case("texts", "texts are compared where one has no ids",
                      local(replace(LOCAL, ids=None), wanted="tokens"))  # fmt: skip
    yield replay_case("kinds", "ids on one side, texts on the other",
                      local(replace(LOCAL, ids=None), replace(LOCAL, texts=None), wanted="tokens"),
                      notes=FAILED)  # fmt: skip
    empty = replace(LOCAL, ids=(), texts=(), logprobs=(), raw=b"")
    yield replay_case("empty", "no tokens on either side", local(empty, empty))
    fewer = replace(LOCAL, ids=IDS[:2], texts=LOCAL.texts[:2] if LOCAL.texts else (),
                    logprobs=LOGPROBS[:2], raw=packed(IDS[:2], LOGPROBS[:2]))  # fmt: skip
    yield replay_case("fewer", "fewer tokens", local(fewer), notes=FAILED)
    yield replay_case("fewer_before", "more tokens", local(LOCAL, fewer), notes=FAILED)
    yield replay_case("no_raw", "environments are identical, and there is no raw output",
                      local(replace(LOCAL, raw=None), wanted="logprobs"))  # fmt: skip
    yield replay_case("no_environment", "raw outputs are identical, and the environment unknown",
                      local(replace(LOCAL, environment=None), wanted="logprobs"))  # fmt: skip
    sure = replace(LOCAL, confidence=0.875)
    yield replay_case("confidence", "less certain than before",
                      local(replace(LOCAL, confidence=0.75), sure))  # fmt: skip
    yield replay_case("confidence_one", "only the witness has a confidence", local(LOCAL, sure))
    plain = replace(LOCAL, environment={"model": "small-model", "system_fingerprint": "fp_9"})
    said: Body = {"model.system_fingerprint": "fp_9"}
    t = Replaying()
    witness = t.recorded(replace(plain, environment=None), change=said)
    t.replay(witness, plain, plain, wanted="bits")
    yield replay_case("fingerprint", "the environment is what the model's fingerprint says", t)


def _outputs() -> Iterator[Case]:
    one = Seen(output=b'{"a": 1, "b": [2.0]}', media=JSON)
    same = Seen(output=b'{"b":[2],"a":1}', media=JSON)
    yield replay_case("json", "one JSON value in two spellings", local(same, one, wanted="text"))
    yield replay_case("json_other", "another JSON value",
                      local(Seen(output=b'{"a":2,"b":[2]}', media=JSON), one, wanted="text"),
                      notes=FAILED)  # fmt: skip
    yield replay_case("json_text", "one of two spellings is not said to be JSON",
                      local(replace(same, media="text/plain"), one, wanted="text"),
                      notes=FAILED)  # fmt: skip
    binary = Seen(output=b"\xff\x00", media="application/octet-stream")
    yield replay_case("binary", "outputs that are no text",
                      local(replace(binary, output=b"\xff\x01"), binary, wanted="text"),
                      notes=FAILED)  # fmt: skip
    yield replay_case("longer", "the output goes on",
                      local(Seen(output="zweiundvierzig ✓!".encode()), wanted="text"),
                      notes=FAILED)  # fmt: skip
    wide = Seen(output="😀😀a".encode())
    yield replay_case("code_points", "positions are counted in code points",
                      local(Seen(output="😀😀b".encode()), wide, wanted="text"),
                      notes=FAILED)  # fmt: skip


def _protocols() -> Iterator[Case]:
    tokens = [("4", -0.5), ("2", -0.25)]
    before = answers.chat("42", tokens)
    yield replay_case("chat", "a chat completion, the same to the last bit",
                      asked(before, answers.chat("42", tokens, "2"), wanted="bits"))  # fmt: skip
    yield replay_case("chat_text", "an answer in other words",
                      asked(before, answers.chat("43", [("4", -0.5), ("3", -0.25)], "2")),
                      notes=FAILED)  # fmt: skip
    yield replay_case("chat_fingerprint", "the endpoint has another fingerprint",
                      asked(before, answers.chat("42", tokens, "2", "fp_2"), wanted="bits"),
                      notes=FAILED)  # fmt: skip
    bare = answers.chat("42", fingerprint=None)
    yield replay_case("chat_bare", "no log-probabilities and no fingerprint",
                      asked(bare, answers.chat("42", identity="2", fingerprint=None)))  # fmt: skip
    yield replay_case("embedded", "the n-gram model of the demo",
                      asked(before, answers.chat("42", tokens, "2"), engine="embedded",
                            wanted="bits", said={"replay.engine": "embedded"}))  # fmt: skip
    stream = answers.chat_stream("4", "2")
    yield replay_case("chat_stream", "both are streams, of which there is no raw output",
                      asked(stream, answers.chat_stream("42", identity="2")))  # fmt: skip
    yield replay_case("chat_streamed", "one is a stream",
                      asked(before, answers.chat_stream("4", "2"), wanted="text"))  # fmt: skip
    yield replay_case("completion", "a text completion",
                      asked(answers.completion("42", tokens),
                            answers.completion("42", tokens, "2"), answers.COMPLETION,
                            wanted="logprobs"))  # fmt: skip
    provider: Body = {"model.model_provider": "anthropic", "model.provider_source": "stated"}
    yield replay_case("messages", "an answer of messages",
                      asked(answers.messages("42"), answers.messages("42", "2"), engine="anthropic",
                            said=provider))  # fmt: skip
    yield replay_case("messages_stream", "streams of messages",
                      asked(answers.messages_stream("4", "2"), answers.messages_stream("42"),
                            engine="anthropic", said=provider))  # fmt: skip
    yield replay_case("responses", "an answer of responses",
                      asked(answers.responses("42"), answers.responses("42", "2"),
                            answers.RESPONSES))  # fmt: skip
    yield replay_case("embeddings", "an embedding",
                      asked(answers.embeddings([0.5, 0.25]), answers.embeddings([0.5, 0.25]),
                            answers.EMBEDDING, said={"operation": "embeddings"}))  # fmt: skip
    calls = answers.chat("42", finish_reason="tool_calls", message={
        "role": "assistant", "content": "42", "tool_calls": [{"id": "1"}]})  # fmt: skip
    calls = replace(calls, output=None)
    said: Body = {"output": {}}
    yield replay_case("tool_calls", "an answer that calls tools has no output",
                      asked(calls, calls, wanted="bits", said=said))  # fmt: skip
    other = replace(before, texts=None, logprobs=None, raw=b"raw")
    t = Replaying()
    seen = replace(other, response=None).observation()
    assert seen is not None
    said = {"replay.observation": t.ref(seen, JSON)}
    witness = t.recorded(before, answers.CHAT, change=said)
    t.replay(witness, other, before, engine="openai")
    yield replay_case("stated", "the observation that is recorded, not the one of the answer", t)


def _elsewhere() -> Iterator[Case]:
    for name, after, wanted in (("", LOCAL, "bits"), ("_differs", OTHERS["both"][1], "text")):
        far, here = Replaying(far=True), Replaying()
        witness = far.outside(far.recorded(LOCAL, engine="transformers"))
        here.replay(witness, LOCAL, after, wanted=wanted)
        found = FAILED if name else ()
        yield replay_case(f"beside{name}", "the witness is in a ledger whose package is there",
                          here, notes=found, beside=[far.package()],
                          also=[far.genesis])  # fmt: skip
        here = Replaying()
        here.replay(witness, LOCAL, after, wanted=wanted)
        yield replay_case(f"outside{name}", "the witness is in another ledger", here,
                          notes=(*found, "parent_outside"))  # fmt: skip
    here = Replaying()
    here.replay(witness, LOCAL, OTHERS["both"][1], claim=(LOCAL, LOCAL))
    yield replay_case("outside_unjudged", "what is not at hand is not judged", here,
                      notes=("parent_outside",))  # fmt: skip
