"""The controllers of a cluster."""

from __future__ import annotations

from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.daemon_set.controller import DaemonSetController
from lateen.cluster.controllers.deployment.controller import DeploymentController
from lateen.cluster.controllers.endpoints.endpoint_slices import EndpointSliceController
from lateen.cluster.controllers.endpoints.endpoints import EndpointsController
from lateen.cluster.controllers.endpoints.mirroring import MirroringController
from lateen.cluster.controllers.garbage.collector import GarbageCollector
from lateen.cluster.controllers.job.controller import JobController
from lateen.cluster.controllers.job.cron_controller import CronJobController
from lateen.cluster.controllers.namespace import NamespaceController
from lateen.cluster.controllers.node_lifecycle import NodeLifecycleController
from lateen.cluster.controllers.pod_disruption import DisruptionController
from lateen.cluster.controllers.pod_garbage import PodGarbageController
from lateen.cluster.controllers.replica_set import ReplicaSetController, ReplicationControllerController
from lateen.cluster.controllers.scheduling.scheduler import Scheduler
from lateen.cluster.controllers.service_account import RootCaController, ServiceAccountController
from lateen.cluster.controllers.stateful_set.controller import StatefulSetController
from lateen.cluster.controllers.volumes import VolumeController
from lateen.cluster.layout import Layout


def all_controllers(env: Environment, layout: Layout) -> list[Controller]:
    """Every controller, wired to the environment's informers and not yet running."""
    return [
        DeploymentController(env),
        ReplicaSetController(env),
        ReplicationControllerController(env),
        StatefulSetController(env),
        DaemonSetController(env),
        JobController(env),
        CronJobController(env),
        Scheduler(env),
        GarbageCollector(env),
        EndpointSliceController(env),
        EndpointsController(env),
        MirroringController(env),
        NamespaceController(env),
        ServiceAccountController(env),
        RootCaController(env, (layout.pki / "ca.crt").read_text()),
        DisruptionController(env),
        VolumeController(env, layout.root / "volumes"),
        PodGarbageController(env),
        NodeLifecycleController(env),
    ]
