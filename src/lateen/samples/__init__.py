"""Programs of the sample applications. Each is a composition root of its own; none knows of the mesh or the cluster."""
