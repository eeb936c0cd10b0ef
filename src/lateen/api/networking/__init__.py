"""The kinds of networking.istio.io, one module each."""
