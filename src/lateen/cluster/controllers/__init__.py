"""The controllers of the local cluster: everything they know and do goes through the Kubernetes API.

Each controller is a module with a pure core, from what is observed to what is to be done, and a thin loop around it.
"""
