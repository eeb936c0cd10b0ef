"""Subresources of built-in kinds that are more than a status."""
