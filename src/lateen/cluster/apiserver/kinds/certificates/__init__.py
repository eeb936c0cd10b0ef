"""The certificates group."""
