"""Every way in which input can be refused, with the codes of specs/08 section 3.

VifError                 anything the input did wrong; has .code and .message
├── Refused              a finding: the verifier notes it and goes on
│   └── BadValue         a value that breaks its type rule; the caller knows the code
└── Fatal                nothing can be reported (exit 2)

A mistake of the calling program is a TypeError or a RuntimeError, never one of these.
"""

from __future__ import annotations

AXES = (
    "integrity",
    "authenticity",
    "completeness",
    "anchoring",
    "contents",
    "lineage",
    "policy",
    "replay",
)

_TABLE = """
fail integrity cbor_invalid cose_invalid header_invalid payload_invalid body_invalid
fail integrity statement_too_large id_duplicate
fail integrity stream_gap stream_prev stream_issuer stream_session stream_ledger stream_closed
fail integrity session_invalid derived_mismatch
fail integrity checkpoint_invalid proof_file_invalid origin_mismatch log_empty
fail integrity leaf_mismatch tile_mismatch root_mismatch entries_invalid
fail integrity inclusion_invalid consistency_invalid
fail integrity package_invalid name_invalid link_refused zip_bounds
fail integrity file_missing file_unexpected file_mismatch export_invalid seal_mismatch
fail authenticity signature_invalid key_invalid proof_invalid key_unknown key_revoked
fail authenticity key_role key_name key_event_invalid checkpoint_signature genesis_mismatch
fail completeness stream_incomplete outcome_missing outcome_duplicate
fail anchoring head_behind head_conflict
fail contents content_mismatch content_missing decoded_mismatch context_mismatch
fail lineage parent_missing parent_later parent_mismatch
fail lineage part_missing part_mismatch part_dropped operation_duplicate
fail lineage stage_mismatch stage_order stage_times claim_mismatch outside_failed
fail policy band_mismatch threshold_mismatch gate_mismatch total_mismatch cost_mismatch
fail policy call_mismatch call_duplicate change_unrecorded session_totals
fail policy derivation_mismatch
fail replay plan_invalid plan_incomplete plan_mismatch prompt_mismatch replay_mismatch
limit authenticity unpinned export_unsigned
limit completeness partial_ledger stream_partial intent_open
limit anchoring unanchored
limit lineage outside_unpinned
limit contents content_withheld
limit replay not_reproduced endpoint_failed
note integrity type_unknown
note completeness outcome_unknown operation_open
note contents content_erased
note lineage parent_outside
note policy call_repeated
note replay engine_unknown replay_failed
fatal - input_unreadable not_a_package zip_invalid trust_invalid usage
"""

CODES: dict[str, tuple[str, str | None]] = {
    code: (words[0], None if words[1] == "-" else words[1])
    for words in (line.split() for line in _TABLE.split("\n") if line)
    for code in words[2:]
}
"""Code -> (severity, axis); the axis of a fatal code is None."""


class VifError(Exception):
    """Input that is not as the pages say: a code of specs/08 and a sentence."""

    def __init__(
        self, code: str, message: str, expected: str | None = None, actual: str | None = None
    ) -> None:
        if code not in CODES:
            raise RuntimeError(f"no such code: {code}")
        super().__init__(code, message, expected, actual)
        self.code = code
        self.message = message
        self.expected = expected
        self.actual = actual

    def parts(self) -> tuple[str, str, str | None, str | None]:
        """Return code, message, expected and actual."""
        return self.code, self.message, self.expected, self.actual

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Refused(VifError):
    """One thing is refused; the rest can still be checked."""


class BadValue(Refused):
    """A value breaks its rule; `body_invalid` unless the caller says otherwise."""

    def __init__(self, message: str) -> None:
        super().__init__("body_invalid", message)

    def __reduce__(self) -> tuple[type[BadValue], tuple[str]]:
        return (BadValue, (self.message,))


class Fatal(VifError):
    """The input as a whole, a pin or the call cannot be read (exit 2)."""
