"""A look for credentials in what is about to be recorded: a warning, not a proof of absence.

Only patterns with a well-known prefix are looked for, so that a finding is nearly always one; keys
without one (Azure OpenAI, Cohere, Mistral) are not found. A finding says what kind of key stands
where; it never holds the key.

>>> find_secrets("Authorization: token ghp_" + 36 * "a")
(Finding(kind='GitHub token', offset=21, size_bytes=40),)
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WORD = rb"[A-Za-z0-9_-]"
_END = rb"(?![A-Za-z0-9+/_-])"
_BEFORE = (
    rb"(?<![A-Za-z0-9+/_-]%b)",
    rb"(?<=\\[bfnrt]%b)",
    rb"(?<=\\u[0-9A-Fa-f]{4}%b)",
    rb"(?<=%%[0-9A-Fa-f]{2}%b)",
)


def _key(prefix: bytes, rest: bytes) -> re.Pattern[bytes]:
    """Return the pattern of a key that begins where a word begins, and so not within base64.

    The letter of an escape, as the n in a JSON text's `\\nsk-...`, is none of a word. What stands
    before the prefix, which has a fixed length, is looked at after it: the search then goes for
    the prefix itself. Since a key begins only where a run of its characters does, and all
    repetitions are bounded, the time is linear.
    """
    begins = b"|".join(before % prefix for before in _BEFORE)
    return re.compile(b"%b(?:%b)%b" % (prefix, begins, rest))


PATTERNS: dict[str, re.Pattern[bytes]] = {
    "Anthropic API key": _key(rb"sk-ant-", _WORD + rb"{20,512}"),
    "OpenRouter API key": _key(rb"sk-or-v1-", rb"[0-9a-f]{64}" + _END),
    "OpenAI API key": _key(rb"sk-", rb"(?!ant-|or-v1-)" + _WORD + rb"{20,512}"),
    "AWS access key id": _key(rb"A[KS]IA", rb"[A-Z0-9]{16}" + _END),
    "Google API key": _key(rb"AIza", _WORD + rb"{35}" + _END),
    "Google OAuth token": _key(rb"ya29\.", _WORD + rb"{20,2048}"),
    "Google OAuth client secret": _key(rb"GOCSPX-", _WORD + rb"{28}" + _END),
    "GitHub token": _key(rb"gh[pousr]_", rb"[A-Za-z0-9]{36,255}"),
    "GitHub fine-grained token": _key(rb"github_pat_", rb"[A-Za-z0-9_]{40,255}"),
    "GitLab token": _key(rb"glpat-", _WORD + rb"{20,64}"),
    "Hugging Face token": _key(rb"hf_", rb"[A-Za-z0-9]{30,64}" + _END),
    "Groq API key": _key(rb"gsk_", rb"[A-Za-z0-9]{40,64}" + _END),
    "xAI API key": _key(rb"xai-", rb"[A-Za-z0-9]{60,100}" + _END),
    "Perplexity API key": _key(rb"pplx-", rb"[A-Za-z0-9]{40,64}" + _END),
    "Replicate token": _key(rb"r8_", rb"[A-Za-z0-9]{37}" + _END),
    "NVIDIA API key": _key(rb"nvapi-", _WORD + rb"{60,128}"),
    "Cerebras API key": _key(rb"csk-", rb"[a-z0-9]{40,64}" + _END),
    "Together API key": _key(rb"tgp_v1_", _WORD + rb"{40,64}" + _END),
    "Databricks token": _key(rb"dapi", rb"[0-9a-f]{32}(?:-[0-9])?" + _END),
    "LangSmith API key": _key(rb"lsv2_[ps][tk]_", rb"[0-9a-f]{32}_[0-9a-f]{10}" + _END),
    "Slack token": _key(rb"xox[abeprs]-", rb"[A-Za-z0-9-]{10,255}"),
    "Stripe key": _key(rb"[rs]k_live_", rb"[A-Za-z0-9]{20,255}"),
    "SendGrid API key": _key(rb"SG\.", _WORD + rb"{22}\." + _WORD + rb"{43}" + _END),
    "npm token": _key(rb"npm_", rb"[A-Za-z0-9]{36}" + _END),
    "PyPI token": _key(rb"pypi-AgEIcHlwaS5vcmc", _WORD + rb"{40,512}"),
    "Azure storage key": re.compile(rb"AccountKey=[A-Za-z0-9+/]{86}=="),
    "Azure SAS signature": re.compile(
        rb"sig=(?:(?<=[?&]sig=)|(?<=\\u0026sig=)|(?<=&amp;sig=))[A-Za-z0-9+/%]{40,128}%3[Dd]"
    ),
    "AWS request signature": re.compile(rb"X-Amz-Signature=[0-9a-f]{64}"),
    "JSON web token": _key(
        rb"eyJ", _WORD + rb"{10,2048}\.eyJ" + _WORD + rb"{10,4096}\." + _WORD + rb"{20,1024}"
    ),
    "bearer token": re.compile(rb"[Bb]earer\s{1,4}[A-Za-z0-9._~+/-]{20,4096}"),
    "private key": re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,16} ){0,2}PRIVATE KEY-----"),
}
FINDINGS_MAX = 100


class Finding(NamedTuple):
    """What kind of credential stands where: byte offset and length in the UTF-8 of the content."""

    kind: str
    offset: int
    size_bytes: int


def find_secrets(content: bytes | str) -> tuple[Finding, ...]:
    """Return where a content seems to hold credentials, at most 100 places, in order of offset."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    found = [
        Finding(kind, match.start(), match.end() - match.start())
        for kind, pattern in PATTERNS.items()
        for match in pattern.finditer(data)
    ]
    return tuple(sorted(found, key=lambda finding: finding.offset)[:FINDINGS_MAX])
