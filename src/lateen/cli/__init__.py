"""The `lateen` command (`istioctl` is the same program under the name people's scripts use)."""
