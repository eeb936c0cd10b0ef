"""Envoy's own messages where users write them: inside EnvoyFilters."""
