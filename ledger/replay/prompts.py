"""The prompt, made again from its template (specs/13 section 3).

>>> render("{{task}}: {{atoms}}", {"task": "Compare"}, ["a cat", "a dog"])
'Compare: a cat\\n\\na dog'
>>> render("{{atom.2}}", {}, ["a cat", "a dog"])
'a dog'
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ledger.errors import ReplayError
from ledger.formats.call import read_ijson
from ledger.formats.containing import contained, is_json
from ledger.formats.content import ContentRef, from_cbor
from ledger.formats.payload import Payload
from ledger.replay.source import Source, needed

__all__ = ["check_prompt", "render"]

_KEY: Final = re.compile(r"\{\{([A-Za-z0-9._-]{1,128})\}\}")
_ATOM: Final = re.compile(r"atom\.([1-9][0-9]*)")
_ATOM_DIGITS: Final = 5  # more than there can be atoms, which are at most 1,024


def render(template: str, variables: Mapping[str, str], atoms: Sequence[str] | None = None) -> str:
    """Fill a template; `atoms` None means that there is no snapshot.

    Raises `ReplayError("prompt_mismatch")` for a key with nothing to put in.
    """

    def put(found: re.Match[str]) -> str:
        key = found[1]
        numbered = _ATOM.fullmatch(key)
        if atoms is not None and key == "atoms" and atoms:
            return "\n\n".join(atoms)
        if atoms is not None and numbered is not None:
            number = int(numbered[1][:_ATOM_DIGITS])
            if number <= len(atoms):
                return atoms[number - 1]
        elif (atoms is None or key != "atoms") and key in variables:
            return variables[key]
        raise _mismatch(f"the template asks for {key}, and there is nothing to put in")

    return _KEY.sub(put, template)


def check_prompt(source: Source, witness: Payload) -> bool:
    """Make the prompt again and compare; False when the witness does not say how it was made.

    Raises `ReplayError`: `prompt_mismatch`, and `content_missing` for what is not at hand.
    """
    data = witness.body["data"]
    fillings = [data.get("prompt_variables"), data.get("context_snapshot")]
    if "prompt_template" not in data or fillings == [None, None]:
        return False
    template = _text(source, from_cbor(data["prompt_template"]))
    variables = {} if fillings[0] is None else _strings(_json(source, fillings[0]), "variables")
    atoms = None
    if fillings[1] is not None:
        snapshot = _json(source, fillings[1])
        if not isinstance(snapshot, dict) or snapshot.keys() != {"atoms"}:
            raise _mismatch("the context snapshot is not an object with the member atoms alone")
        texts = _strings(snapshot["atoms"], "atoms")
        ids = data.get("context_atom_ids", ())
        missing = [one for one in ids if one not in texts]
        if missing:
            raise _mismatch(f"the context snapshot has no atom {missing[0]}")
        atoms = [texts[one] for one in ids]
    made = render(template, variables, atoms).encode()
    ref = from_cbor(data["prompt_hash"])
    prompt = needed(source, ref)
    same = contained(made, prompt, ref.media_type) if is_json(ref.media_type) else made == prompt
    if not same:
        raise _mismatch("what the template makes is not the prompt")
    return True


def _json(source: Source, ref: object) -> Any:
    try:
        return read_ijson(needed(source, from_cbor(ref)))
    except (ValueError, RecursionError):
        raise _mismatch("what the template is filled with is not JSON") from None


def _strings(value: object, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise _mismatch(f"the {name} of the template are not texts by name")
    return value


def _text(source: Source, ref: ContentRef) -> str:
    try:
        return needed(source, ref).decode()
    except UnicodeDecodeError:
        raise _mismatch("the template is not UTF-8") from None


def _mismatch(why: str) -> ReplayError:
    return ReplayError("prompt_mismatch", why)
