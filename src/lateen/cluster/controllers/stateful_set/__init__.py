"""StatefulSets: pods with names, and claims, that last. Source: k8s.io/kubernetes `pkg/controller/statefulset`."""
