"""Clusters (CDS)."""
