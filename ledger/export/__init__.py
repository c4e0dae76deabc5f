"""Replication packages: BagIt bags with an RO-Crate inside, for auditors (specs/07)."""

from __future__ import annotations

from ledger.export.package import ExportResult, Progress, export

__all__ = ["ExportResult", "Progress", "export"]
