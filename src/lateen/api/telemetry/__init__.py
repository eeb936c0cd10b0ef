"""The kinds of telemetry.istio.io, one module each."""
