"""Pods."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.core import pod_columns
from lateen.cluster.apiserver.kinds.core.pod_defaults import default_pod, default_pod_template
from lateen.cluster.apiserver.kinds.core.pod_update_validation import validate_pod_update
from lateen.cluster.apiserver.kinds.core.pod_validation import validate_pod_spec, validate_pod_template
from lateen.cluster.apiserver.kinds.core.pod_warnings import pod_warnings
from lateen.cluster.apiserver.kinds.fields import mapping, number, objects, section, text
from lateen.cluster.apiserver.kinds.label_selectors import format_labels
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, labels_of, name_of
from lateen.cluster.quality_of_service import qos_class
from lateen.cluster.status import Cause, forbidden_field


class Pod(BuiltinKind):
    def default(self, obj: Obj) -> None:
        default_pod(obj)

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(mapping(obj, "spec"))}

    def prepare_status_update(self, obj: Obj, old: Obj, ctx: Context) -> None:
        super().prepare_status_update(obj, old, ctx)
        status = section(obj, "status")
        if not status.get("qosClass"):
            status["qosClass"] = mapping(old, "status").get("qosClass") or qos_class(mapping(old, "spec"))
        addresses = objects(status, "podIPs")
        if addresses:
            status["podIP"] = text(addresses[0], "ip")
        elif text(status, "podIP"):
            status["podIPs"] = [{"ip": status["podIP"]}]

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = validate_pod_spec(spec, "spec")
        if objects(spec, "ephemeralContainers"):
            found.append(forbidden_field("spec.ephemeralContainers", "cannot be set on create"))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return validate_pod_update(obj, old) or validate_pod_spec(mapping(obj, "spec"), "spec")

    def warnings(self, obj: Obj) -> Sequence[str]:
        return pod_warnings(mapping(obj, "spec"))

    def grace_seconds(self, obj: Obj, requested: int | None) -> int:
        """Nobody waits for a pod that no node runs, or that has ended."""
        spec, status = mapping(obj, "spec"), mapping(obj, "status")
        if not text(spec, "nodeName") or text(status, "phase") in ("Succeeded", "Failed"):
            return 0
        seconds = number(spec, "terminationGracePeriodSeconds", 30) if requested is None else requested
        return seconds if seconds >= 0 else 1

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        spec, status = mapping(obj, "spec"), mapping(obj, "status")
        return {
            "spec.nodeName": text(spec, "nodeName"),
            "spec.restartPolicy": text(spec, "restartPolicy"),
            "spec.schedulerName": text(spec, "schedulerName"),
            "spec.serviceAccountName": text(spec, "serviceAccountName"),
            "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
            "status.phase": text(status, "phase"),
            "status.podIP": text(status, "podIP"),
            "status.nominatedNodeName": text(status, "nominatedNodeName"),
        }

    def columns(self) -> Sequence[Column]:
        return pod_columns.COLUMNS

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return pod_columns.pod_row(obj, now)


class PodTemplate(BuiltinKind):
    """A template on its own: `v1 PodTemplate`."""

    counts_generations = True

    def default(self, obj: Obj) -> None:
        default_pod_template(section(obj, "template"))

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return validate_pod_template(mapping(obj, "template"), "template", ("Always", "OnFailure", "Never"))

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Containers"), Column("Images"), Column("Pod Labels"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        template = mapping(obj, "template")
        containers = objects(mapping(template, "spec"), "containers")
        return [
            name_of(obj),
            ",".join(text(container, "name") for container in containers),
            ",".join(text(container, "image") for container in containers),
            format_labels(labels_of(template)),
        ]
