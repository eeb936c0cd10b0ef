"""The cluster's state: authoritative in memory, durable in SQLite before anything is acknowledged."""
