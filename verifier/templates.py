"""A prompt made from its template (specs/13 section 3); nothing here reads a file.

What is put in may be long and asked for often, so the length of the text is found first, and it
is written only if the prompt could hold it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .errors import BadValue
from .jcs import canonical

BETWEEN_ATOMS = b"\n\n"
_KEY = re.compile(rb"\{\{([A-Za-z0-9._-]{1,128})\}\}")
_ATOM = re.compile(rb"atom\.([1-9][0-9]*)")
_ATOM_DIGITS = 5


Texts = dict[bytes, bytes]
Fill = Callable[[bytes], Sequence[bytes]]
"""Returns the texts that a key stands for, to be put in with a blank line between them"""


def parse_variables(raw: bytes) -> Texts:
    """Return the variables by name; raises BadValue."""
    return _texts(_object(raw, "the variables"))


def parse_snapshot(raw: bytes) -> Texts:
    """Return the atoms by id; raises BadValue."""
    whole = _object(raw, "the snapshot")
    if whole.keys() != {"atoms"} or type(whole["atoms"]) is not dict:
        raise BadValue("the snapshot: not an object with the one member atoms")
    return _texts(whole["atoms"])


def filling(variables: Texts | None, atoms: Texts | None, ids: Sequence[str]) -> Fill:
    """Return what fills in the keys of a template; raises BadValue, as filling in does."""
    chosen: list[bytes] = []
    for ident in ids if atoms is not None else ():
        found = (atoms or {}).get(ident.encode())
        if found is None:
            raise BadValue(f"the snapshot has no atom {ident[:80]!a}")
        chosen.append(found)

    def fill(key: bytes) -> Sequence[bytes]:
        found: Sequence[bytes | None] = ((variables or {}).get(key),)
        if atoms is not None and key == b"atoms":
            found = chosen or (None,)
        elif atoms is not None and (match := _ATOM.fullmatch(key)) is not None:
            number = int(match[1]) if len(match[1]) <= _ATOM_DIGITS else 0
            found = chosen[number - 1 : number] if number else ()
        texts = [one for one in found if one is not None]
        if not texts:
            raise BadValue(f"there is nothing for {key.decode()}")
        return texts

    return fill


def made(template: bytes, fill: Fill, most: int) -> bytes | None:
    """Return the text made of a template, or None if it is longer than `most` bytes.

    BadValue: the rule is broken.
    """
    try:
        template.decode("utf-8")
    except UnicodeDecodeError:
        raise BadValue("the template is not UTF-8") from None
    size = 0
    for piece in _pieces(template, fill):
        size += len(piece)
        if size > most:
            return None
    return b"".join(_pieces(template, fill))


def _pieces(template: bytes, fill: Fill) -> Iterator[bytes]:
    at = 0
    for match in _KEY.finditer(template):
        yield template[at : match.start()]
        before = b""
        for text in fill(match[1]):
            yield before
            yield text
            before = BETWEEN_ATOMS
        at = match.end()
    yield template[at:]


def _object(raw: bytes, what: str) -> dict[str, Any]:
    """Return an I-JSON object, whose depth was bounded before it is made."""
    text = canonical(raw)
    if text is None or not text.startswith(b"{"):
        raise BadValue(f"{what}: not an I-JSON object")
    found: dict[str, Any] = json.loads(text)
    return found


def _texts(found: Mapping[str, Any]) -> Texts:
    """Return an object of strings by name, in UTF-8."""
    for name, value in found.items():
        if type(value) is not str:
            raise BadValue(f"{name[:80]!a}: not a string")
    return {name.encode(): value.encode() for name, value in found.items()}
