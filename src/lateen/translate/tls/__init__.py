"""TLS contexts of both directions."""
