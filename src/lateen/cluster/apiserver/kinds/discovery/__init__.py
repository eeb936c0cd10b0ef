"""The discovery group."""
