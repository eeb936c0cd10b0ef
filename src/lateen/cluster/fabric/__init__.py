"""The cluster's side of this machine: load balancer addresses, routes to them, and DNS for what is not the cluster's."""
