"""The storage group."""
