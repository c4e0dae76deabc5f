"""The demo model as its user sees it: real probabilities, repeatable answers, clear refusals."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger.demo.model
from ledger.demo.generate import SENTENCE_STOP_FROM
from ledger.demo.model import DemoModel, Parameters
from ledger.demo.ngram import ORDER
from ledger.demo.tokens import END, keeps_boundaries, paragraphs, tokenize

TEXT = """\
A ledger keeps statements in the order in which they were written. Each statement names the one
before it. A reader follows the chain from the last statement to the first, and a missing link
shows at once.

A Merkle tree turns many statements into one root. A proof of inclusion needs only a few hashes,
and a proof of consistency shows that an older tree is a prefix of a newer one. Who keeps the root
can check the tree.

A signature says who wrote a statement. A key that was revoked signs nothing more; what it signed
before stays as it was. "Who signed?" is a question about a key, e.g. key 2.1, and not about a name.
"""
MODEL = DemoModel.estimate(TEXT)
PROMPTS = ["What is a Merkle tree?", "Who signed the statement?", "", "zyx qwv", "A ledger keeps"]

texts = st.text(max_size=60)
training = st.one_of(
    texts.filter(paragraphs), st.lists(st.sampled_from(["a", " a", " b", ".", "\n\n"]), min_size=1)
    .map(lambda parts: "a" + "".join(parts))
)  # fmt: skip
parameters = st.builds(
    Parameters,
    seed=st.integers(),
    temperature=st.one_of(st.just(0.0), st.floats(0, 2), st.just(5e-324), st.just(1e308)),
    top_p=st.floats(0, 1),
    top_k=st.integers(0, 500),
    max_tokens=st.integers(1, 12),
    top_logprobs=st.integers(0, 4),
    stop=st.lists(st.sampled_from([" a", "e", ".", "tree"]), max_size=2).map(tuple),
)


@given(text=st.text())
def test_the_tokens_of_any_text_join_to_that_text(text: str) -> None:
    """Cutting a text into tokens loses nothing, whatever the text."""
    tokens = tokenize(text)
    assert "".join(tokens) == text
    assert "" not in tokens


@given(before=st.lists(st.sampled_from(["a", " a", "'", " ", "\n", "\n ", ".", "a'a"])))
def test_boundaries_that_were_kept_step_by_step_are_those_of_the_whole_text(
    before: list[str],
) -> None:
    """Looking at the last two tokens is enough to write a text that tokenises as it was written."""
    written: list[str] = []
    for token in before:
        if keeps_boundaries(written[-2:], token):
            written.append(token)
    assert tokenize("".join(written)) == written


def test_tokens_are_words_marks_and_white_space() -> None:
    """A single space stays with its word, and a contraction is one word."""
    assert tokenize("It's  here,\n\n no?") == ["It's", " ", " here", ",", "\n\n", " no", "?"]


@given(text=training, context=st.lists(st.integers(-2, 90), max_size=6), prompt=texts,
       weight=st.floats(0, 1))  # fmt: skip
def test_probabilities_of_the_whole_vocabulary_sum_to_one(
    text: str, context: list[int], prompt: str, weight: float
) -> None:
    """After any context, seen or not, with or without a cache, the distribution is a true one."""
    ngram = DemoModel.estimate(text).ngram
    for cache in ((), ngram.cache(tokenize(prompt)), ngram.cache(tokenize(text))):
        probabilities = ngram.distribution(context, cache, weight)
        assert len(probabilities) == len(ngram.vocabulary)
        assert math.fsum(probabilities) == pytest.approx(1, abs=1e-9)
        assert min(probabilities) >= 0
        if weight < 1 or not cache:
            assert min(probabilities) > 0


@given(data=st.data())
def test_every_context_of_the_training_text_has_a_true_distribution(data: st.DataObject) -> None:
    """Contexts that the text does hold, where every order has its say, sum to one as well."""
    tokens = [MODEL.ngram.ids[token] for token in tokenize(paragraphs(TEXT)[0])]
    start = data.draw(st.integers(0, len(tokens) - ORDER))
    context = tokens[start : start + ORDER - 1]
    probabilities = MODEL.ngram.distribution(context)
    assert math.fsum(probabilities) == pytest.approx(1, abs=1e-9)
    # The token that did follow is likelier than before anything was known.
    follower = tokens[start + ORDER - 1]
    assert probabilities[follower] > MODEL.ngram.unigram[follower]


def test_probabilities_agree_with_the_formula_worked_by_hand() -> None:
    """For "a b" / "a b" / "a c" the numbers of interpolated Kneser-Ney come out as on paper."""
    ngram = DemoModel.estimate("a b\n\na b\n\na c").ngram
    assert ngram.vocabulary == (END, " b", " c", "a")
    # Order 1: contexts per token: END 2 (b, c), b 1, c 1, a 1; n1 = 3, n2 = 1, so D = 3/5.
    discount = 3 / 5
    unigram = [(n - discount) / 5 + discount * 4 / 5 / 4 for n in (2, 1, 1, 1)]
    assert ngram.unigram == pytest.approx(unigram)
    # Orders 2 and 3 count each n-gram in one context only (n2 = 0), so D is capped at 0.9.
    b, a = ngram.ids[" b"], ngram.ids["a"]
    p2 = (1 - 0.9) / 2 + 0.9 * 2 / 2 * unigram[b]
    p3 = (1 - 0.9) / 2 + 0.9 * 2 / 2 * p2
    # Order 4: (start start start a) 3, (start start a b) 2, (start start a c) 1, then the two ends
    # 2 and 1; n1 = 2, n2 = 2, so D = 1/3.
    p4 = (2 - 1 / 3) / 3 + (1 / 3) * 2 / 3 * p3
    assert ngram.distribution([-1, -1, a])[b] == pytest.approx(p4)


@given(prompt=st.one_of(texts, st.sampled_from(PROMPTS)), parameters=parameters)
@settings(deadline=None)
def test_an_answer_is_consistent_and_repeats(prompt: str, parameters: Parameters) -> None:
    """Any prompt and parameters give an answer whose parts agree, and give it again."""
    answer = MODEL.generate(prompt, parameters)
    assert answer == MODEL.generate(prompt, parameters)
    assert answer.prompt_tokens == MODEL.count_tokens(prompt)
    assert answer.completion_tokens == len(answer.steps) <= parameters.max_tokens
    assert "".join(step.token for step in answer.steps).startswith(answer.text)
    if not parameters.stop:
        assert tokenize(answer.text) == [step.token for step in answer.steps]
    assert not any(sequence in answer.text for sequence in parameters.stop)
    if answer.finish_reason == "length":
        assert answer.completion_tokens == parameters.max_tokens
    for step in answer.steps:
        best = [other.logprob for other in step.alternatives]
        assert len(best) == parameters.top_logprobs
        assert best == sorted(best, reverse=True)
        assert step.logprob <= (best[0] if best else 0)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_temperature_zero_takes_the_likeliest_token_whatever_the_seed(prompt: str) -> None:
    """A greedy answer does not depend on the seed and is the first choice each time."""
    answers = [MODEL.generate(prompt, Parameters(s, 0.0, top_logprobs=2)) for s in (1, 2)]
    assert answers[0] == answers[1]
    for step in answers[0].steps:
        assert step.token == next(o.token for o in step.alternatives if o.token != END)


def test_equally_likely_tokens_are_taken_in_vocabulary_order() -> None:
    """Where two tokens tie, the greedy answer takes the one that sorts first."""
    model = DemoModel.estimate("b\n\na")
    assert model.generate("", Parameters(temperature=0)).text == "a"


def test_log_probabilities_are_those_of_the_untempered_model() -> None:
    """Temperature and top_k change what is drawn, not what is reported about it."""
    plain = MODEL.generate(PROMPTS[0], Parameters(max_tokens=1, top_logprobs=20))
    sharp = MODEL.generate(PROMPTS[0], Parameters(9, 0.2, 0.5, 3, max_tokens=1, top_logprobs=20))
    assert plain.steps[0].alternatives == sharp.steps[0].alternatives
    cache = MODEL.ngram.cache(tokenize(PROMPTS[0]))
    first = MODEL.ngram.distribution(MODEL.ngram.context(PROMPTS[0]), cache, 0.5)
    chosen = MODEL.ngram.ids[plain.steps[0].token]
    assert plain.steps[0].logprob == math.log(first[chosen])


def test_draws_follow_the_distribution() -> None:
    """Over many seeds, the first token comes up about as often as its probability says."""
    draws = 3000
    one = Parameters(max_tokens=1, top_logprobs=3)
    likely = MODEL.generate("A", one).steps[0].alternatives[0]
    hits = sum(
        MODEL.generate("A", dataclasses.replace(one, seed=seed)).steps[0].token == likely.token
        for seed in range(draws)
    )
    # The end token is not drawn first, which raises every other share a little.
    ends = math.exp(MODEL.generate("A", Parameters(max_tokens=1, top_logprobs=500)).steps[0]
                    .alternatives[-1].logprob)  # fmt: skip
    expected = math.exp(likely.logprob)
    assert ends < 0.01
    assert hits / draws == pytest.approx(expected, abs=5 * math.sqrt(expected / draws) + 0.01)


@pytest.mark.parametrize(
    "parameters",
    [
        Parameters(top_k=1),
        Parameters(top_p=0.0),
        Parameters(temperature=1e-9),
        Parameters(temperature=5e-324),
    ],
)
def test_the_narrowest_bounds_leave_the_greedy_answer(parameters: Parameters) -> None:
    """top_k 1, top_p 0 or a temperature next to 0 give the answer of temperature 0."""
    prompt = "A proof of inclusion"  # its answer has no ties, which only temperature 0 breaks
    greedy = MODEL.generate(prompt, Parameters(temperature=0))
    assert MODEL.generate(prompt, parameters).text == greedy.text


def test_top_p_leaves_out_the_unlikely_tail() -> None:
    """With top_p 0.5 only tokens of the likelier half of the mass are ever drawn."""
    every = Parameters(max_tokens=1, top_logprobs=len(MODEL.ngram.vocabulary))
    ranked = [a for a in MODEL.generate("A", every).steps[0].alternatives if a.token != END]
    total, mass, nucleus = sum(math.exp(a.logprob) for a in ranked), 0.0, set()
    for alternative in ranked:
        nucleus.add(alternative.token)
        mass += math.exp(alternative.logprob) / total
        if mass >= 0.5:
            break
    drawn = {
        MODEL.generate("A", Parameters(seed, top_p=0.5, max_tokens=1)).text for seed in range(300)
    }
    assert drawn <= nucleus
    assert len(drawn) > 1


def test_answers_depend_on_the_prompt() -> None:
    """Different questions get different answers, and a question's subject opens its answer."""
    answers = [MODEL.generate(prompt, Parameters(temperature=0)).text for prompt in PROMPTS[:2]]
    assert answers[0] != answers[1]
    assert "Merkle" in answers[0]
    without = MODEL.ngram.distribution(MODEL.ngram.context("?"))
    cache = MODEL.ngram.cache(tokenize("Merkle?"))
    merkle = MODEL.ngram.ids[" Merkle"]
    assert MODEL.ngram.distribution(MODEL.ngram.context("?"), cache, 0.08)[merkle] > without[merkle]


def test_the_end_of_the_prompt_is_continued() -> None:
    """A prompt that breaks off in a known sentence is answered with the rest of the sentence."""
    answer = MODEL.generate("A proof of inclusion needs only", Parameters(temperature=0))
    assert answer.text.startswith(" a few hashes,")


def test_earlier_messages_count_and_colour_the_answer() -> None:
    """The background is counted in the prompt tokens and changes the probabilities."""
    alone = MODEL.generate("Who?", Parameters(top_logprobs=3))
    told = MODEL.generate("Who?", Parameters(top_logprobs=3), background=["Merkle tree root"])
    assert told.prompt_tokens == alone.prompt_tokens + 3
    assert told.steps[0].alternatives != alone.steps[0].alternatives


def test_a_long_answer_ends_with_a_sentence() -> None:
    """An answer that neither ends nor is cut short stops at a full stop, not at any token."""
    text = "One two three four five six. " * 40
    answer = DemoModel.estimate(text).generate("Go", Parameters(temperature=0, max_tokens=500))
    assert answer.finish_reason == "stop"
    assert SENTENCE_STOP_FROM <= answer.completion_tokens < SENTENCE_STOP_FROM + 7
    assert answer.text.endswith("six.")


def test_recounting_an_answer_gives_the_reported_number_of_tokens() -> None:
    """Tokens that would run together ("cat", "alog" or "don", "'", "t") never meet in an answer."""
    model = DemoModel.estimate("cat\n\n'\n\ndog\n\ncat ' dog\n\n\t'")
    for seed in range(300):
        answer = model.generate("", Parameters(seed, temperature=2))
        assert model.count_tokens(answer.text) == answer.completion_tokens
        assert tokenize(answer.text) == [step.token for step in answer.steps]


def test_max_tokens_cuts_the_answer() -> None:
    """An answer of max_tokens says that its length ended it."""
    answer = MODEL.generate("A ledger keeps", Parameters(temperature=0, max_tokens=3))
    assert (answer.completion_tokens, answer.finish_reason) == (3, "length")


def test_a_stop_sequence_ends_the_answer_before_it() -> None:
    """The text ends before the stop sequence, even if that begins inside a token."""
    prompt = "A proof of inclusion needs only"
    answer = MODEL.generate(prompt, Parameters(temperature=0, stop=("shes,",)))
    assert (answer.text, answer.finish_reason) == (" a few ha", "stop")
    assert [step.token for step in answer.steps] == [" a", " few", " hashes"]
    nothing = MODEL.generate(prompt, Parameters(temperature=0, stop=(" a few",)))
    assert (nothing.text, nothing.steps, nothing.finish_reason) == ("", (), "stop")


@pytest.mark.parametrize("text", ["", " ", "\n\n \n"])
def test_an_empty_training_text_is_refused(text: str) -> None:
    """Nothing to learn from is a ValueError that says so."""
    with pytest.raises(ValueError, match="training text is empty"):
        DemoModel.estimate(text)


def test_a_training_text_that_is_not_unicode_is_refused() -> None:
    """A lone surrogate could not be sent to anybody, so it is refused at the start."""
    with pytest.raises(ValueError, match="UTF-8"):
        DemoModel.estimate("a \ud800 b")


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1}, {"temperature": math.nan}, {"temperature": math.inf},
        {"top_p": 1.1}, {"top_p": math.nan}, {"top_k": -1}, {"max_tokens": 0},
        {"top_logprobs": -1}, {"stop": ("",)},
    ],
)  # fmt: skip
def test_parameters_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    """The error names the parameter."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Parameters(**wrong)  # type: ignore[arg-type]


def test_a_prompt_longer_than_the_training_text_is_answered() -> None:
    """A long prompt is counted whole and answered."""
    answer = DemoModel.estimate("a b").generate("long prompt " * 5000)
    assert answer.prompt_tokens == 10_001
    assert answer.steps


def test_what_was_estimated_cannot_be_changed() -> None:
    """Models, parameters and answers are read-only."""
    answer = MODEL.generate("A")
    for thing, name in ((MODEL, "name"), (Parameters(), "seed"), (answer, "text")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, "other")
    with pytest.raises(TypeError):
        MODEL.ngram.ids["new"] = 1  # type: ignore[index]


def test_the_fingerprint_names_the_training_text() -> None:
    """Another text has another fingerprint; other line ends or another name do not."""
    assert len(MODEL.fingerprint) == 13
    assert MODEL.fingerprint.startswith("fp_")
    windows = DemoModel.estimate(TEXT.replace("\n", "\r\n"), name="other")
    assert windows.fingerprint == MODEL.fingerprint
    assert windows.generate("A") == MODEL.generate("A")
    assert DemoModel.estimate(TEXT + "!").fingerprint != MODEL.fingerprint


def test_two_processes_write_the_same_answer() -> None:
    """Separate processes with different hash seeds agree to the last bit."""
    script = (
        "import json, sys; from ledger.demo.model import DemoModel, Parameters\n"
        "text, prompts = json.load(sys.stdin)\n"
        "model = DemoModel.estimate(text)\n"
        "print(model.fingerprint, [model.generate(p, Parameters(s, t, 0.95, top_logprobs=5))"
        " for p in prompts for s in range(3) for t in (0, 0.7, 1)])"
    )
    root = str(Path(ledger.demo.model.__file__).parents[2])
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            input=json.dumps([TEXT, PROMPTS]),
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(outputs) == 1
    assert MODEL.fingerprint in outputs.pop()


def test_it_is_fast_enough_for_a_trial() -> None:
    """300 kB are estimated in under 3 s and more than 100 tokens are written per second."""
    rng = random.Random(1)
    words = [f"w{number}" for number in range(6000)]
    weights = [1 / rank for rank in range(1, 6001)]
    drawn = rng.choices(words, weights, k=60_000)
    text = "\n\n".join(" ".join(drawn[i : i + 50]) + "." for i in range(0, len(drawn), 50))
    # Processor time, so that a busy machine does not make the model look slow.
    start = time.process_time()
    model = DemoModel.estimate(text[:300_000])
    estimated = time.process_time()
    answers = [model.generate("w1", Parameters(s, 0.7, 0.95, top_logprobs=20)) for s in range(6)]
    tokens = sum(answer.completion_tokens for answer in answers)
    assert estimated - start < 3
    assert tokens / (time.process_time() - estimated) > 100
