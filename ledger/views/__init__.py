"""Computed from the log, and always to be computed again (specs/09 section 4)."""
