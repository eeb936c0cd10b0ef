"""Bringing a cluster up and down: its directory, its processes, its entry in the user's kubeconfig."""
