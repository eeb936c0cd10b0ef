"""The kinds of extensions.istio.io, one module each."""
