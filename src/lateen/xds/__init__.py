"""Who has been told what: ADS sessions, their collections of resources, the server, its debug endpoints."""
