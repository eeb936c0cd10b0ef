"""A node's statistics in the forms that are asked for: the kubelet's `/stats/summary`, and Prometheus' text.

Source of names: the kubelet's `stats/v1alpha1` API, its resource metrics (`/metrics/resource`), and cAdvisor's.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping

from lateen.cluster.node.statistics import NodeSample, PodSample
from lateen.cluster.node.usage import Usage
from lateen.cluster.objects import Obj, metadata, name_of, namespace_of, timestamp, uid_of

TEXT = "text/plain; version=0.0.4; charset=utf-8"
Series = tuple[Mapping[str, str], float, float | None]
"""Labels, value, and the time of the sample in seconds since the epoch, if it matters."""


def _time(seconds: float) -> str:
    return timestamp(dt.datetime.fromtimestamp(seconds, dt.UTC))


def _cpu(at: str, usage: Usage, nano_cores: int) -> Obj:
    return {"time": at, "usageNanoCores": nano_cores, "usageCoreNanoSeconds": usage.cpu}


def _memory(at: str, usage: Usage) -> Obj:
    return {
        "time": at,
        "usageBytes": usage.memory,
        "workingSetBytes": usage.working_set,
        "rssBytes": usage.resident,
    }


def summary(sample: NodeSample, capacity: int) -> Obj:
    """`/stats/summary`; `capacity` is the machine's memory in bytes."""
    at = _time(sample.at)
    memory = {**_memory(at, sample.usage), "availableBytes": max(0, capacity - sample.usage.working_set)}
    return {
        "node": {"nodeName": sample.node, "cpu": _cpu(at, sample.usage, sample.nano_cores), "memory": memory},
        "pods": [_pod_summary(pod, at) for pod in sample.pods if pod.containers],
    }


def _pod_summary(sample: PodSample, at: str) -> Obj:
    pod = sample.pod
    found: Obj = {
        "podRef": {"name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)},
        "startTime": (pod.get("status") or {}).get("startTime") or metadata(pod).get("creationTimestamp"),
        "containers": [
            {
                "name": c.name,
                "startTime": _time(c.started),
                "cpu": _cpu(_time(c.at), c.usage, c.nano_cores),
                "memory": _memory(_time(c.at), c.usage),
            }
            for c in sample.containers
        ],
        "cpu": _cpu(at, sample.usage, sum(c.nano_cores for c in sample.containers)),
        "memory": _memory(at, sample.usage),
    }
    if sample.interfaces:
        listed = [
            {
                "name": i.name,
                "rxBytes": i.received,
                "rxErrors": i.receive_errors,
                "txBytes": i.sent,
                "txErrors": i.send_errors,
            }
            for i in sample.interfaces
        ]
        found["network"] = {"time": at, **listed[0], "interfaces": listed}
    return found


def resource_metrics(sample: NodeSample) -> str:
    """`/metrics/resource`: what a metrics server scrapes."""
    pods = [(_pod_labels(p), p) for p in sample.pods if p.containers]
    containers = [({**labels, "container": c.name}, c) for labels, p in pods for c in p.containers]
    return _exposition(
        {
            "node_cpu_usage_seconds_total": ("counter", [({}, sample.usage.cpu / 1e9, sample.at)]),
            "node_memory_working_set_bytes": ("gauge", [({}, sample.usage.working_set, sample.at)]),
            "pod_cpu_usage_seconds_total": ("counter", [(n, p.usage.cpu / 1e9, sample.at) for n, p in pods]),
            "pod_memory_working_set_bytes": ("gauge", [(n, p.usage.working_set, sample.at) for n, p in pods]),
            "container_cpu_usage_seconds_total": ("counter", [(n, c.usage.cpu / 1e9, c.at) for n, c in containers]),
            "container_memory_working_set_bytes": ("gauge", [(n, c.usage.working_set, c.at) for n, c in containers]),
            "container_start_time_seconds": ("gauge", [(n, c.started, None) for n, c in containers]),
            "resource_scrape_error": ("gauge", [({}, 0, None)]),
        }
    )


def container_metrics(sample: NodeSample) -> str:
    """`/metrics/cadvisor`: of cAdvisor's metrics those that we can tell."""
    containers = [
        ({**_pod_labels(p), "container": c.name, "image": c.image}, c) for p in sample.pods for c in p.containers
    ]
    networks = [({**_pod_labels(p), "interface": i.name}, i) for p in sample.pods for i in p.interfaces]
    return _exposition(
        {
            "container_cpu_usage_seconds_total": ("counter", [(n, c.usage.cpu / 1e9, c.at) for n, c in containers]),
            "container_memory_usage_bytes": ("gauge", [(n, c.usage.memory, c.at) for n, c in containers]),
            "container_memory_working_set_bytes": ("gauge", [(n, c.usage.working_set, c.at) for n, c in containers]),
            "container_memory_rss": ("gauge", [(n, c.usage.resident, c.at) for n, c in containers]),
            "container_start_time_seconds": ("gauge", [(n, c.started, None) for n, c in containers]),
            "container_network_receive_bytes_total": ("counter", [(n, i.received, None) for n, i in networks]),
            "container_network_transmit_bytes_total": ("counter", [(n, i.sent, None) for n, i in networks]),
        }
    )


def node_metrics(pods: Iterable[Obj], node: str, own: Usage) -> str:
    """`/metrics`: the node process itself, and how many pods and containers it runs."""
    states: Counter[str] = Counter()
    running = 0
    for pod in pods:
        status = pod.get("status") or {}
        running += status.get("phase") == "Running"
        for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            states["running" if "running" in (container.get("state") or {}) else "exited"] += 1
    return _exposition(
        {
            "kubelet_node_name": ("gauge", [({"node": node}, 1, None)]),
            "kubelet_running_pods": ("gauge", [({}, running, None)]),
            "kubelet_running_containers": ("gauge", [({"container_state": s}, n, None) for s, n in states.items()]),
            "process_cpu_seconds_total": ("counter", [({}, own.cpu / 1e9, None)]),
            "process_resident_memory_bytes": ("gauge", [({}, own.resident, None)]),
        }
    )


def _pod_labels(sample: PodSample) -> dict[str, str]:
    return {"namespace": namespace_of(sample.pod), "pod": name_of(sample.pod)}


def _exposition(metrics: Mapping[str, tuple[str, Iterable[Series]]]) -> str:
    lines = []
    for name, (kind, series) in metrics.items():
        lines.append(f"# TYPE {name} {kind}")
        for labels, value, at in series:
            shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in sorted(labels.items()))
            moment = f" {int(at * 1000)}" if at is not None else ""
            lines.append(f"{name}{{{shown}}} {value:.15g}{moment}" if shown else f"{name} {value:.15g}{moment}")
    return "\n".join([*lines, ""])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
