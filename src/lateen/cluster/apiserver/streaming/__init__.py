"""What flows between users and pods through the API server: logs, exec, attach, port-forward, proxying."""
