"""Cases of specs/10 in packages: what was asked, what came back, what changed and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.vectors.case import Case
from tools.vectors.telling import (
    ANSWER,
    FIRST,
    SECOND,
    Body,
    Telling,
    changes,
    decoded,
    deflated,
    gzipped,
    priced,
)
from tools.vectors.telling import session_case as _case


def cases() -> Iterator[Case]:
    """Yield the cases of kind package about calls, changes and sums."""
    yield from _calls()
    yield from _salted()
    yield from _changes()
    yield from _sums()
    yield from _decoded()


def _calls() -> Iterator[Case]:
    """What is asked is what the digest says, and it is not asked again."""
    t = Telling()
    t.open()
    answer = t.call()
    t.witness(t.outcome(t.intent(FIRST, answer, attempt=2, after="failed")))
    yield _case("call_again", "an answered call is made again", t, "call_duplicate")
    code = "call_mismatch"
    t = Telling()
    t.open()
    t.call(call={"digest": t.digest(SECOND), "replicate": 1})
    yield _case("call_digest", "the digest of another request", t, code)
    t = Telling()
    t.open()
    t.outcome(t.intent(None), "failed", "not_sent")
    t.outcome(t.intent(None, call={"digest": bytes(32), "replicate": 1}), "failed", "not_sent")
    yield _case("call_digest_empty", "the digest of a request that has no body", t, code)
    t = Telling()
    t.open()
    t.witness(t.outcome(t.intent(FIRST)), request=SECOND)
    yield _case("call_request", "the witness names another request", t, code)
    t = Telling()
    t.open()
    t.witness(t.outcome(t.intent(FIRST)), response=b'{"choices":[]}')
    yield _case("call_response", "the witness names another response", t, code)
    t = Telling()
    t.open()
    t.witness(t.outcome(t.intent(None, method="POST")), request=FIRST)
    yield _case("call_request_none", "the witness names a request, the intent has none", t, code)


def _salted() -> Iterator[Case]:
    """The key of calls is there in salted ledgers, and there only."""
    code = "session_invalid"
    t = Telling(salted=True)
    t.open(call_key=None)
    yield _case("key_missing", "no key in a salted ledger", t, code)
    t = Telling()
    t.open(call_key=t.ref(bytes(32), "application/octet-stream"))
    yield _case("key_plain", "a key in a ledger that is not salted", t, code)
    t = Telling(salted=True)
    first = t.open()
    key = t.ref(bytes(32), "application/octet-stream")
    t.open(2, first, previous="killed", call_key=key)
    yield _case("key_other", "another key in the second run", t, code)
    t = Telling(salted=True)
    t.open()
    answer = t.outcome(t.intent(), decoded=decoded(ANSWER))
    t.witness(answer)
    yield _case("decoded_salted", "a digest without salt in a salted ledger", t, code)
    t = Telling(salted=True)
    t.open()
    plain = Telling().digest(FIRST)
    t.call(call={"digest": plain, "replicate": 1})
    yield _case("digest_unsalted", "a digest without the key", t, "call_mismatch")


def _changes() -> Iterator[Case]:
    """A run says exactly what differs from the run before."""
    table: list[tuple[str, str, dict[str, bytes], dict[str, bytes], list[tuple[str, str]]]] = [
        ("missing", "an altered file is not named", {"a": b"1"}, {"a": b"2"}, []),
        ("added", "an added file is not named", {}, {"a": b"1"}, []),
        ("removed", "a removed file is not named", {"a": b"1", "b": b""}, {"b": b""}, []),
        ("other", "an altered file is said to be added", {"a": b"1"}, {"a": b"2"},
         [("a", "added")]),
        ("extra", "a file that is the same is named", {"a": b"1", "b": b""},
         {"a": b"2", "b": b""}, [("a", "altered"), ("b", "altered")]),
        ("unknown", "a file that nobody froze is named", {"a": b"1"}, {"a": b"1"},
         [("b", "removed")]),
    ]  # fmt: skip
    for name, told, before, after, said in table:
        t = Telling()
        first = t.open(frozen=t.frozen(**before))
        named = changes(*said) or None
        t.open(2, first, previous="killed", frozen=t.frozen(**after), changed=named)
        yield _case(f"change_{name}", told, t, "change_unrecorded")


def _sums() -> Iterator[Case]:
    """A close adds up."""

    def story(**change: Any) -> Telling:
        t = Telling()
        opened = t.open()
        answers = []
        for replicate, cost_usd in enumerate((0.1, 0.2, 0.3), start=1):
            cost = priced(cost_usd=cost_usd, usage=None, prices=None)
            answers.append(t.call(replicate=replicate, cost=cost))
        t.outcome(t.intent(SECOND), "failed", "not_sent")
        t.outcome(t.intent(SECOND, replicate=2), "unknown", "timeout")
        t.reuse(*answers[:2])
        sums: Body = {"answered": 3, "failed": 1, "unknown": 1, "reused": 2,
                      "cost_usd": 0.0 + 0.1 + 0.2 + 0.3}  # fmt: skip
        t.close(opened, **(sums | change))
        return t

    yield _case("sums", "sums as they are", story(), notes=("outcome_unknown",))
    wrong: list[tuple[str, str, Body]] = [
        ("answered", "an answer too many", {"answered": 4}),
        ("failed", "no failure", {"failed": 0}),
        ("unknown", "no unknown outcome", {"unknown": 0}),
        ("reused", "one for a reuse of two", {"reused": 1}),
        ("unpriced", "an answer without costs too many", {"unpriced": 1}),
        ("cost", "costs added in another order", {"cost_usd": 0.6}),
        ("cost_absent", "no costs though there are some", {"cost_usd": None}),
    ]
    for name, told, change in wrong:
        yield _case(f"sums_{name}", told, story(**change), "session_totals")
    t = Telling()
    opened = t.open()
    t.call()
    t.close(opened, answered=1, unpriced=1, cost_usd=0.0)
    yield _case("sums_cost_zero", "costs of nothing though none are known", t, "session_totals")


def _decoded() -> Iterator[Case]:
    """A response without its content encoding is what the outcome says."""

    def story(body: bytes, encoding: str | None, said: Body) -> Telling:
        t = Telling()
        t.open()
        headers = None if encoding is None else {"content-encoding": encoding}
        answer = t.outcome(t.intent(), response=t.ref(body), response_headers=headers, decoded=said)
        t.witness(answer, response=body)
        return t

    said, code = decoded(ANSWER), "decoded_mismatch"
    other = decoded(FIRST) | {"size_bytes": len(ANSWER)}
    yield _case("gzip", "gzip", story(gzipped(ANSWER), "GZip", said))
    yield _case("gzip_twice", "two members", story(gzipped(ANSWER[:9]) + gzipped(ANSWER[9:]),
                                                   "x-gzip", said))  # fmt: skip
    yield _case("deflate", "deflate", story(deflated(ANSWER), "deflate", said))
    yield _case("both", "gzip of deflate",
                story(gzipped(deflated(ANSWER)), "deflate, gzip", said))  # fmt: skip
    yield _case("deflate_raw", "deflate without the frame of zlib, as some servers send it",
                story(deflated(ANSWER)[2:-4], "deflate", said))  # fmt: skip
    yield _case("plain", "no encoding", story(ANSWER, None, said))
    yield _case("identity", "an encoding that is none", story(ANSWER, "identity", said))
    t = Telling()
    t.open()
    t.outcome(t.intent(), "unknown", "disconnected", http_status=200,
              response=t.ref(gzipped(ANSWER)[:-20]), response_headers={"content-encoding": "gzip"},
              decoded=decoded(ANSWER[:-12]))  # fmt: skip
    yield _case("gzip_cut", "what came before the connection was lost", t,
                notes=("outcome_unknown",))  # fmt: skip
    yield _case("brotli", "an encoding that need not be known", story(b"\0", "br", said))
    yield _case("decoded_digest", "another digest", story(gzipped(ANSWER), "gzip", other), code)
    yield _case("decoded_size", "another size",
                story(gzipped(ANSWER), "gzip", said | {"size_bytes": 1}), code)  # fmt: skip
    yield _case("decoded_deflate", "another body, deflated",
                story(deflated(FIRST), "deflate", said), code)  # fmt: skip
    yield _case("decoded_plain", "another body, not encoded", story(FIRST, None, said), code)
    yield _case("decoded_broken", "a body that is not gzip", story(ANSWER, "gzip", said), code)
