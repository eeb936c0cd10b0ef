"""Custom resources: the definitions, the kinds they make, and what keeps the registry in step with them."""
