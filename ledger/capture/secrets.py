"""A look for credentials in what is about to be recorded: a warning, not a proof of absence.

Only patterns with a well-known prefix are looked for, so that a finding is nearly always one. A
finding says what kind of key stands where; it never holds the key.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PATTERNS: dict[str, re.Pattern[bytes]] = {
    "Anthropic API key": re.compile(rb"sk-ant-[A-Za-z0-9_-]{20,512}"),
    "OpenAI API key": re.compile(
        rb"(?<![A-Za-z0-9_-])sk-(?!ant-)(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,512}"
    ),
    "AWS access key id": re.compile(rb"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    "Google API key": re.compile(rb"AIza[A-Za-z0-9_-]{35}"),
    "Google OAuth token": re.compile(rb"ya29\.[A-Za-z0-9_-]{20,2048}"),
    "GitHub token": re.compile(rb"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255}"),
    "Hugging Face token": re.compile(rb"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,64}"),
    "Groq API key": re.compile(rb"gsk_[A-Za-z0-9]{40,64}"),
    "xAI API key": re.compile(rb"xai-[A-Za-z0-9]{60,100}"),
    "Slack token": re.compile(rb"xox[abeprs]-[A-Za-z0-9-]{10,255}"),
    "Stripe key": re.compile(rb"[rs]k_live_[A-Za-z0-9]{20,255}"),
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
