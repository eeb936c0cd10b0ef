"""Probes of containers: what they ask, how, and what their results mean."""
