"""The Kubernetes REST verbs over the store."""
