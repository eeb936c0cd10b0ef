"""The only readers of the outside world: Kubernetes and directories of manifests."""
