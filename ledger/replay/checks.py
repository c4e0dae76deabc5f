"""What is looked at before anything runs (specs/13 section 7, the first reasons).

A replay of something else than what was recorded would prove nothing: contents are all there and
are what the witness names, the prompt follows from its template, and prompt, parameters and tool
results are those that the request holds.
"""

from __future__ import annotations

from typing import Any

from ledger.capture import readers
from ledger.capture.exchange import Request
from ledger.errors import ContentError, FormatError, ReplayError
from ledger.formats.call import canonical, read_ijson
from ledger.formats.containing import contained, is_json
from ledger.formats.content import ContentRef, from_cbor
from ledger.formats.payload import Payload
from ledger.model.archive import Media, media
from ledger.replay.prompts import check_prompt
from ledger.replay.recipe import Recipe, archived_contents
from ledger.replay.source import Source

__all__ = ["check_contents", "check_request"]

_PARAMETERS = ("replay_seed", "temperature", "top_p", "top_k", "max_tokens")


def check_contents(source: Source, witness: Payload) -> None:
    """Raise `ReplayError("content_missing")` unless all that `archive` is about is there."""
    for name, ref in archived_contents(witness.body).items():
        try:
            source.archived(ref)
        except ContentError as error:
            raise ReplayError("content_missing", f"{name}: {error.message}") from None


def check_request(source: Source, witness: Payload, how: Recipe) -> None:
    """Compare what the witness says with what it is made from and with what is sent.

    Raises `ReplayError`: `prompt_mismatch`, `parameters_mismatch`, `tool_results_mismatch`,
    `content_missing`.
    """
    check_prompt(source, witness)
    if how.protocol is None:
        return
    body = source.content(how.request)
    url = f"http://localhost{how.path}"
    said = readers.read(Request("POST", url, (), body), None).fields
    _check_prompt(source, witness, body, said)
    recorded = witness.body.get("replay", {})
    captured = witness.body["capture"]["vantage"] == "transport"
    for name in _PARAMETERS:
        if name not in recorded or (name not in said and not captured):
            continue  # another program's log may know what its request left to a default
        sent = said.get(name)
        if recorded[name] != sent:
            found = "absent" if sent is None else sent
            raise ReplayError(
                "parameters_mismatch",
                f"{name} is {recorded[name]} in the witness, {found} in the request",
            )
    results = witness.body.get("tools", {}).get("tool_results_hash")
    if results is not None and captured:
        given = said.get("tool_results")
        if given is None or not _same(source, from_cbor(results), media(given)):
            raise ReplayError(
                "tool_results_mismatch", "results of tools are not those that the request holds"
            )


def _check_prompt(source: Source, witness: Payload, body: bytes, said: dict[str, Any]) -> None:
    """Compare the prompt; that of another program's log is in a form of its own, unless text."""
    ref = from_cbor(witness.body["data"]["prompt_hash"])
    if witness.body["capture"]["vantage"] == "transport":
        same = _same(source, ref, media(said["prompt"]))
    elif not is_json(ref.media_type):
        same = contained(source.content(ref), body, "application/json")
    else:
        return
    if not same:
        raise ReplayError("prompt_mismatch", "the prompt is not the one that the request holds")


def _same(source: Source, ref: ContentRef, other: Media) -> bool:
    data = source.content(ref)
    if data == other.data:
        return True
    try:
        return canonical(read_ijson(data)) == canonical(read_ijson(other.data))
    except (ValueError, RecursionError, FormatError):
        return False
