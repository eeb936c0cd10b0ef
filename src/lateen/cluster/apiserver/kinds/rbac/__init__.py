"""The rbac group."""
