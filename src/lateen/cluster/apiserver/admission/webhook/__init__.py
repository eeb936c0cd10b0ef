"""Admission by HTTP: mutating and validating webhooks."""
