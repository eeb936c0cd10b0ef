"""Secrets for gateways (SDS)."""
