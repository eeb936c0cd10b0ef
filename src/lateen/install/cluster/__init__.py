"""An installation in a cluster: applied, waited for, judged, taken away again; through the Kubernetes API alone."""
