"""Calls: identity, replicates, reuse, failures, unknown outcomes (specs/10 §3 to §5 and §7)."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging

import pytest

from ledger import ContentError, FormatError, Ledger
from ledger.capture.exchange import Request, Response
from ledger.errors import SessionError
from ledger.formats.call import call_digest
from ledger.formats.content import from_cbor
from tests.session.lab import (
    NAME,
    URL,
    Prices,
    answer,
    ask,
    bodies,
    do,
    entries,
    kill,
    text_of,
    types,
)


def replicates(log: Ledger) -> list[tuple[int, int]]:
    """Replicate and attempt of every intent."""
    return [(body["call"]["replicate"], body["attempt"]) for body in bodies(log, "intent")]


def test_the_intent_is_durable_before_anything_is_sent(log: Ledger) -> None:
    """When `begin` returns, the request is in the log: what is sent, where to, by allow-list."""
    with log.session(NAME) as session:
        request = ask("a", headers=[("OpenAI-Beta", "x=1"), ("Cookie", "c"), ("Accept", "y")])
        session.begin(request)
        (intent,) = entries(log, "intent")
        body = intent.payload.body
        assert intent.payload.parents == ()
        assert body["method"] == "POST"
        assert body["url"] == URL
        assert body["request_headers"] == {"content-type": "application/json", "openai-beta": "x=1"}
        assert log.content(body["request"]) == request.body
        assert body["request"]["media_type"] == "application/json"
        assert body["model"] == "demo-1"
        assert body["call"]["digest"] == call_digest(
            "POST", URL, body["request_headers"], request.body
        )


def test_an_answer_is_recorded_whole(log: Ledger, prices: Prices) -> None:
    """Outcome and witness in one commit: body, headers by allow-list, tokens, cost, times."""
    with log.session(NAME, prices=prices, task_criticality="critical", domain="maths") as session:
        response = answer("4", fingerprint="fp_1")
        session.begin(ask("2+2")).responded(response, first_byte_ms=1.5, duration_ms=20)
    intent, outcome, witness = (entries(log, t)[0] for t in ("intent", "outcome", "witness"))
    assert outcome.payload.parents[0].id == intent.id
    assert witness.payload.parents[0].id == outcome.id
    assert witness.index == outcome.index + 1
    said = outcome.payload.body
    assert log.content(said["response"]) == response.body
    assert (said["first_byte_ms"], said["duration_ms"]) == (1.5, 20.0)
    assert said["response_id"] == "chatcmpl-1"
    assert "set-cookie" not in said["response_headers"]
    assert "decoded" not in said
    body = witness.payload.body
    assert body["raw"]["request"] == intent.payload.body["request"]
    assert body["raw"]["response"] == said["response"]
    assert body["capture"] == {
        "vantage": "transport",
        "attempts": 1,
        "request_id": "chatcmpl-1",
    }
    assert (body["meta"]["task_criticality"], body["meta"]["domain"]) == ("critical", "maths")
    assert body["cost"]["cost_usd"] > 0
    assert body["cost"]["response_time_ms"] == 20.0
    assert body["model"]["system_fingerprint"] == "fp_1"


def test_what_was_sent_together_is_listed_once(log: Ledger) -> None:
    """A call that is no AI operation has an outcome and no witness, and is given again, too."""
    request = Request("GET", "https://api.example.org/v1/models?key=secret&x=1#f", (), b"")
    for _ in range(2):
        with log.session(NAME) as session:
            call = session.begin(request)
            if call.recorded is None:
                call.responded(Response(200, (("content-type", "application/json"),), b"{}"))
            else:
                assert call.recorded.body == b"{}"
    (intent,) = bodies(log, "intent")
    assert intent["url"] == "https://api.example.org/v1/models?x=1"
    assert "request" not in intent
    assert bodies(log, "witness") == []
    assert bodies(log, "session_close")[1]["reused"] == 1


def test_an_encoded_answer_is_kept_as_sent(log: Ledger) -> None:
    """The body stays encoded, its header with it; the digest is of what it says."""
    plain = answer("zipped")
    headers = (*plain.headers, ("Content-Encoding", "gzip"))
    packed = Response(200, headers, gzip.compress(plain.body))
    with log.session(NAME) as session:
        session.begin(ask("a")).responded(packed)
    with log.session(NAME) as session:
        again = session.begin(ask("a")).recorded
    assert again is not None
    assert again.body == packed.body
    assert ("content-encoding", "gzip") in again.headers
    (outcome,) = bodies(log, "outcome")
    assert outcome["decoded"] == {
        "sha256": hashlib.sha256(plain.body).digest(),
        "size_bytes": len(plain.body),
    }
    (witness,) = bodies(log, "witness")
    assert log.content(witness["output"]["output_hash"]) == b"zipped"


def test_a_recorded_answer_is_given_again(log: Ledger, prices: Prices) -> None:
    """In the next run nothing is sent: status, headers and body are those recorded."""
    with log.session(NAME, prices=prices) as session:
        do(session, ask("a"), answer("first"))
    with log.session(NAME, prices=prices) as session:
        call = session.begin(ask("a"))
        assert text_of(call) == "first"
        assert call.recorded is not None
        assert call.recorded.http_status == 200
        assert ("x-request-id", "r") in call.recorded.headers
        assert session.counts["reused"] == 1
        assert session.saved_usd == session.spent_usd > 0
    assert len(entries(log, "intent")) == 1
    (reuse,) = entries(log, "reuse")
    assert [parent.id for parent in reuse.payload.parents] == [entries(log, "outcome")[0].id]
    assert types(log)[-2:] == ["reuse", "session_close"]


@pytest.mark.parametrize(
    "other",
    [
        ask("b"),
        ask("a", temperature=0.1),
        ask("a", model="demo-2"),
        ask("a", headers=[("anthropic-beta", "x")]),
        Request("PUT", URL, ask("a").headers, ask("a").body),
        Request("POST", URL + "?x=1", ask("a").headers, ask("a").body),
    ],
)
def test_another_request_is_another_call(log: Ledger, other: Request) -> None:
    with log.session(NAME) as session:
        do(session, ask("a"))
    with log.session(NAME) as session:
        assert session.begin(other).recorded is None


def test_the_same_request_written_otherwise_is_the_same_call(log: Ledger) -> None:
    """Order of names, white space, credentials and client versions make no difference."""
    with log.session(NAME) as session:
        do(session, ask("a", seed=1, top_p=1.0))
    value = json.loads(ask("a", seed=1, top_p=1).body)
    body = json.dumps(dict(reversed(value.items())), indent=3).encode()
    headers = (("content-type", "application/json; charset=utf-8"), ("user-agent", "other"))
    with log.session(NAME) as session:
        same = Request("post", "https://u:p@API.example.org:443/v1/chat/completions", headers, body)
        assert session.begin(same).recorded is not None


def test_equal_requests_are_numbered(log: Ledger) -> None:
    """Asked three times, it is three calls; resumed, each gets its own answer."""
    with log.session(NAME) as session:
        for text in "abc":
            do(session, ask("q"), answer(text))
    with log.session(NAME) as session:
        assert [text_of(session.begin(ask("q"))) for _ in range(3)] == ["a", "b", "c"]
        assert session.begin(ask("q")).recorded is None
    assert replicates(log) == [(1, 1), (2, 1), (3, 1), (4, 1)]


def test_a_failed_call_leaves_its_number(log: Ledger) -> None:
    """The next that asks the same is a further attempt, with the outcome before as its parent."""
    with log.session(NAME) as session:
        session.begin(ask("q")).responded(answer(status=429))
        session.begin(ask("q")).broke("not_sent")
        do(session, ask("q"))
        do(session, ask("q"))
    assert replicates(log) == [(1, 1), (1, 2), (1, 3), (2, 1)]
    intents, outcomes = entries(log, "intent"), entries(log, "outcome")
    assert [one.payload.body.get("after") for one in intents] == [None, "failed", "failed", None]
    assert [one.payload.parents[0].id for one in intents[1:3]] == [one.id for one in outcomes[:2]]
    assert [(one.payload.body["status"], one.payload.body.get("reason")) for one in outcomes] == [
        ("failed", "http_status"),
        ("failed", "not_sent"),
        ("answered", None),
        ("answered", None),
    ]
    (first, _) = bodies(log, "witness")
    assert first["capture"]["attempts"] == 3


def test_a_chosen_replicate(log: Ledger) -> None:
    """Within the block a call has the chosen number; the automatic ones go round it."""
    with log.session(NAME) as session:
        with session.replicate(2):
            do(session, ask("q"), answer("two"))
            assert text_of(session.begin(ask("q"))) == "two"
        do(session, ask("q"), answer("one"))
        do(session, ask("q"), answer("three"))
        with session.replicate(1):
            assert text_of(session.begin(ask("q"))) == "one"
        for number in (0, 1_000_001, True, 1.0):
            with pytest.raises(ValueError, match="1000000"):
                session.replicate(number)  # type: ignore[arg-type]
    assert replicates(log) == [(2, 1), (1, 1), (3, 1)]


def test_the_same_answer_twice_needs_two_statements(log: Ledger) -> None:
    """A `reuse` names an answer once; the order in which they were given stays."""
    with log.session(NAME) as session:
        do(session, ask("a"))
        do(session, ask("b"))
    with log.session(NAME) as session, session.replicate(1):
        for name in "abab":
            assert session.begin(ask(name)).recorded is not None
    first, second = (one.id for one in entries(log, "outcome"))
    named = [[parent.id for parent in one.payload.parents] for one in entries(log, "reuse")]
    assert named == [[first, second], [first, second]]
    assert bodies(log, "session_close")[1]["reused"] == 4


def test_reuse_is_written_with_the_next_statement(log: Ledger) -> None:
    """In one commit with it; and by itself when 256 wait."""
    with log.session(NAME) as session:
        for number in range(300):
            do(session, ask(str(number)))
    with log.session(NAME) as session:
        for number in range(257):
            session.begin(ask(str(number)))
        assert [body["calls"] for body in bodies(log, "reuse")] == [256]
        assert session.counts["reused"] == 257
        session.begin(ask("new")).broke("not_sent")
        assert types(log)[-3:] == ["reuse", "intent", "outcome"]
        session.begin(ask("299"))
    assert bodies(log, "session_close")[1]["reused"] == 258


def test_an_erased_answer_is_not_asked_for_again(log: Ledger) -> None:
    """Nor silently: the error says which content, and how to ask anew."""
    with log.session(NAME) as session:
        do(session, ask("a"))
    log.erase(from_cbor(bodies(log, "outcome")[0]["response"]), "wanted")
    with log.session(NAME) as session:
        for _ in range(2):
            with pytest.raises(ContentError) as caught:
                session.begin(ask("a"))
            assert caught.value.code == "content_erased"
            assert caught.value.hint is not None
            assert "replicate" in caught.value.hint
        with session.replicate(2):
            assert session.begin(ask("a")).recorded is None


@pytest.mark.parametrize("how", ["timeout", "disconnected", "abandoned", "stream", "killed"])
def test_what_may_have_been_paid_is_asked_about(log: Ledger, prices: Prices, how: str) -> None:
    """An unknown outcome stops the call and says all there is to know; "retry" goes on."""
    session = log.session(NAME, prices=prices)
    call = session.begin(ask("q"))
    if how == "stream":
        call.responded(answer(), streaming="interrupted")
    elif how in ("timeout", "disconnected"):
        call.broke(how, answer())  # type: ignore[arg-type]
    if how == "killed":
        kill(session)
    else:
        session.close()
    with log.session(NAME, prices=prices) as session:
        for _ in range(2):
            with pytest.raises(SessionError) as caught:
                session.begin(ask("q"))
        assert caught.value.code == "outcome_unknown"
        sent = entries(log, "intent")[0]
        digest = sent.payload.body["call"]["digest"].hex()[:12]
        for said in (digest, "replicate 1", f"POST {URL}", "demo-1", sent.payload.created_at):
            assert said in str(caught.value)
        assert "1.000000 USD" in str(caught.value)
        assert "retry" in (caught.value.hint or "")
        do(session, ask("another"))
    with log.session(NAME, prices=prices, on_unknown="retry") as session:
        do(session, ask("q"), answer("late"))
    with log.session(NAME, prices=prices) as session:
        assert text_of(session.begin(ask("q"))) == "late"
    repeated = bodies(log, "intent")[-1]
    assert (repeated["attempt"], repeated["after"]) == (2, "unknown")


def test_reading_methods_are_repeated_freely(log: Ledger) -> None:
    """A GET costs nothing and changes nothing, so its unknown outcome stops nobody."""
    request = Request("GET", "https://api.example.org/v1/models", (), b"")
    with log.session(NAME) as session:
        session.begin(request).broke("timeout")
        call = session.begin(request)
        assert call.recorded is None
        call.responded(Response(200, (), b"{}"))
    assert bodies(log, "intent")[1]["after"] == "unknown"


def test_a_client_may_repeat_what_it_has_just_sent(log: Ledger) -> None:
    """A retry inside an SDK goes on; one of a call that an earlier run left unknown does not."""
    retry = ask("q", headers=[("X-Stainless-Retry-Count", "1")])
    with log.session(NAME) as session:
        session.begin(ask("q")).broke("timeout")
        session.begin(retry).broke("timeout")
        first = ask("q", headers=[("x-stainless-retry-count", "0")])
        with pytest.raises(SessionError, match="outcome_unknown"):
            session.begin(first)
    with log.session(NAME) as session, pytest.raises(SessionError, match="outcome_unknown"):
        session.begin(retry)
    assert replicates(log) == [(1, 1), (1, 2)]


def test_one_replicate_is_under_way_once(log: Ledger) -> None:
    with log.session(NAME) as session, session.replicate(1):
        call = session.begin(ask("q"))
        with pytest.raises(SessionError, match="session_busy"):
            session.begin(ask("q"))
        call.responded(answer())
        assert session.begin(ask("q")).recorded is not None


@pytest.mark.parametrize(
    ("status", "streaming", "said"),
    [
        (200, None, ("answered", None)),
        (204, "complete", ("answered", None)),
        (200, "closed", ("answered", None)),
        (200, "interrupted", ("unknown", "stream")),
        (200, "error", ("unknown", "stream")),
        (301, None, ("failed", "http_status")),
        (500, "error", ("failed", "http_status")),
        (999, None, ("unknown", "disconnected")),
    ],
)
def test_what_counts_as_an_answer(
    log: Ledger, status: int, streaming: object, said: tuple[str, str | None]
) -> None:
    """The table of specs/10 section 4."""
    with log.session(NAME) as session:
        body = answer().body
        session.begin(ask("q")).responded(
            Response(status, (), body),
            streaming=streaming,  # type: ignore[arg-type]
        )
    (outcome,) = bodies(log, "outcome")
    assert (outcome["status"], outcome.get("reason")) == said
    assert log.content(outcome["response"]) == body
    assert ("streaming" in outcome) == (streaming is not None and status < 300)
    assert len(bodies(log, "witness")) == (said[0] == "answered")


def test_what_came_before_the_end_is_kept(log: Ledger) -> None:
    """A broken exchange records the part of the answer that was there."""
    with log.session(NAME) as session:
        session.begin(ask("q")).broke("disconnected", Response(200, (), b'{"choi'))
        session.begin(ask("r")).broke("not_sent", Response(200, (), b""))
    cut, unsent = bodies(log, "outcome")
    assert log.content(cut["response"]) == b'{"choi'
    assert cut["http_status"] == 200
    assert unsent == {"status": "failed", "reason": "not_sent"}


def test_an_end_is_reported_once(log: Ledger) -> None:
    with log.session(NAME) as session:
        call = do(session, ask("q"))
        with pytest.raises(RuntimeError):
            call.responded(answer())
        call.broke("timeout")
        given = session.begin(ask("q"))
        given.broke("abandoned")
    assert [body["status"] for body in bodies(log, "outcome")] == ["answered", "unknown"]


@pytest.mark.parametrize("url", ["ftp://x/y", "http://", "http://h/" + "a" * 5000, "nonsense"])
def test_a_url_that_cannot_be_recorded_is_not_sent(log: Ledger, url: str) -> None:
    with log.session(NAME) as session, pytest.raises(FormatError):
        session.begin(Request("POST", url, (), b"x"))
    assert bodies(log, "intent") == []


@pytest.mark.parametrize("said", ["", "nonsense", "text/plain\x00", "a/" + "b" * 300, "é/x"])
def test_a_media_type_that_is_none(log: Ledger, said: str) -> None:
    """The body is recorded as bytes."""
    with log.session(NAME) as session:
        request = Request("POST", URL, (("content-type", said),), b"\xff\xfe")
        session.begin(request).responded(Response(200, (("content-type", said),), b"\xfd"))
    for kind, field in (("intent", "request"), ("outcome", "response")):
        ref = bodies(log, kind)[0][field]
        assert ref["media_type"] == "application/octet-stream"
    assert len(bodies(log, "witness")) == 1


def test_large_bodies_are_archived(log: Ledger) -> None:
    """Beyond what goes into the database they are files of the archive."""
    prompt = "long " * 100_000
    with log.session(NAME) as session:
        do(session, ask(prompt), answer(prompt))
    with log.session(NAME) as session:
        assert text_of(session.begin(ask(prompt))) == prompt


def test_a_changed_model_is_noticed(log: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Another fingerprint or another model behind the same name is said once, across runs."""
    caplog.set_level(logging.WARNING, "ledger.session")
    with log.session(NAME) as session:
        do(session, ask("a"), answer(model="demo-1-2026", fingerprint="fp_a"))
        do(session, ask("b"), answer(model="demo-1-2026", fingerprint="fp_b"))
        do(session, ask("c"), answer(model="demo-1-2026", fingerprint="fp_a"))
    with log.session(NAME) as session:
        assert [(one.field, one.before, one.after) for one in session.changes] == [
            ("system_fingerprint", "fp_a", "fp_b")
        ]
        do(session, ask("d"), answer(model="demo-1-2027", fingerprint="fp_b"))
        assert [one.field for one in session.changes] == ["system_fingerprint", "actual_model"]
    assert [record.name for record in caplog.records] == ["ledger.session"] * 2
    assert "demo-1-2027" in caplog.text


def test_credentials_in_bodies_are_warned_about(
    log: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """What kind and where, never the key; the log keeps the body."""
    key = "sk-ant-" + "a1B2" * 10
    caplog.set_level(logging.WARNING, "ledger.capture")
    with log.session(NAME) as session:
        do(session, ask(f"my key is {key}"), answer(f"your key is {key}"))
        do(session, ask(f"my key is {key}"), answer("thanks"))
        warnings = session.warnings
    assert {warning.kind for warning in warnings} == {"Anthropic API key"}
    assert {warning.where.split()[0] for warning in warnings} == {"request", "response"}
    assert len(warnings) == 3
    assert len(caplog.records) == 2
    for said in (caplog.text, *map(str, warnings), *map(repr, warnings)):
        assert "a1B2" not in said


def test_calls_carry_their_stage_and_what_they_build_on(log: Ledger) -> None:
    with log.session(NAME) as session:
        first = do(session, ask("a")).witness
        assert first is not None
        with session.stage("write"), session.about(parents=[first, first]):
            do(session, ask("b"))
    assert [body.get("stage") for body in bodies(log, "intent")] == [None, "write"]
    second = entries(log, "witness")[1]
    assert [parent.id for parent in second.payload.parents[1:]] == [first.id]
