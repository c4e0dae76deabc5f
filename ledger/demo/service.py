"""The model that a demo run asks: the embedded one on loopback, or a service that was named.

| environment | asked |
|---|---|
| nothing | the embedded model, trained on the texts of the run |
| `OPENAI_BASE_URL` (and `OPENAI_API_KEY`) | that service; `OPENAI_MODEL`, or the first it lists |
| `OPENAI_API_KEY` and `OPENAI_MODEL` | OpenAI |

A key alone is not enough, since many shells have one set and calls cost money.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.demo.corpus import Source
from ledger.demo.model import DemoModel
from ledger.demo.plan import Setting
from ledger.demo.server import ModelServer
from ledger.errors import LedgerError

if TYPE_CHECKING:
    import openai

__all__ = ["Answer", "Service", "open_service"]

MAX_TOKENS = 48
TOP_LOGPROBS = 5
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One exchange as it went over the wire, and the text that came out."""

    text: str
    request: bytes
    response: bytes
    headers: Mapping[str, str]
    elapsed_ms: float


@dataclass(slots=True)
class Service:
    """A model behind the OpenAI SDK."""

    client: openai.OpenAI
    model: str
    base_url: str
    provider: str
    logprobs: bool = True

    def ask(self, messages: Sequence[Mapping[str, str]], setting: Setting) -> Answer:
        """Ask once and keep the bytes of both bodies; LedgerError `demo_service` if it fails."""
        import openai

        asked: dict[str, Any] = {
            "model": self.model,
            "messages": list(messages),
            "temperature": setting.temperature,
            "seed": setting.seed,
            "max_tokens": MAX_TOKENS,
        }
        if self.logprobs:
            asked |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        try:
            raw = self.client.chat.completions.with_raw_response.create(**asked)
        except openai.BadRequestError as error:
            if self.logprobs and "logprobs" in str(error):
                self.logprobs = False  # this model has none to give; go on without
                return self.ask(messages, setting)
            raise _failed(self, error) from None
        except openai.OpenAIError as error:
            raise _failed(self, error) from None
        response = raw.http_response
        return Answer(
            raw.parse().choices[0].message.content or "",
            response.request.content,
            response.content,
            dict(response.headers),
            response.elapsed.total_seconds() * 1000,
        )


@contextmanager
def open_service(sources: Sequence[Source]) -> Iterator[Service]:
    """Open the service that the environment names, or serve the embedded model meanwhile.

    Raises LedgerError `demo_needs_openai` without the SDK, `demo_service` if no model is named.
    """
    try:
        import openai
    except ImportError:
        raise LedgerError(
            "demo_needs_openai",
            "the demo asks its model through the openai package, which is not installed",
            hint="pip install 'vif-ledger[demo]'",
        ) from None
    base_url, model = os.environ.get("OPENAI_BASE_URL"), os.environ.get("OPENAI_MODEL")
    if base_url or (model and os.environ.get("OPENAI_API_KEY")):
        key = os.environ.get("OPENAI_API_KEY") or "unused"
        with openai.OpenAI(api_key=key, timeout=_TIMEOUT_SECONDS) as client:
            named = model or _first_model(client)
            # The host alone: an address may carry credentials.
            host = client.base_url.host
            yield Service(client, named, host, provider=host)
        return
    text = "\n\n".join(passage.text for source in sources for passage in source.passages)
    trained = DemoModel.estimate(text)
    with (
        ModelServer(trained) as server,
        openai.OpenAI(base_url=server.base_url, api_key="demo", max_retries=0) as client,
    ):
        yield Service(client, trained.name, server.base_url, provider="vif-demo")


def _first_model(client: openai.OpenAI) -> str:
    import openai

    try:
        for model in client.models.list():
            return model.id
    except openai.OpenAIError as error:
        raise LedgerError(
            "demo_service", f"{client.base_url.host}: {error}", hint="set OPENAI_MODEL"
        ) from None
    raise LedgerError(
        "demo_service", f"{client.base_url.host} lists no model", hint="set OPENAI_MODEL"
    )


def _failed(service: Service, error: Exception) -> LedgerError:
    return LedgerError("demo_service", f"{service.base_url} {service.model}: {error}")
