"""Injection: what makes a pod a member of the mesh. Pure functions from pods and configuration to pods.

See docs/injection.md.
"""
