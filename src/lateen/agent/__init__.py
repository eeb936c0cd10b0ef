"""What runs beside Envoy in a pod (docs/lifecycle.md). Standard library only: its memory is paid once per pod."""
