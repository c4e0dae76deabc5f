"""The provider for the tests of this room."""

from tests.helpers.provider import module_provider, provider

__all__ = ["module_provider", "provider"]
