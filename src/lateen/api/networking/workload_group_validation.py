"""What a WorkloadGroup must keep to beyond its types."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.workload_entry_validation import locality_faults, port_faults
from lateen.api.networking.workload_group import ReadinessProbe, WorkloadGroup
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.labels import label_faults, wrong_label_key


def validate(obj: Object[WorkloadGroup]) -> Iterator[Fault]:
    """Faults of a WorkloadGroup."""
    spec = obj.spec
    if spec.metadata is not None:
        yield from label_faults("spec.metadata.labels", spec.metadata.labels)
        for key in spec.metadata.annotations:
            if wrong := wrong_label_key(key):
                yield error(f"spec.metadata.annotations[{key}]", wrong)
    template = spec.template
    if template.address:
        yield warning("spec.template.address", "has no effect: every workload brings its own address")
    if template.labels:
        yield warning("spec.template.labels", "should be in spec.metadata.labels, where workloads take theirs from")
    yield from port_faults("spec.template", template)
    yield from label_faults("spec.template.labels", template.labels)
    yield from locality_faults("spec.template.locality", template.locality)
    if spec.probe is not None:
        yield from _probe("spec.probe", spec.probe)


def _probe(path: str, probe: ReadinessProbe) -> Iterator[Fault]:
    methods = (probe.http_get, probe.tcp_socket, probe.exec, probe.grpc)
    if all(method is None for method in methods):
        yield error(path, "must say how to probe: httpGet, tcpSocket, exec or grpc")
    if probe.exec is not None and not probe.exec.command:
        yield error(f"{path}.exec.command", "must have a command to run")
    if probe.grpc is not None and not probe.grpc.port:
        yield error(f"{path}.grpc.port", "is required")
    if probe.http_get is not None:
        for index, header in enumerate(probe.http_get.http_headers):
            if not header.name:
                yield error(f"{path}.httpGet.httpHeaders[{index}].name", "is required")
