"""EnvoyFilter: patches applied as the last pure step."""
