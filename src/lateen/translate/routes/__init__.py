"""Route configurations (RDS)."""
