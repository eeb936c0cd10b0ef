"""What proxies and control planes say of themselves: fetched through the Kubernetes API, and shown as istioctl does."""
