"""What a witness says about running its operation again (specs/13 sections 1, 2 and 5).

A `Recipe` names contents and reads none of them but the request, where the protocol has to be told
from it. What was to be expected is read by `expectation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ledger.capture.exchange import Response, content_encodings, decode_body
from ledger.errors import FormatError, ReplayError
from ledger.formats.call import IDENTITY_HEADERS, canonical, read_ijson
from ledger.formats.content import ContentRef, from_cbor
from ledger.formats.observation import Observation, parse, parse_environment
from ledger.formats.payload import Payload
from ledger.model.archive import Media
from ledger.replay.answers import read_answer
from ledger.replay.levels import Seen
from ledger.replay.source import Source, intent_of, needed, outcome_of

__all__ = [
    "ENDINGS",
    "HTTP_ENGINES",
    "Protocol",
    "Recipe",
    "archived_contents",
    "expectation",
    "recipe",
]

HTTP_ENGINES: Final = frozenset({"openai", "anthropic"})
_LOCAL: Final = frozenset({"transformers", "llama-cpp"})
_CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})
_NOT_PARAMETERS: Final = frozenset({"engine", "environment", "observation"})


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol of an HTTP engine: how it is told, and what its path ends with."""

    name: str
    engine: str
    ending: str
    member: str


_PROTOCOLS: Final = (
    Protocol("messages", "anthropic", "/messages", "messages"),
    Protocol("chat", "openai", "/chat/completions", "messages"),
    Protocol("completions", "openai", "/completions", "prompt"),
    Protocol("embeddings", "openai", "/embeddings", "input"),
    Protocol("responses", "openai", "/responses", "input"),
)
ENDINGS: Final = {protocol.name: protocol.ending for protocol in _PROTOCOLS}
"""What the path of a request ends with, by protocol."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an operation can be run again."""

    engine: str
    request: ContentRef
    """What is run: a request body, arguments of a step, or a prompt."""
    parameters: dict[str, Any]
    weights: bytes | None = None
    tool: str | None = None
    protocol: Protocol | None = None
    path: str | None = None
    url: str | None = None
    headers: dict[str, str] | None = None

    @property
    def needs(self) -> str:
        """What whoever replays has to have: endpoint, function, weights or an engine."""
        if self.engine in HTTP_ENGINES:
            return "endpoint"
        if self.engine == "step":
            return "function"
        return "weights" if self.weights is not None or self.engine in _LOCAL else "engine"


def recipe(source: Source, witness: Payload) -> Recipe:
    """Return how to run the operation of a witness again.

    Raises `ReplayError("not_recorded")` where the witness does not say, and `content_missing` where
    the request has to be looked into and is not at hand.
    """
    body = witness.body
    said = body.get("replay", {})
    engine = said.get("engine")
    parameters = {key: value for key, value in said.items() if key not in _NOT_PARAMETERS}
    weights = body["model"].get("weights_hash")
    tools = body.get("tools", {})
    is_step = (
        body["operation"] == "execute_tool"
        and body["capture"]["vantage"] == "hook"
        and len(tools.get("tool_ids", ())) == 1
        and "tool_parameters" in tools
    )
    if engine == "step" or (engine is None and is_step):
        if not tools.get("tool_ids") or "tool_parameters" not in tools:
            raise _not_recorded("the arguments of the function are not recorded")
        request = from_cbor(tools["tool_parameters"])
        return Recipe("step", request, parameters, weights, tool=tools["tool_ids"][0])
    if engine is not None and engine not in HTTP_ENGINES:
        return Recipe(engine, from_cbor(body["data"]["prompt_hash"]), parameters, weights)
    return _of_http(source, witness, engine, parameters, weights)


def _of_http(
    source: Source,
    witness: Payload,
    engine: str | None,
    parameters: dict[str, Any],
    weights: bytes | None,
) -> Recipe:
    body = witness.body
    raw = body.get("raw", {})
    if "request" not in raw:
        raise _not_recorded("the request is not recorded as it was sent")
    request = from_cbor(raw["request"])
    intent = intent_of(source, witness)
    headers = raw.get("request_headers") or {}
    if intent is None:
        protocol = _by_body(source, request, body)
        path, url = f"/v1{protocol.ending}", None
    else:
        url = intent.body["url"]
        split = urlsplit(url)
        protocol = _by_path(intent.body["method"], split.path)
        path = split.path + (f"?{split.query}" if split.query else "")
        headers = headers or intent.body.get("request_headers") or {}
    if engine is not None and engine != protocol.engine:
        raise _not_recorded(f"the request is not one of {engine}")
    return Recipe(
        protocol.engine,
        request,
        parameters,
        weights,
        protocol=protocol,
        path=path,
        url=url,
        headers=_kept(headers),
    )


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name in IDENTITY_HEADERS}
    return {"content-type": headers.get("content-type", "application/json"), **kept}


def _by_path(method: str, path: str) -> Protocol:
    for protocol in _PROTOCOLS:
        if method == "POST" and path.endswith(protocol.ending):
            return protocol
    raise _not_recorded("the request was to no address of a model that is understood")


def _by_body(source: Source, request: ContentRef, witness: dict[str, Any]) -> Protocol:
    try:
        asked = read_ijson(needed(source, request))
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise _not_recorded("the request is not a JSON object")
    conditions = {
        "messages": witness["model"].get("model_provider") == "anthropic",
        "embeddings": witness["operation"] == "embeddings",
    }
    for protocol in _PROTOCOLS:
        if protocol.member in asked and conditions.get(protocol.name, True):
            return protocol
    raise _not_recorded("the request is of no protocol that is understood")


def archived_contents(witness: dict[str, Any]) -> dict[str, ContentRef]:
    """The contents that the level `archive` is about, by the name of their field."""
    said, raw = witness.get("replay", {}), witness.get("raw", {})
    found = {
        "output": witness["output"].get("output_hash"),
        "request": raw.get("request"),
        "response": raw.get("response"),
        "prompt": witness["data"]["prompt_hash"],
        "observation": said.get("observation"),
        "environment": said.get("environment"),
    }
    return {name: from_cbor(ref) for name, ref in found.items() if ref is not None}


def expectation(source: Source, witness: Payload, how: Recipe | None) -> Seen:
    """Return what came out when it was recorded; `ReplayError("content_missing")`.

    Without a recipe only what the witness names itself.
    """
    body, refs = witness.body, archived_contents(witness.body)
    output = None
    if "output" in refs:
        output = Media(needed(source, refs["output"]), refs["output"].media_type)
    observation: Observation | None
    if "observation" in refs:
        try:
            observation = parse(needed(source, refs["observation"]))
        except FormatError:
            observation = None  # what is none of section 4 says nothing
    else:
        observation = _derived(source, witness, refs, how)
    environment = None
    fingerprint = body["model"].get("system_fingerprint")
    if "environment" in refs:
        environment = needed(source, refs["environment"])
        try:
            parse_environment(environment)
        except FormatError:
            environment = None
    elif fingerprint is not None:
        named = {"model": body["model"]["model_id"], "system_fingerprint": fingerprint}
        environment = canonical(named)
    return Seen(output, observation, environment)


def _derived(
    source: Source, witness: Payload, refs: Mapping[str, ContentRef], how: Recipe | None
) -> Observation | None:
    """What follows from the response as recorded (specs/13 section 5)."""
    if how is None or "response" not in refs:
        return None
    # the demo's model answers in the protocol of chat completions
    protocol = "chat" if how.engine == "embedded" else how.protocol.name if how.protocol else None
    if protocol is None:
        return None
    said = witness.body["raw"].get("response_headers")
    if said is None:
        outcome = outcome_of(source, witness)
        said = {} if outcome is None else outcome.body.get("response_headers", {})
    headers = tuple(said.items())
    if not _CODINGS.issuperset(content_encodings(headers)):
        return None  # what not every reader can undo
    decoded = decode_body(Response(200, headers, needed(source, refs["response"])))
    if decoded is None:
        return None
    return read_answer(protocol, decoded).observation


def _not_recorded(why: str) -> ReplayError:
    return ReplayError("not_recorded", why)
