"""Clients whose requests a session records, on the wire (specs/03 §1.10, vantage `transport`).

Importing this imports no HTTP library; making a client does.
"""

from ledger.capture.transports.clients import async_client, sync_client
from ledger.capture.transports.wrap import wrap

__all__ = ["async_client", "sync_client", "wrap"]
