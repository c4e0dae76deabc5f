"""Credentials in a file that is about to be imported: found, and replaced on request.

An import archives the file itself, so a key in it would be in the ledger for good. An importer
therefore refuses such a file (`source_secrets`), naming places and never values, or works on a copy
in which every value below is `REDACTED`.

| looked for | where |
|---|---|
| keys with a well-known prefix (`ledger.capture.secrets`), private keys whole | any text |
| `"api_key": "…"` and other members of such a name, `API_KEY=…`, `x-api-key: …` | any text |
| `client_secret=…` | forms |
| `SECRET_PARAMETERS` of specs/10 §7, user and password | any URL |
| `authorization`, cookies, `x-api-key`, … with any value | maps of headers |

What stands for a value (`REDACTED`, `DUMMY`, `<key>`, `***`) is no credential. Nothing is looked
into that is compressed or encrypted; a look is no proof of absence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote

from ledger.capture.secrets import PATTERNS
from ledger.errors import ImportSourceError
from ledger.formats.call import SECRET_PARAMETERS
from ledger.model.raw import SECRET_HEADERS

__all__ = [
    "REDACTED",
    "Secret",
    "find_in_text",
    "is_secret_header",
    "is_secret_member",
    "redact_document",
    "redact_pieces",
    "redact_text",
    "refuse_secrets",
]

REDACTED = "REDACTED"
PIECE_BYTES = 8 << 20
OVERLAP_BYTES = 64 << 10
"""More than any one match is long, so that none is cut in two between pieces."""
SHOWN_MAX = 5
PLACEHOLDER_MAX = 256
DEPTH_MAX = 200

_MEMBER = (
    r"(?:proxy-)?authorization|api[-_]?key|(?:access|refresh|auth|bearer|session|security)[-_]?token"
    r"|client[-_]?secret|secret[-_]?(?:access[-_]?)?key|private[-_]?key|password|passwd"
    r"|(?:set-)?cookie"
)
_IS_MEMBER = re.compile(rf"(?:.*[-_.])?(?:{_MEMBER})", re.IGNORECASE | re.DOTALL)
_IS_HEADER = re.compile(
    rf"(?:.*[-_])?(?:{_MEMBER}|auth|token|secret|credentials?|subscription-key|signature)",
    re.IGNORECASE | re.DOTALL,
)
_PLACEHOLDER = re.compile(
    r"(?:(?:bearer|basic|token)\s+)?(?:\W*|<.*>|\{.*\}|\[.*\]|\$\w+|[\W_]*(?:redacted|removed|filtered"
    r"|dummy|fake|hidden|secret|none|null|x{3,}|your[\w-]*|[\w-]*placeholder[\w-]*)[\W_]*)",
    re.IGNORECASE | re.DOTALL,
)
_VALUE = re.compile(r"(?:(?:bearer|basic|token)\s+)?\S{8,}", re.IGNORECASE)

_PRIVATE_KEY = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]{1,16} ){0,2}PRIVATE KEY-----"
    rb"(?:[A-Za-z0-9+/=\s]|\\[nr]){0,16384}(?:-----END (?:[A-Z0-9]{1,16} ){0,2}PRIVATE KEY-----)?"
)
_QUOTED = re.compile(
    rb"[\"'](?P<name>[A-Za-z0-9_.-]{0,64}?(?:"
    + _MEMBER.encode()
    + rb"))(?P<q>\\{0,8}[\"'])\s{0,64}[:=]"
    rb"\s{0,64}(?:\[\s{0,64})?\\{0,8}[\"'](?P<value>(?:(?:bearer|basic|token)\s{1,4})?"
    rb"[^\"'\\\s]{8,4096})(?=\\{0,8}[\"'])",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    rb"(?:^|[\r\n])(?:export )?(?P<name>[A-Z0-9_]{0,64}(?:API_KEY|SECRET|SECRET_KEY|ACCESS_KEY"
    rb"|ACCESS_TOKEN|AUTH_TOKEN|PASSWORD))(?:=[\"']?| {1,4}= {0,4}[\"'])"
    rb"(?P<value>[^\s\"'()\[\]{}]{8,4096})(?=[\"'\s]|$)"
)
_HEADER_LINE = re.compile(
    rb"(?:^|[\r\n])[<> \t]{0,8}(?P<name>[A-Za-z-]{0,32}(?:authorization|api-key|cookie)): {0,4}"
    rb"(?P<value>(?:(?:bearer|basic|token) )?[^\s]{16,4096})",
    re.IGNORECASE,
)
_FORM = re.compile(
    rb"(?:\A|&)(?P<name>[A-Za-z0-9_.-]{0,64}?(?:" + _MEMBER.encode() + rb"))="
    rb"(?P<value>[^&\s\"'<>{}]{4,4096})(?=&|\s{0,2}\Z)",
    re.IGNORECASE,
)
_WORDS = (b"authorization", b"cookie", b"key", b"passwd", b"password", b"secret", b"token")
"""Every name in the patterns above ends with one of these."""
_RULES = (
    (_QUOTED, (b'"', b"'", b"\\")),
    (_ASSIGNED, (b"=", b" ")),
    (_HEADER_LINE, (b":",)),
    (_FORM, (b"=",)),
)
_URL = re.compile(rb"https?://[^\s\"'<>\\]{1,8192}", re.IGNORECASE)
_USER = re.compile(rb"https?://(?P<value>[^/?#@:]{0,256}:[^/?#@]{1,256})@", re.IGNORECASE)
_PARAMETER = re.compile(rb"[?&;](?P<name>[^=&#]{1,64})=(?P<value>[^&#]{1,4096})")


class Secret(NamedTuple):
    """Where a credential stands, and of what kind; never the credential."""

    place: str
    kind: str


class Hit(NamedTuple):
    """A credential in bytes: those from `start` to `end`."""

    start: int
    end: int
    kind: str


def is_placeholder(value: str) -> bool:
    """Tell whether a value stands for a credential that was taken out before."""
    return len(value) <= PLACEHOLDER_MAX and _PLACEHOLDER.fullmatch(value) is not None


def is_secret_header(name: str) -> bool:
    """Tell whether a header of this name carries credentials."""
    return name.lower() in SECRET_HEADERS or _IS_HEADER.fullmatch(name) is not None


def is_secret_member(name: str) -> bool:
    """Tell whether a member of this name carries a credential, in any JSON or YAML."""
    return _IS_MEMBER.fullmatch(name) is not None


def find_in_text(data: bytes) -> list[Hit]:
    """Return the credentials in some text, in order, none overlapping another."""
    hits = sorted(_hits(data))
    kept: list[Hit] = []
    for hit in hits:
        if kept and hit.start < kept[-1].end:
            if hit.end > kept[-1].end:
                kept[-1] = kept[-1]._replace(end=hit.end)
        else:
            kept.append(hit)
    return kept


def redact_text(data: bytes) -> tuple[bytes, list[Hit]]:
    """Return text without the credentials in it, and where they were."""
    hits = find_in_text(data)
    return (_replaced(data, hits) if hits else data), hits


def redact_pieces(file: BinaryIO, found: list[Secret]) -> Iterator[bytes]:
    """Yield the bytes of a file, read once from its start, without the credentials in it.

    `found` is told of each one, with its line. What is yielded is the file itself if there is none.
    """
    rest, line, ended = b"", 1, False
    while not ended:
        piece = file.read(PIECE_BYTES)
        ended = len(piece) < PIECE_BYTES
        data = rest + piece
        cut = len(data) if ended else max(len(data) - OVERLAP_BYTES, 0)
        hits = find_in_text(data)
        for hit in hits:
            if hit.start < cut < hit.end:
                cut = hit.start
        hits = [hit for hit in hits if hit.start < cut]
        at = 0
        for hit in hits:
            line += data.count(b"\n", at, hit.start)
            at = hit.start
            found.append(Secret(f"line {line}", hit.kind))
        line += data.count(b"\n", at, cut)
        rest = data[cut:]
        yield _replaced(data[:cut], hits)


def redact_document(value: Any, place: str, found: list[Secret], depth: int = 0) -> Any:
    """Return a parsed document without the credentials in it; `found` is told of each one.

    A part in which there is none is returned as it is, not copied.
    """
    if depth > DEPTH_MAX:
        raise ImportSourceError("source_unreadable", f"{place}: nested too deeply")
    if isinstance(value, str | bytes):
        return _redact_scalar(value, place, found)
    if isinstance(value, list):
        items = [redact_document(item, f"{place}/{n}", found, depth + 1) for n, item in _of(value)]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    if not isinstance(value, dict):
        return value
    label = value.get("key", value.get("name"))
    if isinstance(label, str) and "value" in value and is_secret_member(label):
        return {**value, "value": blank(value["value"], f"{place}/{shown(label)}", label, found)}
    members = {}
    for name, member in value.items():
        within = f"{place}/{shown(str(name))}"
        key = _redact_scalar(name, within, found) if isinstance(name, str | bytes) else name
        if isinstance(name, str) and is_secret_member(name) and _is_value(member):
            members[key] = blank(member, within, name, found)
        else:
            members[key] = redact_document(member, within, found, depth + 1)
    same = members.keys() == value.keys() and all(members[key] is value[key] for key in members)
    return value if same else members


def blank(value: Any, place: str, name: str, found: list[Secret]) -> Any:
    """Return what is left of the value of a secret header or member; lists stay lists."""
    if isinstance(value, list):
        return [blank(item, place, name, found) for item in value]
    if isinstance(value, dict):
        return {key: blank(item, place, name, found) for key, item in value.items()}
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not isinstance(text, str) or is_placeholder(text):
        return value
    found.append(Secret(place, f"value of {shown(name.lower())}"))
    return REDACTED


def redact_url(url: str, place: str, found: list[Secret]) -> str:
    """Return a URL without credentials in it."""
    out, hits = redact_text(url.encode("utf-8", "surrogatepass"))
    found += [Secret(place, hit.kind) for hit in hits]
    return out.decode("utf-8", "surrogatepass") if hits else url


def refuse_secrets(name: str, found: Iterable[Secret]) -> ImportSourceError:
    """Return the error for a file that holds credentials: where and of what kind, not which."""
    listed = list(dict.fromkeys(found))
    told = "; ".join(f"{one.place}: {one.kind}" for one in listed[:SHOWN_MAX])
    more = f"; and {len(listed) - SHOWN_MAX} more" if len(listed) > SHOWN_MAX else ""
    return ImportSourceError(
        "source_secrets",
        f"{shown(name)} holds credentials, nothing was written: {told}{more}",
        hint=f"import a copy in which they are {REDACTED}: redact=True (--redact)",
    )


def shown(name: str) -> str:
    """Return a foreign name as it may stand in a message."""
    return ascii(name[:64])[1:-1]


def _of(items: list[Any]) -> Iterator[tuple[int, Any]]:
    return enumerate(items, 1)


def _is_value(value: Any) -> bool:
    """Tell whether a member of a secret's name has what may be one: a word, or a list of such."""
    if isinstance(value, list):
        return bool(value) and all(_is_value(item) for item in value)
    return isinstance(value, str) and _VALUE.fullmatch(value) is not None


def _redact_scalar(value: str | bytes, place: str, found: list[Secret]) -> Any:
    data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    out, hits = redact_text(data)
    if not hits:
        return value
    found += [Secret(place, hit.kind) for hit in hits]
    return out if isinstance(value, bytes) else out.decode("utf-8", "surrogatepass")


def _replaced(data: bytes, hits: list[Hit]) -> bytes:
    parts, at = [], 0
    for hit in hits:
        parts += [data[at : hit.start], REDACTED.encode()]
        at = hit.end
    return b"".join([*parts, data[at:]])


def _hits(data: bytes) -> Iterator[Hit]:
    for kind, pattern in PATTERNS.items():
        whole = _PRIVATE_KEY if kind == "private key" else pattern
        yield from (Hit(match.start(), match.end(), kind) for match in whole.finditer(data))
    lower = data.lower()
    for rule, followed_by in _RULES:
        if not any(word + end in lower for end in followed_by for word in _WORDS):
            continue  # which is quick to tell, unlike where a pattern matches
        for match in rule.finditer(data):
            if not is_placeholder(match["value"].decode("latin-1")):
                name = shown(match["name"].decode("latin-1").lower())
                yield Hit(*match.span("value"), f"value of {name}")
    for url in _URL.finditer(data) if b"://" in data else ():
        yield from _url_hits(url[0], url.start())


def _url_hits(url: bytes, start: int) -> Iterator[Hit]:
    user = _USER.match(url)
    if user and not is_placeholder(user["value"].decode("latin-1").strip(":")):
        yield Hit(start + user.start("value"), start + user.end("value"), "user and password")
    for match in _PARAMETER.finditer(url):
        name = unquote(match["name"].decode("latin-1")).lower()
        if name in SECRET_PARAMETERS and not is_placeholder(match["value"].decode("latin-1")):
            span = (start + match.start("value"), start + match.end("value"))
            yield Hit(*span, f"query parameter {shown(name)}")
