"""What makes pods (apps/v1, batch/v1), as far as their templates: workloads known before any pod runs."""

from __future__ import annotations

from lateen.api.kubernetes.pod import PodSpec
from lateen.api.objects import Metadata
from lateen.api.schema.message import Lenient


class LabelSelectorRequirement(Lenient, frozen=True):
    key: str = ""
    operator: str = ""
    """In, NotIn, Exists or DoesNotExist."""
    values: tuple[str, ...] = ()


class LabelSelector(Lenient, frozen=True):
    """All of it must hold; an empty one selects everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class PodTemplate(Lenient, frozen=True):
    """`PodTemplateSpec` in Kubernetes' API."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()


class ReplicatedSpec(Lenient, frozen=True):
    """What the specs of Deployments, StatefulSets and ReplicaSets share."""

    replicas: int | None = None
    """Absent: 1."""
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()


class Deployment(Lenient, frozen=True):
    metadata: Metadata
    spec: ReplicatedSpec = ReplicatedSpec()


class ReplicaSet(Lenient, frozen=True):
    metadata: Metadata
    spec: ReplicatedSpec = ReplicatedSpec()


class StatefulSetSpec(ReplicatedSpec, frozen=True):
    service_name: str = ""
    """The headless Service that names its pods."""


class StatefulSet(Lenient, frozen=True):
    metadata: Metadata
    spec: StatefulSetSpec = StatefulSetSpec()


class DaemonSetSpec(Lenient, frozen=True):
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()


class DaemonSet(Lenient, frozen=True):
    metadata: Metadata
    spec: DaemonSetSpec = DaemonSetSpec()


class JobSpec(Lenient, frozen=True):
    parallelism: int | None = None
    """Absent: 1."""
    template: PodTemplate = PodTemplate()


class Job(Lenient, frozen=True):
    metadata: Metadata
    spec: JobSpec = JobSpec()


class JobTemplate(Lenient, frozen=True):
    """`JobTemplateSpec` in Kubernetes' API."""

    metadata: Metadata = Metadata()
    spec: JobSpec = JobSpec()


class CronJobSpec(Lenient, frozen=True):
    job_template: JobTemplate = JobTemplate()


class CronJob(Lenient, frozen=True):
    metadata: Metadata
    spec: CronJobSpec = CronJobSpec()
