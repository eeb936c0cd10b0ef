"""Who asks, and may they: authentication, RBAC, tokens, reviews and certificate signing.

`access_control.AccessControl` is the way in.
"""
