"""Asking an endpoint again, with the bytes that were recorded (specs/13 sections 5 and 11).

`openai` speaks to any endpoint of OpenAI's protocols, `anthropic` to one of Anthropic's. Only an
endpoint that was named is asked: a recorded address may cost money, and may be anybody's, so that
it has to be allowed by the word `recorded`. Keys come from the environment (`OPENAI_API_KEY`,
`ANTHROPIC_API_KEY`) and are sent over TLS or to this machine alone.

No redirect is followed, no proxy used; an answer is bounded in size, and in time from the first
byte sent to the last one received.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
from contextlib import ExitStack
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from ledger.errors import ReplayError
from ledger.formats.observation import parse_environment
from ledger.formats.values import is_name
from ledger.model.archive import BYTES, Media
from ledger.replay.answers import read_answer
from ledger.replay.engine import Resources, Result, Task
from ledger.replay.recipe import ENDINGS

__all__ = ["ANSWER_MAX_BYTES", "Anthropic", "OpenAI", "address"]

ANSWER_MAX_BYTES: Final = 67_108_864
RECORDED: Final = "recorded"


def address(endpoint: str, path: str, protocol: str) -> str:
    """Return the URL that a recorded request goes to at an endpoint (specs/13 section 11).

    >>> address("http://127.0.0.1:8000", "/v1/chat/completions", "chat")
    'http://127.0.0.1:8000/v1/chat/completions'
    >>> address("http://127.0.0.1:8000/api/", "/v1/chat/completions?beta=1", "chat")
    'http://127.0.0.1:8000/api/chat/completions?beta=1'

    Raises `ReplayError("model_unavailable")` for what is no URL of http or https, or has a user, a
    query or a fragment.
    """
    split = _split(endpoint)
    base = split.path.rstrip("/")
    _, question, query = path.partition("?")
    target = f"{base}{ENDINGS[protocol]}{question}{query}" if base else path
    return f"{split.scheme}://{split.netloc}{target}"


def _split(endpoint: str) -> SplitResult:
    try:
        split = urlsplit(endpoint)
        usable = (
            split.scheme in ("http", "https")
            and split.hostname
            and split.port != 0
            and "@" not in split.netloc
            and not split.query
            and not split.fragment
        )
    except ValueError:
        usable = False
    if not usable:
        raise ReplayError(
            "model_unavailable",
            "the endpoint is no http or https URL without user, query and fragment",
            hint="such as http://127.0.0.1:8000/v1",
        )
    return split


class _Asking:
    """What both engines do."""

    name = ""
    key_variable = ""

    def __init__(self, resources: Resources) -> None:
        self._endpoint = resources.endpoint
        self._timeout_s = resources.timeout_s
        self._stack = ExitStack()
        self._held: tuple[Any, Any] | None = None

    def check(self, task: Task) -> None:
        """Refuse without an endpoint to ask."""
        self._url(task)
        self._http()

    def run(self, task: Task) -> Result:
        """Send the recorded bytes, and read what comes back."""
        url = self._url(task)
        headers = {**task.headers, **self._authorisation(url), "accept": "*/*"}
        status, media_type, body = self._ask(url, headers, task.content.data)
        if status != 200:
            said = _message(body)
            raise ReplayError("engine_failed", f"the endpoint answered {status}{said}")
        seen = read_answer(task.protocol or "", body)
        environment = None if seen.environment is None else parse_environment(seen.environment)
        return Result(
            output=seen.output,
            observation=seen.observation,
            environment=environment,
            response=Media(body, media_type),
        )

    def close(self) -> None:
        """Close the connections."""
        self._held = None
        self._stack.close()

    def _url(self, task: Task) -> str:
        if task.protocol is None or task.path is None:
            raise ReplayError("model_unavailable", f"{self.name} cannot ask this again")
        if self._endpoint is None:
            raise ReplayError(
                "model_unavailable",
                f"{task.model} is behind an endpoint, and none was named",
                hint="name one that serves the model; 'recorded' is where it was asked",
            )
        if self._endpoint != RECORDED:
            return address(self._endpoint, task.path, task.protocol)
        if task.url is None:
            raise ReplayError(
                "model_unavailable", "where it was asked is not recorded; name an endpoint"
            )
        return task.url

    def _authorisation(self, url: str) -> dict[str, str]:
        key = os.environ.get(self.key_variable)
        if not key or not (url.startswith("https:") or _is_here(urlsplit(url).hostname or "")):
            return {}
        return self._key_header(key)

    def _key_header(self, key: str) -> dict[str, str]:
        raise NotImplementedError

    def _http(self) -> tuple[Any, Any]:
        """A client, and the event loop in a thread of its own in which it lives.

        Only a cancelled task ends at its time whatever the other side does: a timeout of a socket
        begins anew with each byte that drips in.
        """
        if self._held is None:
            try:
                import httpx2
                from anyio.from_thread import start_blocking_portal
            except ImportError:
                raise ReplayError(
                    "model_unavailable",
                    "asking an endpoint needs the package httpx2",
                    hint="pip install 'vif-ledger[capture]'",
                ) from None
            portal = self._stack.enter_context(start_blocking_portal())
            client = httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=None)
            self._stack.callback(portal.call, client.aclose)
            self._held = portal, client
        return self._held

    def _ask(self, url: str, headers: dict[str, str], data: bytes) -> tuple[int, str, bytes]:
        import httpx2

        portal, client = self._http()

        async def ask() -> tuple[int, str, bytes]:
            body = bytearray()
            async with (
                asyncio.timeout(self._timeout_s),
                client.stream("POST", url, headers=headers, content=data) as response,
            ):
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > ANSWER_MAX_BYTES:
                        raise ReplayError(
                            "engine_failed",
                            f"the endpoint answered with more than {ANSWER_MAX_BYTES} bytes",
                        )
            media_type = response.headers.get("content-type", "")
            known = media_type if is_name(media_type) else BYTES
            return response.status_code, known, bytes(body)

        try:
            found: tuple[int, str, bytes] = portal.call(ask)
        except TimeoutError:
            raise _too_late(self._timeout_s) from None
        except httpx2.HTTPError as error:
            raise ReplayError(
                "engine_failed", f"no answer from the endpoint: {type(error).__name__}"
            ) from None
        return found


def _too_late(seconds: float) -> ReplayError:
    return ReplayError(
        "engine_failed", f"the endpoint did not answer in {seconds:g} s", hint="--timeout"
    )


def _message(body: bytes) -> str:
    """What an error says of itself, if it is of the usual shape."""
    try:
        said = json.loads(body[:65536])["error"]["message"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return f": {said[:200]}" if isinstance(said, str) else ""


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class OpenAI(_Asking):
    """Chat completions, text completions, embeddings and responses."""

    name = "openai"
    key_variable = "OPENAI_API_KEY"

    def _key_header(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"}


class Anthropic(_Asking):
    """Messages."""

    name = "anthropic"
    key_variable = "ANTHROPIC_API_KEY"

    def _key_header(self, key: str) -> dict[str, str]:
        return {"x-api-key": key}
