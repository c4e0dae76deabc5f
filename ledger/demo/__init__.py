"""A small statistical language model and its loopback server: trials without account or network."""
