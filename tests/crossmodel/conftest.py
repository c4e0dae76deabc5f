"""A ledger in a temporary folder, with its keys beside it."""

from tests.session.conftest import log, place

__all__ = ["log", "place"]
