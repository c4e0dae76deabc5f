"""Old experiment folders, in which everything was mixed, as statements (specs/03 §6)."""
