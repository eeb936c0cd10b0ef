"""HorizontalPodAutoscalers, stored as `v2`, shown as `v1` too.

Source: k8s.io/kubernetes `pkg/apis/autoscaling/{v1,v2}`; `v1` keeps the metrics it has no field for in annotations.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, indexed, mapping, number, objects, section, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, deep_copy, metadata, name_of
from lateen.cluster.status import Cause, invalid_value, required

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_MAX_METRICS_SHOWN = 2

_NOT_ENFORCED = "this cluster stores HorizontalPodAutoscalers but does not scale by them"


def _cpu_metric(percent: int) -> Obj:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _is_cpu(metric: Obj) -> bool:
    resource = mapping(metric, "resource")
    target = mapping(resource, "target")
    return text(resource, "name") == "cpu" and target.get("averageUtilization") is not None


class HorizontalPodAutoscalerV2(BuiltinKind):
    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, minReplicas=1)
        if not objects(spec, "metrics"):
            spec["metrics"] = [_cpu_metric(80)]
        behavior = mapping(spec, "behavior")
        for direction, policies in _BEHAVIOR_DEFAULTS.items():
            rules = behavior.get(direction)
            if isinstance(rules, dict):
                fill(rules, selectPolicy="Max", policies=deep_copy(policies))
                if direction == "scaleUp":
                    fill(rules, stabilizationWindowSeconds=0)

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"desiredReplicas": 0, "currentMetrics": None}

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = _validate_bounds(spec)
        for at, metric in indexed(spec, "metrics", "spec"):
            if not text(metric, "type"):
                found.append(required(f"{at}.type", "must specify a metric source type"))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def warnings(self, obj: Obj) -> Sequence[str]:
        return (_NOT_ENFORCED,)

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Reference"),
            Column("Targets"),
            Column("MinPods"),
            Column("MaxPods"),
            Column("Replicas"),
            Column("Age"),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        stored = self.to_storage(obj)
        spec, status = mapping(stored, "spec"), mapping(stored, "status")
        reference = mapping(spec, "scaleTargetRef")
        return [
            name_of(obj),
            f"{text(reference, 'kind')}/{text(reference, 'name')}",
            _format_metrics(objects(spec, "metrics"), objects(status, "currentMetrics")),
            spec.get("minReplicas", "<unset>"),
            number(spec, "maxReplicas"),
            number(status, "currentReplicas"),
            age_of(obj, now),
        ]


_BEHAVIOR_DEFAULTS: dict[str, list[Obj]] = {
    "scaleUp": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
    "scaleDown": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


class HorizontalPodAutoscalerV1(HorizontalPodAutoscalerV2):
    def default(self, obj: Obj) -> None:
        fill(section(obj, "spec"), minReplicas=1)

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"currentReplicas": 0, "desiredReplicas": 0}

    def from_storage(self, obj: Obj) -> Obj:
        shown: Obj = deep_copy(obj)
        shown["apiVersion"] = "autoscaling/v1"
        spec, status = section(shown, "spec"), section(shown, "status")
        metrics = objects(spec, "metrics")
        spec.pop("metrics", None)
        kept: dict[str, Any] = {_BEHAVIOR: spec.pop("behavior", None), _CONDITIONS: status.pop("conditions", None)}
        cpu = next((metric for metric in metrics if _is_cpu(metric)), None)
        if cpu is not None:
            spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
        kept[_METRICS] = [metric for metric in metrics if metric is not cpu]
        for metric in status.pop("currentMetrics", None) or ():
            current = mapping(mapping(metric, "resource"), "current").get("averageUtilization")
            if current is not None:
                status["currentCPUUtilizationPercentage"] = current
        for annotation, value in kept.items():
            if value:
                section(metadata(shown), "annotations")[annotation] = json.dumps(value, separators=(",", ":"))
        return shown

    def to_storage(self, obj: Obj) -> Obj:
        stored: Obj = deep_copy(obj)
        stored["apiVersion"] = "autoscaling/v2"
        spec, status = section(stored, "spec"), section(stored, "status")
        percent = spec.pop("targetCPUUtilizationPercentage", None)
        metrics = [] if percent is None else [_cpu_metric(percent)]
        current = status.pop("currentCPUUtilizationPercentage", None)
        annotations = mapping(metadata(stored), "annotations")
        metrics += _read_list(annotations.pop(_METRICS, None))
        conditions = _read_list(annotations.pop(_CONDITIONS, None))
        behavior = _read(annotations.pop(_BEHAVIOR, None))
        spec["metrics"] = metrics or [_cpu_metric(80)]
        if isinstance(behavior, dict):
            spec["behavior"] = behavior
        if conditions:
            status["conditions"] = conditions
        if current is not None:
            value = {"averageUtilization": current}
            status["currentMetrics"] = [{"type": "Resource", "resource": {"name": "cpu", "current": value}}]
        if not annotations:
            metadata(stored).pop("annotations", None)
        return stored

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return _validate_bounds(mapping(obj, "spec"))


def _read(text_: Any) -> Any:
    try:
        return json.loads(text_) if isinstance(text_, str) else None
    except (ValueError, RecursionError):
        return None


def _read_list(text_: Any) -> list[Any]:
    value = _read(text_)
    return value if isinstance(value, list) else []


def _validate_bounds(spec: Obj) -> list[Cause]:
    found = []
    low, high = number(spec, "minReplicas", 1), number(spec, "maxReplicas")
    if low < 1:
        found.append(invalid_value("spec.minReplicas", low, "must be greater than or equal to 1"))
    if high < 1:
        found.append(invalid_value("spec.maxReplicas", high, "must be greater than 0"))
    if high < low:
        found.append(invalid_value("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    reference = mapping(spec, "scaleTargetRef")
    for field in ("kind", "name"):
        if not text(reference, field):
            found.append(required(f"spec.scaleTargetRef.{field}"))
    return found


def _format_metrics(metrics: list[Obj], current: list[Obj]) -> str:
    if not metrics:
        return "<none>"
    shown = []
    for i, metric in enumerate(metrics):
        kind = text(metric, "type")
        field = kind[:1].lower() + kind[1:]
        source, now = mapping(metric, field), mapping(current[i], field) if i < len(current) else {}
        target, value = mapping(source, "target"), mapping(now, "current")
        prefix = f"{text(source, 'name')}: " if kind in ("Resource", "ContainerResource") else ""
        if target.get("averageUtilization") is not None:
            actual = value.get("averageUtilization")
            wanted = f"{target['averageUtilization']}%"
            shown.append(f"{prefix}{'<unknown>' if actual is None else f'{actual}%'}/{wanted}")
        else:
            limit = target.get("averageValue") or target.get("value")
            actual = value.get("averageValue") or value.get("value")
            shown.append(f"{prefix}{actual or '<unknown>'}/{limit}")
    more = f" + {len(shown) - _MAX_METRICS_SHOWN} more..." if len(shown) > _MAX_METRICS_SHOWN else ""
    return ", ".join(shown[:_MAX_METRICS_SHOWN]) + more
