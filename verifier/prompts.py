"""Prompts of witnesses made again from their templates (specs/13 section 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .calls import CALL_BODY_MAX_BYTES
from .errors import BadValue, Refused
from .recorded import Ref, TooMuch
from .templates import Texts, filling, made, parse_snapshot, parse_variables
from .ways import Ways

if TYPE_CHECKING:
    from .audit import Audit

_NOT_THE_TEXT = "the prompt is not what its template makes"


class Prompts:
    """Checks witnesses that say what their prompt was made of; counts what is not at hand."""

    def __init__(self, a: Audit, ways: Ways) -> None:
        self._a = a
        self._ways = ways
        self._recorded = ways.recorded
        self._parsed: dict[str, tuple[bytes, Texts | BadValue]] = {}
        self._absent = 0
        self._large = 0
        self.seen = 0
        self.checked = 0

    def run(self) -> None:
        """Check all prompts; `prompt_mismatch`."""
        for position in self._a.log.templates:
            found = self._ways.payload(position)
            if found is None or found[1]["type"] != "witness":
                continue
            data = found[1]["body"]["data"]
            refs = refs_of(data)
            if not refs:
                continue
            self.seen += 1
            if not all(map(self._recorded.has, refs)):
                self._absent += 1
            elif all(map(self._recorded.holds, refs)):
                self._check(position, data)
        parts = (
            (self._absent, "prompts made from templates: contents not in the package"),
            (self._large, "prompts made from templates: too much to look into"),
        )
        self._a.report.not_checked += [f"{text} ({number})" for number, text in parts if number]

    def _check(self, position: int, data: dict[str, Any]) -> None:
        try:
            self.checked += 1
            if not self._follows(data):
                self._a.emit("prompt_mismatch", position, _NOT_THE_TEXT)
        except BadValue as e:
            self._a.emit("prompt_mismatch", position, f"{_NOT_THE_TEXT}: {e.message}")
        except (TooMuch, Refused):
            self.checked -= 1
            self._large += 1

    def _follows(self, data: dict[str, Any]) -> bool:
        """Return whether a prompt follows from its template; BadValue if it breaks the rule."""
        shelf = self._recorded.shelf
        prompt = shelf.handle(0, data["prompt_hash"])
        size = shelf.size(prompt)
        if size > CALL_BODY_MAX_BYTES:
            raise TooMuch
        template = self._recorded.whole(data["prompt_template"])
        ids = data.get("context_atom_ids", ())
        variables = self._document(data, "prompt_variables", parse_variables)
        atoms = self._document(data, "context_snapshot", parse_snapshot)
        text = made(template, filling(variables, atoms, ids), size)
        if text is None:
            return False
        if not shelf.is_json(prompt):
            return text == self._recorded.whole(data["prompt_hash"])
        found = shelf.includes(text, prompt)
        if found is None:
            raise TooMuch
        return found

    def _document(
        self, data: dict[str, Any], name: str, parse: Callable[[bytes], Texts]
    ) -> Texts | None:
        """Return what a document says, None without one; the last of each kind is kept."""
        ref: Ref | None = data.get(name)
        if ref is None:
            return None
        known = self._parsed.get(name)
        if known is None or known[0] != ref["blake3"]:
            self._parsed.pop(name, None)
            raw = self._recorded.whole(ref)
            try:
                found: Texts | BadValue = parse(raw)
            except BadValue as e:
                found = e
            known = self._parsed[name] = ref["blake3"], found
        if isinstance(known[1], BadValue):
            raise known[1]
        return known[1]


def refs_of(data: dict[str, Any]) -> list[Ref]:
    """Return the contents by which a prompt is made again; none if it does not say."""
    filled = [data[n] for n in ("prompt_variables", "context_snapshot") if n in data]
    if not filled or "prompt_template" not in data:
        return []
    return [data["prompt_template"], data["prompt_hash"], *filled]
