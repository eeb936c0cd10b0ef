"""Benches for the tests of the cluster's own parts."""
