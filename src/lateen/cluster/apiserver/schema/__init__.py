"""Structural schemas of built-in kinds and CRDs: one node type, and the algorithms over it."""
