"""Running recorded operations again, and saying how far the same came out (specs/13)."""
