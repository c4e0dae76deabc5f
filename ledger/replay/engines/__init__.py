"""The engines that come with the ledger; each is found by its entry point (specs/13 section 1)."""
