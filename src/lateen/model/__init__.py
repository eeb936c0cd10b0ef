"""What the mesh is: services, endpoints, workloads, scopes and effective policies, as queries over the inputs."""
