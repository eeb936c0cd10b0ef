"""What goes on inside, as JSON in the shapes that Istio's tools read. `routes` mounts all of it."""
