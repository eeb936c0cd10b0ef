"""DaemonSets: one pod on every node that wants it. Source: k8s.io/kubernetes `pkg/controller/daemon`."""
