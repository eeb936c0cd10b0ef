"""Jobs: pods that run to completion. Source: k8s.io/kubernetes `pkg/controller/job`."""
