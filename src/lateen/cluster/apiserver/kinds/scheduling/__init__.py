"""The scheduling group."""
