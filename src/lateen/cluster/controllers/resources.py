"""The resources that controllers read and write."""

from __future__ import annotations

from lateen.cluster.objects import GVR

PODS = GVR("", "v1", "pods")
NODES = GVR("", "v1", "nodes")
SERVICES = GVR("", "v1", "services")
ENDPOINTS = GVR("", "v1", "endpoints")
NAMESPACES = GVR("", "v1", "namespaces")
SECRETS = GVR("", "v1", "secrets")
CONFIG_MAPS = GVR("", "v1", "configmaps")
SERVICE_ACCOUNTS = GVR("", "v1", "serviceaccounts")
VOLUMES = GVR("", "v1", "persistentvolumes")
CLAIMS = GVR("", "v1", "persistentvolumeclaims")
REPLICATION_CONTROLLERS = GVR("", "v1", "replicationcontrollers")
RESOURCE_QUOTAS = GVR("", "v1", "resourcequotas")
DEPLOYMENTS = GVR("apps", "v1", "deployments")
REPLICA_SETS = GVR("apps", "v1", "replicasets")
STATEFUL_SETS = GVR("apps", "v1", "statefulsets")
DAEMON_SETS = GVR("apps", "v1", "daemonsets")
REVISIONS = GVR("apps", "v1", "controllerrevisions")
JOBS = GVR("batch", "v1", "jobs")
CRON_JOBS = GVR("batch", "v1", "cronjobs")
SLICES = GVR("discovery.k8s.io", "v1", "endpointslices")
BUDGETS = GVR("policy", "v1", "poddisruptionbudgets")
LEASES = GVR("coordination.k8s.io", "v1", "leases")
STORAGE_CLASSES = GVR("storage.k8s.io", "v1", "storageclasses")
DEFINITIONS = GVR("apiextensions.k8s.io", "v1", "customresourcedefinitions")
