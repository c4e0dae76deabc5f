"""What is answered: a function of the request and of the number of the paid call.

The text begins with `Answer 17 to 0a1b2c3d4e5f:` (serial number, digest of the request), so no two
paid calls have the same answer, and a recorded answer that is given again is known by its number.
With the option `repeatable` the number is 0 and the fingerprint takes its place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.provider.settings import SUFFIX, Options

CREATED = 1_780_000_000
DIMENSIONS = 8
_SERIAL = re.compile(r"Answer (\d+) to [0-9a-f]{12}")
_WORDS = (
    *("premise", "claim", "ground", "warrant", "bridge", "reason", "doubt", "proof", "case"),
    *("rule", "sense", "term", "scope", "order", "cause", "sign", "part", "whole", "step"),
    *("turn", "mark", "line", "page", "note", "word", "text", "theme", "voice", "frame"),
)

Json = dict[str, Any]


def serial_of(answer: object) -> int:
    """Return the number of the paid call that made an answer.

    `answer` is its text, a vector, or JSON that holds the text. Raises ValueError.
    """
    if isinstance(answer, list) and answer and isinstance(answer[0], float):
        return int(answer[0])
    found = _SERIAL.search(answer if isinstance(answer, str) else json.dumps(answer))
    if found is None:
        raise ValueError(f"no answer of the loopback provider: {answer!r}")
    return int(found[1])


@dataclass(frozen=True)
class Asked:
    """A request that is to be answered."""

    body: Json
    serial: int
    options: Options

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body in one order of keys."""
        canonical = json.dumps(self.body, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).digest()

    @property
    def model(self) -> str:
        """The model that answers: the one asked for, with its version."""
        name = str(self.body.get("model", "demo")).partition(SUFFIX)[0]
        return f"{name}-{self.options.version}"

    def ident(self, prefix: str) -> str:
        """Return an id of the answer, different for each paid call."""
        return f"{prefix}{self.serial:06d}{self.digest.hex()[:18]}"

    @property
    def said_serial(self) -> int:
        """The number in what is said."""
        return 0 if self.options.repeatable else self.serial

    def _drawn(self, number: int) -> bytes:
        """What an answer is drawn from."""
        seed = self.digest + struct.pack(">QQ", self.said_serial, number)
        return seed + self.options.fingerprint.encode() if self.options.repeatable else seed

    def words(self, choice: int = 0) -> list[str]:
        """Return the answer as words; joined by spaces they are the text."""
        stream = hashlib.shake_256(self._drawn(choice))
        drawn = [_WORDS[byte % len(_WORDS)] for byte in stream.digest(self.options.words)]
        return ["Answer", str(self.said_serial), "to", f"{self.digest.hex()[:12]}:", *drawn]

    def text(self, choice: int = 0) -> str:
        """Return the text of the answer; of a structured output, JSON."""
        plain = " ".join(self.words(choice))
        return json.dumps({"answer": plain}) if self._structured() else plain

    def parts(self, choice: int = 0) -> Iterator[str]:
        """Yield the text in about as many parts as the options say."""
        text = self.text(choice)
        size = max(1, -(-len(text) // self.options.chunks))
        for start in range(0, len(text), size):
            yield text[start : start + size]

    def vector(self, index: int) -> list[float]:
        """Return an embedding; its first number is the serial number."""
        seed = hashlib.shake_256(self._drawn(index))
        drawn = ((byte - 128) / 128 for byte in seed.digest(DIMENSIONS - 1))
        return [float(self.said_serial), *drawn]

    def packed(self, index: int) -> str:
        """Return an embedding as the SDK asks for it: base64 of little-endian 32-bit floats."""
        return base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *self.vector(index))).decode()

    @property
    def input_tokens(self) -> int:
        """A number that grows with the request."""
        return max(1, len(json.dumps(self.body)) // 4)

    @property
    def output_tokens(self) -> int:
        """The number of words."""
        return len(self.words())

    def tool(self) -> tuple[str, str] | None:
        """Return name and arguments of the tool that the answer calls, if one is required.

        Tools stand in `tools`; they are called when `tool_choice` demands it.
        """
        tools, choice = self.body.get("tools"), self.body.get("tool_choice")
        if isinstance(choice, dict):
            choice = choice.get("type")
        if not tools or choice not in ("required", "any", "tool", "function"):
            return None
        first = tools[0]
        name = first.get("name") or first.get("function", {}).get("name", "tool")
        return name, json.dumps({"text": " ".join(self.words())})

    def _structured(self) -> bool:
        wanted = self.body.get("response_format") or self.body.get("text", {}).get("format")
        return isinstance(wanted, dict) and str(wanted.get("type", "")).startswith("json")
