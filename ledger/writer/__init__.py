"""Writing: drafts become signed statements of a stream, many at a time (specs/02, specs/09)."""
