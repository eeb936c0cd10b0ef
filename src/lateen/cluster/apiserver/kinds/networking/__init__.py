"""The networking group."""
