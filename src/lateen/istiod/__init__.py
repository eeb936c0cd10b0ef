"""The control plane as one process: wiring only."""
