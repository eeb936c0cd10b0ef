"""Pure: an installation to the Kubernetes objects that it consists of, in the order of application."""
