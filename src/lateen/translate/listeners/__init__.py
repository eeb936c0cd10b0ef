"""Listeners (LDS)."""
