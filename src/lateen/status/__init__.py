"""What became of each resource: conditions and messages, computed as queries and written back."""
