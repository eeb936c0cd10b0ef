"""Which node a pod goes to. Source: k8s.io/kubernetes `pkg/scheduler/framework/plugins`, k8s.io/component-helpers."""
