"""Helpers for tests, ours and our users': a cluster to run against, and kubectl as people use it."""
