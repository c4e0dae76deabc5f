"""Fills the examples in the pages of specs from the cases.

<!-- vector: CASE/FILE -->     the fenced block that follows holds the file in hexadecimal
<!-- text: CASE/FILE -->       ... the file as text
<!-- diagnostic: CASE -->      ... the body of the case's statement in diagnostic notation
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ledger.formats import cbor, cose

_BLOCK = re.compile(r"(<!-- (vector|text|diagnostic): (\S+) -->\n```\n)(.*?)(```\n)", re.DOTALL)
_LINE = 150


def filled(specs: Path, files: dict[str, bytes]) -> dict[Path, str]:
    """Return the pages whose examples differ from the cases, with the text they should have."""
    texts = {}
    for page in sorted(specs.glob("*.md")):
        old = page.read_text()
        new = _BLOCK.sub(
            lambda match: match[1] + _example(match[2], match[3], files) + match[5], old
        )
        if new != old:
            texts[page] = new
    return texts


def _example(what: str, name: str, files: dict[str, bytes]) -> str:
    if what == "vector":
        data = files[name]
        lines = [data[at : at + 32].hex(" ") for at in range(0, len(data), 32)]
        return "\n".join(lines) + "\n"
    if what == "text":
        return files[name].decode()
    statement = cose.parse(files[f"{name}/input.bin"])
    return diagnostic(cbor.decode(statement.payload)["body"]) + "\n"


def diagnostic(value: Any, indent: int = 0) -> str:
    """Write a value in the diagnostic notation of RFC 8949 section 8, maps over several lines."""
    if type(value) is bytes:
        return f"h'{value.hex()}'"
    if type(value) is list:
        return f"[{', '.join(diagnostic(item, indent) for item in value)}]"
    if type(value) is dict:
        pairs = [f"{_text(key)}: {diagnostic(item, indent + 2)}" for key, item in value.items()]
        line = f"{{{', '.join(pairs)}}}"
        if len(line) + indent <= _LINE and "\n" not in line:
            return line
        space = " " * (indent + 2)
        return "{\n" + ",\n".join(space + pair for pair in pairs) + "\n" + " " * indent + "}"
    return _text(value)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
