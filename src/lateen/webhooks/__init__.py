"""What the API server asks before it takes a resource: injection and validation."""
