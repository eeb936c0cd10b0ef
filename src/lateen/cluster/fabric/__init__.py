"""The cluster's side of this machine: load balancers and routes to them, peers, DNS for what is not the cluster's."""
