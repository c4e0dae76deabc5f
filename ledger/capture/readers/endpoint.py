"""Who was called and where, by the address of a request: provider, API version, region, model.

| host | provider (`gen_ai.provider.name` of OpenTelemetry where it has one) | region |
|---|---|---|
| `api.openai.com` and below | `openai` | |
| `api.anthropic.com` | `anthropic` | |
| `*.openai.azure.com`, other Azure hosts below `/openai/` | `azure.ai.openai` | `x-ms-region` |
| `*.services.ai.azure.com`, `*.models.ai.azure.com` | `azure.ai.inference` | `x-ms-region` |
| `bedrock-runtime[-fips].<region>.amazonaws.com` | `aws.bedrock` | of the host |
| `[<region>-]aiplatform.googleapis.com` | `gcp.vertex_ai` | `/locations/<region>/` or of the host |
| `generativelanguage.googleapis.com` | `gcp.gemini` | |
| `api.mistral.ai`, `api.groq.com`, `api.deepseek.com`, `api.x.ai`, … | `mistral_ai`, `groq`, … | |
| any other, such as `localhost` | none: who serves there is not known | |

The API version is the query parameter `api-version`, the request header `anthropic-version`, or the
path component such as `v1`, whichever is there first. The model is the deployment or model that
the path names (Azure, Bedrock, Google).

>>> of("https://api.groq.com/openai/v1/chat/completions", {}, {})
Endpoint(path='/openai/v1/chat/completions', provider='groq', api_version='v1', region=None, \
model=None)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from ledger.capture import fitting

_HOSTS = {
    "api.anthropic.com": "anthropic",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.openai.com": "openai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "openrouter.ai": "openrouter",
}
_BELOW = {
    ".api.openai.com": "openai",  # hosts of one region
    ".openai.azure.com": "azure.ai.openai",
    ".models.ai.azure.com": "azure.ai.inference",
    ".services.ai.azure.com": "azure.ai.inference",
}
_AZURE = (".cognitiveservices.azure.com", ".services.ai.azure.com")
_BEDROCK = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]{1,32})\.amazonaws\.com(?:\.cn)?")
_VERTEX = re.compile(r"(?:([a-z0-9-]{1,32})-)?aiplatform\.googleapis\.com")
_LOCATION = re.compile(r"/locations/([a-z0-9-]{1,32})/")
_VERSION = re.compile(r"v[0-9]{1,3}(?:(?:alpha|beta)[0-9]{0,3})?")
_MODEL = re.compile(r"/(?:deployments|model)/([^/]+)/|/models/([^/:]+):[A-Za-z]+$")


class Endpoint(NamedTuple):
    """What an address says; None for what it does not."""

    path: str
    provider: str | None = None
    api_version: str | None = None
    region: str | None = None
    model: str | None = None


def of(
    url: str, request_headers: Mapping[str, str], response_headers: Mapping[str, str]
) -> Endpoint:
    """Return what an address and headers (lower-case names) say; never raises."""
    try:
        parts = urlsplit(url)
        host, path = (parts.hostname or "").rstrip("."), parts.path
        query = dict(parse_qsl(parts.query, max_num_fields=100))
    except ValueError:
        return Endpoint("")
    provider, region = _served_by(host, path)
    components = path.split("/")
    versions = [
        query.get("api-version"),
        request_headers.get("anthropic-version"),
        next((one for one in components if _VERSION.fullmatch(one)), None),
    ]
    return Endpoint(
        path.rstrip("/"),
        provider,
        next((one for one in versions if fitting.name(one)), None),
        fitting.name(region or response_headers.get("x-ms-region")),
        _model(path),
    )


def _served_by(host: str, path: str) -> tuple[str | None, str | None]:
    """Return provider and region."""
    if host.endswith(_AZURE) and path.startswith("/openai/"):
        return "azure.ai.openai", None
    bedrock, vertex = _BEDROCK.fullmatch(host), _VERTEX.fullmatch(host)
    if bedrock:
        return "aws.bedrock", bedrock[1]
    if vertex:
        location = _LOCATION.search(path)
        return "gcp.vertex_ai", location[1] if location else vertex[1]
    below = (provider for suffix, provider in _BELOW.items() if host.endswith(suffix))
    return _HOSTS.get(host) or next(below, None), None


def _model(path: str) -> str | None:
    found = _MODEL.search(path)
    return None if found is None else fitting.name(unquote(found[1] or found[2]))
