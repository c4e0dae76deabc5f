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

__all__ = ["Provider", "Service", "connect", "open_provider"]

MAX_TOKENS = 48
TOP_LOGPROBS = 5
_KEY = "OPENAI_API_KEY"


@dataclass(slots=True)
class Service:
    """A model behind the OpenAI SDK."""

    client: openai.OpenAI
    model: str
    logprobs: bool = True

    def ask(self, messages: Sequence[Mapping[str, str]], setting: Setting) -> str:
        """Ask once and return the text; LedgerError `demo_service` if the service fails."""
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
            answer = self.client.chat.completions.create(**asked)
        except openai.BadRequestError as error:
            if self.logprobs and "logprobs" in str(error):
                self.logprobs = False  # this model has none to give; go on without
                return self.ask(messages, setting)
            raise _failed(self, error) from None
        except openai.OpenAIError as error:
            raise _failed(self, error) from None
        return answer.choices[0].message.content or ""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who is asked; `server` is there when it is the embedded model."""

    base_url: str | None
    """None when the environment names it, which may hold credentials and is not passed around."""
    model: str
    shown: str
    """The address without anything that might be a credential."""
    server: ModelServer | None


@contextmanager
def connect(base_url: str | None, model: str, http_client: Any) -> Iterator[Service]:
    """Return the service that answers at an address, through an HTTP client."""
    openai = _sdk()
    key = os.environ.get(_KEY) or "unused"
    with openai.OpenAI(
        base_url=base_url, api_key=key, max_retries=0, http_client=http_client
    ) as client:
        yield Service(client, model)


@contextmanager
def open_provider(sources: Sequence[Source]) -> Iterator[Provider]:
    """Find the service that the environment names, or serve the embedded model meanwhile.

    Raises LedgerError `demo_needs_openai` without the SDK, `demo_service` if no model is named.
    """
    openai = _sdk()
    base_url, model = os.environ.get("OPENAI_BASE_URL"), os.environ.get("OPENAI_MODEL")
    if base_url or (model and os.environ.get(_KEY)):
        with openai.OpenAI(api_key=os.environ.get(_KEY) or "unused", timeout=60.0) as client:
            named = model or _first_model(client)
            yield Provider(None, named, client.base_url.host, None)
        return
    text = "\n\n".join(passage.text for source in sources for passage in source.passages)
    trained = DemoModel.estimate(text)
    with ModelServer(trained) as server:
        yield Provider(server.base_url, trained.name, server.base_url, server)


def _sdk() -> Any:
    try:
        import httpx2  # noqa: F401 - what the session's client is made of
        import openai
    except ImportError:
        raise LedgerError(
            "demo_needs_openai",
            "the demo asks its model through the packages openai and httpx2",
            hint="pip install 'vif-ledger[demo]'",
        ) from None
    return openai


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
    return LedgerError("demo_service", f"{service.client.base_url.host} {service.model}: {error}")
