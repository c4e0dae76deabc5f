"""Cases of specs/10 in packages of whole ledgers: what statements of a session say together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.formats.call import call_digest
from tools.vectors import session_calls, session_parts
from tools.vectors.case import Case
from tools.vectors.telling import (
    ANSWER,
    COST_USD,
    FIRST,
    HEADERS,
    SECOND,
    URL,
    Body,
    Telling,
    changes,
    decoded,
    gzipped,
    priced,
)
from tools.vectors.telling import session_case as _case

_GZIP = {"content-encoding": "gzip"}
_STREAM = {"content-type": "text/event-stream"}
_MODELS = "https://api.example.org/v1/models"
_RESPONSES = "https://api.example.org/v1/responses"


def cases() -> Iterator[Case]:
    """Yield the cases of kind package about sessions."""
    yield from _good()
    yield from _runs()
    yield from _attempts()
    yield from _fetches()
    yield from _links()
    yield from _outcomes()
    yield from session_calls.cases()
    yield from session_parts.cases()


def _story(t: Telling) -> Telling:
    """The example of specs/10: a run that is killed, and one that goes on."""
    first = t.open(frozen=t.frozen(a=b"one", b=b"same"))
    plain = None if t.salted else decoded(ANSWER)
    zipped = t.ref(gzipped(ANSWER))
    answer = t.outcome(t.intent(FIRST, stage="answers", reserved_usd=0.01),
                       response=zipped, response_headers=_GZIP, decoded=plain,
                       response_id="chatcmpl-7", first_byte_ms=12.5,
                       duration_ms=412.25)  # fmt: skip
    t.witness(answer, response=gzipped(ANSWER), cost=priced())
    open_call = t.intent(SECOND)
    again = t.open(2, first, previous="killed", frozen=t.frozen(a=b"two", b=b"same"),
                   changed=changes(("a", "altered")), on_unknown="retry")  # fmt: skip
    lost = t.outcome(open_call, "unknown", "killed")
    t.reuse(answer)
    retry = t.intent(SECOND, lost, attempt=2, after="unknown")
    events = b"data: 49\n\ndata: [DONE]\n\n"
    stream = t.outcome(retry, response=t.ref(events, "text/event-stream"),
                       response_headers=_STREAM, streaming="complete")  # fmt: skip
    t.witness(stream, request=SECOND, response=events)
    t.savepoint("answers", answer, stream, complete=True)
    t.close(again, 2, answered=1, reused=1, unpriced=1)
    return t


def _good() -> Iterator[Case]:
    notes = ("call_repeated", "outcome_unknown")
    yield _case("story", "killed, resumed, asked again, given again", _story(Telling()),
                notes=notes)  # fmt: skip
    yield _case("salted", "the same in a salted ledger, with a key for calls",
                _story(Telling(salted=True)), notes=notes)  # fmt: skip

    t = Telling()
    first = t.open(budget_usd=1.0)
    refused = t.outcome(t.intent(FIRST), "failed", "http_status", response=t.ref(b"slow down"))
    unsent = t.outcome(t.intent(FIRST, refused, attempt=2, after="failed"), "failed", "not_sent")
    answer = t.call(FIRST, unsent, attempt=3, after="failed", cost=priced())
    for replicate in (2, 3):
        t.call(FIRST, replicate=replicate, cost=priced(cost_usd=0.1, usage=None, prices=None))
    models = t.outcome(t.intent(None, method="GET",
                                call={"digest": call_digest("GET", _MODELS, {}, None),
                                      "replicate": 1}, url=_MODELS))  # fmt: skip
    t.savepoint("answers", answer)
    t.savepoint("answers")
    t.savepoint("report", models, complete=True)
    t.close(first, status="interrupted", reason="KeyboardInterrupt", answered=4, failed=2,
            unpriced=1, cost_usd=0.0 + COST_USD + 0.1 + 0.1)  # fmt: skip
    second = t.open(2, first, previous="interrupted", stream="mva/experiment_2.2", budget_usd=0.0)
    t.tell("reuse", {"calls": 2}, answer, models, stream="mva/experiment_2.2")
    t.savepoint("answers", complete=True, stream="mva/experiment_2.2")
    t.close(second, 2, reused=2, stream="mva/experiment_2.2")
    third = t.open(3, second)
    t.close(third, 3)
    yield _case("runs", "three runs in two streams, refusals, replicates, a call without witness",
                t)  # fmt: skip

    t = Telling()
    t.open()
    t.open(session="mva/other")
    t.tell("savepoint", {"stage": "a", "complete": True, "state": t.ref(b"1")}, session="mva/other")
    t.tell("note", {"text": "another type"}, session="mva/other")
    t.witness(t.savepoint())
    yield _case("two", "two sessions at a time, neither closed", t, notes=("type_unknown",))

    t = Telling()
    t.open()
    t.intent()
    yield _case("open", "a request without an outcome, in a run that goes on", t,
                codes=("intent_open",))  # fmt: skip


def _runs() -> Iterator[Case]:
    """Runs count, follow each other, and end."""
    code = "session_invalid"

    def begun(*, closed: bool = True) -> tuple[Telling, int]:
        t = Telling()
        opened = t.open()
        if closed:
            t.close(opened)
        return t, opened

    t, opened = begun()
    t.open(3, opened)
    yield _case("run_gap", "run 3 follows run 1", t, code)
    t, _ = begun()
    t.open(stream="mva/experiment_2.2")
    yield _case("run_twice", "a second run 1", t, code)
    t, opened = begun()
    t.open(2, opened, previous="killed")
    yield _case("previous_closed", "the run before is said to be killed, but was closed", t, code)
    t, opened = begun(closed=False)
    t.open(2, opened, previous="complete")
    yield _case("previous_killed", "the run before is said to be complete, but has no end", t, code)
    t, opened = begun()
    t.close(t.open(2, opened), 2)
    t.open(3, opened)
    yield _case("open_parent", "run 3 names run 1 as the one before", t, code)
    t, _ = begun()
    t.savepoint()
    yield _case("after_close", "a statement after the end of the run", t, code)
    t = Telling()
    t.savepoint()
    yield _case("no_open", "a statement without a run", t, code)
    t, opened = begun(closed=False)
    t.open(2, opened, previous="killed", stream="mva/experiment_2.2")
    t.savepoint()
    yield _case("older_run", "a statement of a run that another one has followed", t, code)
    t, opened = begun()
    t.open(2, opened)
    t.close(opened, 2)
    yield _case("close_parent", "a close of run 2 that names run 1 as parent", t, code)
    t, opened = begun()
    again = t.open(2, opened)
    t.close(again, 1)
    yield _case("close_run", "a close of run 2 that says 1", t, code)


def _attempts() -> Iterator[Case]:
    code = "session_invalid"

    def failed() -> tuple[Telling, int]:
        t = Telling()
        t.open()
        return t, t.outcome(t.intent(), "failed", "not_sent")

    t, before = failed()
    t.outcome(t.intent(FIRST, before, attempt=3, after="failed"), "failed", "not_sent")
    yield _case("attempt_gap", "attempt 3 follows attempt 1", t, code)
    t, _ = failed()
    t.outcome(t.intent(), "failed", "not_sent")
    yield _case("attempt_twice", "a second attempt 1", t, code)
    t, before = failed()
    t.outcome(t.intent(FIRST, before, attempt=2, after="unknown"), "failed", "not_sent")
    yield _case("attempt_after", "a failure is called unknown", t, code)
    t, before = failed()
    other = t.outcome(t.intent(SECOND), "failed", "not_sent")
    t.outcome(t.intent(FIRST, other, attempt=2, after="failed"), "failed", "not_sent")
    yield _case("attempt_parent", "the parent is the outcome of another call", t, code)
    t, before = failed()
    t.tell("intent", _second(t), before)
    yield _case("attempt_first_parent", "a first attempt with a parent", t, "body_invalid")
    t, _ = failed()
    t.tell("intent", _second(t, attempt=2, after="failed"))
    yield _case("attempt_no_parent", "a second attempt without a parent", t, "body_invalid")


def _fetches() -> Iterator[Case]:
    """An answer that is fetched is the one whose beginning came."""

    def story(fetches: str) -> Telling:
        t = Telling()
        opened = t.open(on_unknown="fetch")
        asked = b'{"input":"What is 6 times 7?","model":"small-model","stream":true}'
        call = {"digest": t.digest(asked, _RESPONSES), "replicate": 1}
        begin = b'data: {"type":"response.created","response":{"id":"resp_7"}}\n\n'
        end = b'data: {"type":"response.completed","response":{"id":"resp_7","output":[]}}\n\n'
        came: Body = {"http_status": 200, "response_headers": _STREAM, "response_id": "resp_7"}
        cut = t.outcome(t.intent(asked, url=_RESPONSES, call=call, reserved_usd=0.01),
                        "unknown", "stream", response=t.ref(begin, "text/event-stream"),
                        streaming="interrupted", **came)  # fmt: skip
        again = t.intent(asked, cut, url=_RESPONSES, call=call, attempt=2, after="unknown",
                         fetches=fetches, reserved_usd=0.01)  # fmt: skip
        whole = t.outcome(again, response=t.ref(begin + end, "text/event-stream"),
                          streaming="complete", **came)  # fmt: skip
        t.witness(whole, request=asked, response=begin + end, cost=priced())
        t.close(opened, answered=1, unknown=1, cost_usd=COST_USD)
        return t

    yield _case("fetch", "a stream breaks off, and its answer is fetched", story("resp_7"),
                notes=("outcome_unknown",))  # fmt: skip
    yield _case("fetch_other", "the id is not that of the stream that broke off", story("resp_8"),
                "session_invalid")  # fmt: skip


def _second(t: Telling, **change: Any) -> Body:
    """Return the body of an intent of the second request."""
    call = {"digest": t.digest(SECOND), "replicate": 1}
    body: Body = {"call": call, "attempt": 1, "method": "POST", "url": URL,
                  "request": t.ref(SECOND), "request_headers": HEADERS}  # fmt: skip
    return body | change


def _links() -> Iterator[Case]:
    """Parents are statements of the same session, of the type named, as many as named."""
    code = "session_invalid"

    def opened() -> Telling:
        t = Telling()
        t.open()
        return t

    t = opened()
    t.outcome(t.savepoint(), "failed", "not_sent")
    yield _case("outcome_parent", "an outcome of a savepoint", t, code)
    t = opened()
    t.open(session="mva/other")
    t.outcome(t.intent(session="mva/other"))
    yield _case("outcome_session", "an outcome of an intent of another session", t, code)
    t = opened()
    t.reuse(t.outcome(t.intent(), "failed", "not_sent"))
    yield _case("reuse_failed", "a failure is given again", t, code)
    t = opened()
    answer = t.call()
    t.reuse(answer - 1)
    yield _case("reuse_intent", "an intent is given again", t, code)
    t = opened()
    t.open(session="mva/other")
    t.reuse(t.outcome(t.intent(session="mva/other"), session="mva/other"))
    yield _case("reuse_session", "an answer of another session is given again", t, code)
    t = opened()
    t.savepoint(complete=True)
    t.savepoint()
    yield _case("savepoint_after", "a stage goes on after its end", t, code)
    t = opened()
    answer = t.call()
    t.witness(answer)
    yield _case("witness_twice", "two witnesses of one answer", t, code)

    code = "body_invalid"
    t = opened()
    t.tell("reuse", {"calls": 2}, t.call())
    yield _case("reuse_count", "two answers, one parent", t, code)
    t = opened()
    t.tell("outcome", {"status": "failed", "reason": "not_sent"})
    yield _case("outcome_no_parent", "an outcome of nothing", t, code)
    t = opened()
    first = t.intent(FIRST)
    t.tell("outcome", {"status": "failed", "reason": "not_sent"}, first, t.intent(SECOND))
    yield _case("outcome_two_parents", "an outcome of two intents", t, code)
    t = opened()
    t.tell("session_open", _bare(t), 1, session="mva/other")
    yield _case("open_first_parent", "a first run with a parent", t, code)
    t = Telling()
    t.tell("session_open", _bare(t), session=None)
    yield _case("no_session", "a run without a session", t, code)


def _bare(t: Telling) -> Body:
    return {"run": 1, "writer": "lab", "on_unknown": "ask", "environment": t.ref(b"{}"),
            "frozen": []}  # fmt: skip


def _outcomes() -> Iterator[Case]:
    """Every intent has one outcome."""
    t = Telling()
    opened = t.open()
    t.intent()
    t.close(opened)
    yield _case("outcome_none", "a run is closed without an outcome of its intent", t,
                "outcome_missing")  # fmt: skip
    t = Telling()
    first = t.open()
    t.intent()
    t.close(t.open(2, first, previous="killed"), 2)
    yield _case("outcome_none_later", "a later run is closed without one", t, "outcome_missing")
    t = Telling()
    t.open()
    intent = t.intent()
    t.witness(t.outcome(intent))
    t.outcome(intent, "unknown", "timeout")
    yield _case("outcome_two", "an intent has two outcomes", t, "outcome_duplicate")
    t = Telling()
    first = t.open()
    intent = t.intent()
    t.open(2, first, previous="killed")
    t.outcome(intent, "unknown", "abandoned")
    yield _case("outcome_late", "a later run says that it abandoned the call", t,
                "session_invalid")  # fmt: skip
    t = Telling()
    t.open()
    t.outcome(t.intent(), "unknown", "killed")
    yield _case("outcome_killed", "a run says that it was killed itself", t, "session_invalid")
