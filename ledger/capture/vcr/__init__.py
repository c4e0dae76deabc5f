"""VCR cassettes, recorded HTTP exchanges, as statements (specs/03 §6)."""
