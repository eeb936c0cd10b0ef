"""The cluster's own certificates, keys and kubeconfigs, as files below the cluster's directory."""
