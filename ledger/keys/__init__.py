"""Who signs: acceptance of keys and signatures, key files, key events, trust files (specs/05)."""
