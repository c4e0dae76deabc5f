"""Who was called, by the address: known hosts only, and never an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.capture.readers.endpoint import Endpoint, of


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("API.OpenAI.com:443", "openai"),
        ("eu.api.openai.com", "openai"),
        ("api.anthropic.com", "anthropic"),
        ("x.openai.azure.com", "azure.ai.openai"),
        ("generativelanguage.googleapis.com", "gcp.gemini"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
        ("api.mistral.ai", "mistral_ai"),
        ("api.groq.com", "groq"),
        ("api.deepseek.com", "deepseek"),
        ("api.x.ai", "x_ai"),
        ("openrouter.ai", "openrouter"),
        ("localhost:8000", None),
        ("127.0.0.1", None),
        ("[::1]:8000", None),
        ("api.openai.com.example.org", None),
        ("notapi.openai.com", None),
        ("fakeapi.anthropic.com", None),
        ("bedrock-runtime.us-east-1.amazonaws.com.example.org", None),
        ("evil-aiplatform.googleapis.com.example.org", None),
    ],
)
def test_the_provider_is_the_one_that_the_host_belongs_to(host: str, provider: str | None) -> None:
    """A host that only looks like one is none."""
    assert of(f"https://{host}/v1/x", {}, {}).provider == provider


@pytest.mark.parametrize(
    ("url", "sent", "got", "expected"),
    [
        (
            "https://r.openai.azure.com/openai/deployments/my-gpt/chat/completions"
            "?api-version=2024-10-21",
            {},
            {"x-ms-region": "East US"},
            Endpoint(
                "/openai/deployments/my-gpt/chat/completions",
                "azure.ai.openai",
                "2024-10-21",
                "East US",
                "my-gpt",
            ),
        ),
        (
            "https://r.services.ai.azure.com/openai/v1/responses/",
            {},
            {},
            Endpoint("/openai/v1/responses", "azure.ai.openai", "v1"),
        ),
        (
            "https://r.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview",
            {},
            {},
            Endpoint("/models/chat/completions", "azure.ai.inference", "2024-05-01-preview"),
        ),
        (
            "https://api.anthropic.com/v1/messages",
            {"anthropic-version": "2023-06-01"},
            {},
            Endpoint("/v1/messages", "anthropic", "2023-06-01"),
        ),
        (
            "https://bedrock-runtime.eu-central-1.amazonaws.com/model/meta.llama3-1-8b%3A0/converse",
            {},
            {},
            Endpoint(
                "/model/meta.llama3-1-8b%3A0/converse",
                "aws.bedrock",
                None,
                "eu-central-1",
                "meta.llama3-1-8b:0",
            ),
        ),
        (
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/"
            "models/gemini-2.5-pro:generateContent",
            {},
            {},
            Endpoint(
                "/v1/projects/p/locations/global/publishers/google/models/"
                "gemini-2.5-pro:generateContent",
                "gcp.vertex_ai",
                "v1",
                "global",
                "gemini-2.5-pro",
            ),
        ),
        (
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
            {},
            {},
            Endpoint(
                "/v1beta/models/gemini-2.5-flash:generateContent",
                "gcp.gemini",
                "v1beta",
                None,
                "gemini-2.5-flash",
            ),
        ),
    ],
)
def test_what_an_address_says(
    url: str, sent: dict[str, str], got: dict[str, str], expected: Endpoint
) -> None:
    """Version, region and model from where each provider puts them."""
    assert of(url, sent, got) == expected


@given(st.text() | st.from_regex(r"https://[a-z.\[\]:]{0,20}/[a-z/:%0-9?=]{0,40}"))
def test_no_address_is_an_error(url: str) -> None:
    """What cannot be read says nothing."""
    found = of(url, {}, {})
    assert found.path is not None
