"""A node's network: its pods' namespaces and addresses, CNI plugins, and the service proxy."""
