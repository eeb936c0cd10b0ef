"""The Kubernetes kinds the mesh reads: only the fields it uses."""
