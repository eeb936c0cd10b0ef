"""Cluster DNS: Kubernetes' DNS specification 1.1.0 as a pure function, and the server that answers with it."""
