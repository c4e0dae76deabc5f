"""Programs as a user would write them, run by the tests."""
