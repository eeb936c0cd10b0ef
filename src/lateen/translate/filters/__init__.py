"""Network and HTTP filters, shared by the listeners."""
