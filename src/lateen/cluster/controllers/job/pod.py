"""The pods of a Job."""

from __future__ import annotations

from lateen.cluster.controllers import pods
from lateen.cluster.controllers.job.accounting import TRACKING
from lateen.cluster.controllers.job.index_failures import FAILURES, limit_per_index
from lateen.cluster.controllers.job.indexes import INDEX
from lateen.cluster.objects import Obj, name_of, uid_of


def job_pod(job: Obj, index: int | None, failures: int = 0) -> Obj:
    """A new pod; `index` is its completion index, None in a Job without, and `failures` how often that has failed."""
    suffix = "" if index is None else f"-{index}"
    prefix = pods.generate_name(f"{name_of(job)}{suffix}")
    pod = pods.from_template(job["spec"]["template"], job, generate_name=prefix)
    meta = pod["metadata"]
    meta["finalizers"] = [*meta.get("finalizers", ()), TRACKING]
    labels = meta.setdefault("labels", {})
    labels.setdefault("batch.kubernetes.io/job-name", name_of(job))
    labels.setdefault("batch.kubernetes.io/controller-uid", uid_of(job))
    if index is not None:
        meta.setdefault("annotations", {})[INDEX] = str(index)
        labels[INDEX] = str(index)
        if limit_per_index(job) is not None:
            meta["annotations"][FAILURES] = str(failures)
        pod["spec"]["hostname"] = f"{name_of(job)}-{index}"
        source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
        variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}
        for container in (*pod["spec"].get("containers", ()), *pod["spec"].get("initContainers", ())):
            if not any(v.get("name") == "JOB_COMPLETION_INDEX" for v in container.get("env") or ()):
                container["env"] = [*(container.get("env") or ()), variable]
    return pod
