"""A ledger in a temporary folder, with its keys beside it, and the loopback provider."""

from tests.helpers.provider import provider
from tests.session.conftest import log, place

__all__ = ["log", "place", "provider"]
