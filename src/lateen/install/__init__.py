"""What `lateen install` does: values and profiles to Kubernetes objects, and those into a cluster (docs/install.md)."""
