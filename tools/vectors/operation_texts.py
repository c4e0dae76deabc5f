"""Cases of what was handed over, and the contexts in which it is contained (specs/12 section 4)."""

from __future__ import annotations

from collections.abc import Iterator

from tools.vectors.case import Case
from tools.vectors.operating import SMALL, TEXT, THOUGHT, Operating
from tools.vectors.operating import operation_case as _case
from tools.vectors.operation_stories import ASK, alone, example

_CODE = "context_mismatch"
_JSON = "application/json"
_SAID = 'He said "six\\seven":\n\tça, 数, 😀/'.encode()
_PLAIN = ('{"messages":[{"role":"user","content":"Know: He said \\"six\\\\seven\\":'
          '\\n\\tça, 数, 😀/ So?"}]}')  # fmt: skip
_ESCAPED = ('{"messages":[{"role":"user","content":"Know: He said \\u0022six\\u005cseven\\u0022:'
            '\\u000a\\u0009\\u00e7a, \\u6570, \\ud83d\\ude00\\/ So?"}]}')  # fmt: skip


def cases() -> Iterator[Case]:
    """Yield the cases of contexts."""
    yield from _text()
    yield from _json()
    yield from _where()


def handing(thought: bytes, prompt: bytes, media: str = TEXT) -> Operating:
    """Tell an operation whose insight is handed over in a prompt."""
    t = Operating()
    insight = t.insight(output=thought)
    handed = t.transfer(insight)
    t.finish(insight, handed, t.execution(handed, t.work(prompt, b"42", SMALL, media=media)))
    return t


def _text() -> Iterator[Case]:
    rows: list[tuple[str, str, bytes, bytes, str, bool]] = [
        ("equal", "the prompt is what was handed over", THOUGHT, THOUGHT, TEXT, True),
        ("start", "it stands at the beginning", THOUGHT, THOUGHT + b" So?", TEXT, True),
        ("end", "it stands at the end", THOUGHT, b"Know: " + THOUGHT, TEXT, True),
        ("binary", "bytes that are no text", b"\xff\x00\xfe", b"\x01\xff\x00\xfe\x02",
         "application/octet-stream", True),
        ("empty", "nothing is contained in everything", b"", b"What?", TEXT, True),
        ("other", "the prompt says something else", THOUGHT, b"What is 6 times 7?", TEXT, False),
        ("altered", "a letter of it was altered", THOUGHT, ASK.replace(b"Six", b"six"), TEXT,
         False),
        ("cut", "its last character is missing", THOUGHT, THOUGHT[:-1], TEXT, False),
        ("spread", "something stands in between", THOUGHT, THOUGHT.replace(b" are", b" - are"),
         TEXT, False),
        ("text_escaped", "escapes of JSON are nothing in a text", _SAID, _PLAIN.encode(), TEXT,
         False),
        ("composed", "another form of the same character", "é".encode(), "e\u0301".encode(), TEXT,
         False),
    ]  # fmt: skip
    for name, told, thought, prompt, media, good in rows:
        yield _case(f"context_{name}", told, handing(thought, prompt, media),
                    "ok" if good else _CODE)  # fmt: skip


def _json() -> Iterator[Case]:
    plain, escaped = _PLAIN.encode(), _ESCAPED.encode()
    deep = b"[" * 64 + b'"' + THOUGHT + b'\\n"' + b"]" * 64
    rows: list[tuple[str, str, bytes, bytes, str, bool]] = [
        ("plain", "quotes and line ends in a prompt of JSON", _SAID, plain, _JSON, True),
        ("escaped", "the same with all that can be escaped", _SAID, escaped, _JSON, True),
        ("suffix", "a media type that ends in +json", _SAID, plain, "application/chat+json", True),
        ("parameter", "a media type with a parameter, in capitals", _SAID, escaped,
         "Application/JSON ; charset=utf-8", True),
        ("string", "JSON that is a string and nothing else", _SAID,
         b'"' + escaped.split(b'content":"')[1].split(b'"')[0] + b'"', _JSON, True),
        ("whole", "the prompt is what was handed over, quotes and all", plain, plain, _JSON, True),
        ("markup", "a run of bytes over several strings of JSON", b'"user","content"', plain, _JSON,
         True),
        ("broken", "bytes of what is no JSON", THOUGHT, b'{"content":"' + THOUGHT, _JSON, True),
        ("twice_bytes", "bytes of JSON with a name twice", THOUGHT,
         b'{"a":1,"a":"' + THOUGHT + b'"}', _JSON, True),
        ("deep", "at the greatest depth", THOUGHT + b"\n", deep, _JSON, True),
        ("other", "the prompt of JSON says something else", _SAID,
         plain.replace(b"six", b"sax"), _JSON, False),
        ("name", "it is a member's name", b"a\nb", b'{"a\\nb":1}', _JSON, False),
        ("two", "it is spread over two strings", b"a\nb", b'["a\\n","b"]', _JSON, False),
        ("cut_short", "the prompt of JSON ends too early", b"a\nb", b'["a\\nb"', _JSON, False),
        ("twice", "JSON with a name twice is looked at as bytes", b"a\nb", b'{"c":1,"c":"a\\nb"}',
         _JSON, False),
        ("deeper", "JSON that is too deep is looked at as bytes", THOUGHT + b"\n",
         b"[" + deep + b"]", _JSON, False),
        ("number", "JSON with a number beyond I-JSON is looked at as bytes", b"a\nb",
         b'[9007199254740992,"a\\nb"]', _JSON, False),
        ("mark", "JSON with a byte order mark is looked at as bytes", b"a\nb",
         b'\xef\xbb\xbf["a\\nb"]', _JSON, False),
        ("binary", "bytes that are no text are in no string", b"\xff\n", b'["\xff\\n"]', _JSON,
         False),
        ("double", "JSON in a string of JSON is not taken apart", b"a\nb",
         b'["[\\"a\\\\nb\\"]"]', _JSON, False),
        ("type", "a media type that only begins with JSON", b"a\nb", b'["a\\nb"]',
         "application/json-seq", False),
        ("digits", "a number is no string", b"42", b'["4\\u0032x",4.2e1]', _JSON, True),
    ]  # fmt: skip
    for name, told, thought, prompt, media, good in rows:
        yield _case(f"context_json_{name}", told, handing(thought, prompt, media),
                    "ok" if good else _CODE)  # fmt: skip


def _where() -> Iterator[Case]:
    told = "the example's prompt is of JSON"
    yield _case("context_example", told, example(ask=b'["' + ASK + b'"]', media=_JSON))
    t = Operating()
    insight = t.insight()
    handed = t.transfer(insight)
    asked = t.work(b"What is 6 times 7?", b"42", SMALL)
    done = t.execution(handed, asked, change={"context": t.ref(ASK, TEXT)})
    t.finish(insight, handed, done)
    yield _case("context_own", "the context beside the prompts contains it", t)
    t = Operating()
    insight = t.insight()
    handed = t.transfer(insight)
    calls = [t.work(prompt, b"42", SMALL) for prompt in (b"What is 6 times 7?", ASK)]
    t.finish(insight, handed, t.execution(handed, *calls))
    yield _case("context_second", "one of two prompts contains it", t)
    t = Operating()
    insight = t.insight()
    handed = t.transfer(insight)
    calls = [t.work(prompt, b"42", SMALL) for prompt in (THOUGHT[:10], THOUGHT[10:])]
    t.finish(insight, handed, t.execution(handed, *calls))
    yield _case("context_halves", "two prompts contain half of it each", t, _CODE)
    t = Operating()
    insight, handed, done = alone(t, b"What is 6 times 7?")
    t.finish(insight, handed, done)
    yield _case("context_own_other", "the context that is named does not contain it", t, _CODE)
    t = Operating()
    insight = t.insight()
    handed = t.transfer(insight)
    t.finish(insight, handed, t.execution(handed))
    yield _case("context_none", "an execution without calls and context", t, _CODE)
    t = Operating()
    insight = t.insight()
    handed = t.transfer(insight, delivered=b"6 x 7 = 42")
    t.finish(insight, handed, t.execution(handed, t.work(ASK, b"42", SMALL)))
    yield _case("context_delivered", "the insight is in the prompt, and not what was delivered", t,
                _CODE)  # fmt: skip
    t = Operating()
    insight = t.insight()
    first = t.transfer(insight)
    second = t.transfer(insight, delivered=b"6 x 7 = 42", change={"label": "2"})
    t.finish(insight, first, second, t.execution(first, second, t.work(ASK, b"42", SMALL)))
    yield _case("context_one", "one of two transfers is not in the prompt", t, _CODE)
    t = Operating()
    insight = t.insight()
    handed = t.transfer(insight)
    t.work(ASK, b"42", SMALL)
    t.finish(insight, handed, t.execution(handed, t.work(b"7?", b"42", SMALL)))
    yield _case("context_elsewhere", "a call that is none of the execution's", t, _CODE)
    t = handing(THOUGHT, b"What is 6 times 7?")
    withheld = t.package(content={}, contents="withheld")
    yield _case("context_withheld", "contents are withheld: not judged", t, files=withheld,
                codes=("content_withheld",))  # fmt: skip
