"""What proxies tell of their traffic: metrics, access logs, and who is at the other end."""
