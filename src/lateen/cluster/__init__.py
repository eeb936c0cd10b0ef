"""A Kubernetes for one machine: API server, controllers and nodes as ordinary processes.

Nothing outside this package may know that it exists: the mesh reaches it through the Kubernetes API alone.
"""
