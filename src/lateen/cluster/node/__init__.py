"""A node: runs the pods that are bound to it, as groups of processes in namespaces of their own."""
