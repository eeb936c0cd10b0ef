"""The OpenAPI documents, v2 and v3, of everything that is served at the moment."""
