"""Every error the ledger raises, on one screen.

An error carries a stable `code`, a message that says what and where, and, where there is something
to do about it, a `hint`. A caller's bug (a wrong type, a wrong order of calls) is `TypeError` or
`RuntimeError`; everything that data, files, keys or other processes can cause is a `LedgerError`.

FormatError        the refusals of specs/08: cbor_invalid, cose_invalid, header_invalid, ...
RecordError        body_invalid band_mismatch gate_mismatch threshold_mismatch total_mismatch
                   cost_mismatch derivation_mismatch record_invalid stage_mismatch
                   context_mismatch
KeyFileError       key_missing key_exists key_permissions key_unreadable key_passphrase
                   signer_unsupported
StoreError         ledger_missing ledger_exists ledger_unreadable rolled_back store_full
                   store_failed store_poisoned forked tree_damaged
LogError           stream_busy stream_closed stream_issuer stream_session no_signer read_only
                   parent_missing not_found key_event_invalid log_closed
ContentError       content_missing content_mismatch content_erased content_too_large
ExportError        export_exists export_empty export_streams export_failed replay_withheld
                   weights_unknown attach_refused
ImportSourceError  source_unreadable source_unsupported source_secrets already_imported
SessionError       session_busy session_changed session_closed session_missing outcome_unknown
                   budget_exceeded budget_unpriced savepoint_invalid stage_complete
                   capture_failed call_too_large operation_changed operation_invalid
LineageError       graph_too_large layout_missing layout_failed
ReplayError        the reasons of specs/13: prompt_mismatch parameters_mismatch content_missing
                   tool_results_mismatch weights_mismatch model_unavailable engine_unknown
                   not_recorded engine_failed; package_invalid not_replayable
"""

from __future__ import annotations


class LedgerError(Exception):
    """Base of all errors of this package; `code` is stable, the message is for people."""

    def __init__(self, code: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class FormatError(LedgerError):
    """Bytes or values that break a page of specs/."""


class RecordError(LedgerError):
    """A record that breaks its schema or whose derived values do not follow from its numbers."""


class KeyFileError(LedgerError):
    """A private key that cannot be found, read, unlocked or safely stored."""


class StoreError(LedgerError):
    """The database or its folder cannot be used."""


class LogError(LedgerError):
    """An append or a look-up that the state of the log does not allow."""


class ContentError(LedgerError):
    """Content that is absent, or whose bytes are not the ones named."""


class ExportError(LedgerError):
    """A package that cannot be written as asked."""


class ImportSourceError(LedgerError):
    """A file of another format that cannot be taken over."""


class SessionError(LedgerError):
    """A session that cannot be opened or go on, or a call that must not be made."""


class LineageError(LedgerError):
    """A graph that cannot be drawn as asked."""


class ReplayError(LedgerError):
    """An operation that cannot be run again as recorded, or a package that does not say how."""
