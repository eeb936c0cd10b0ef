"""The kinds of security.istio.io, one module each."""
