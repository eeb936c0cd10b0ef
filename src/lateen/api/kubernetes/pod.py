"""Pods (core/v1)."""

from __future__ import annotations

from typing import Final

import msgspec

from lateen.api.objects import Metadata
from lateen.api.schema.message import Lenient

_FINISHED: Final = frozenset({"Succeeded", "Failed"})
"""Phases that a pod does not leave any more."""


class ContainerPort(Lenient, frozen=True):
    name: str = ""
    container_port: int = 0
    host_port: int = 0
    protocol: str = "TCP"


class HTTPHeader(Lenient, frozen=True):
    name: str = ""
    value: str = ""


class HTTPGetAction(Lenient, frozen=True):
    path: str = ""
    port: int | str = 0
    """By number, or by name of a port of the container."""
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Lenient, frozen=True):
    port: int | str = 0
    host: str = ""


class GRPCAction(Lenient, frozen=True):
    port: int = 0
    service: str | None = None


class ExecAction(Lenient, frozen=True):
    command: tuple[str, ...] = ()


class Probe(Lenient, frozen=True):
    """At most one of the actions is set. Times are in seconds."""

    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    exec: ExecAction | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3


class Container(Lenient, frozen=True):
    name: str = ""
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str | None = None
    """`Always` makes a sidecar of an init container."""


class PodSpec(Lenient, frozen=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    service_account_name: str = ""
    """Absent: `default`; see `Pod.service_account`."""
    node_name: str = ""
    host_network: bool = False
    hostname: str = ""
    subdomain: str = ""
    """With `hostname`: the DNS name under a headless Service."""

    def port_named(self, name: str, protocol: str = "TCP") -> int | None:
        """The number of a container port, by its name."""
        for container in (*self.containers, *self.init_containers):
            for port in container.ports:
                if port.name == name and port.protocol == protocol:
                    return port.container_port
        return None


class PodIP(Lenient, frozen=True):
    ip: str = ""


class PodCondition(Lenient, frozen=True):
    type: str = ""
    status: str = ""
    """`True`, `False` or `Unknown`."""


class PodStatus(Lenient, frozen=True):
    phase: str = ""
    """Pending, Running, Succeeded, Failed or Unknown."""
    pod_ip: str = msgspec.field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    """Of every address family; the first is `podIP`."""
    host_ip: str = msgspec.field(default="", name="hostIP")
    conditions: tuple[PodCondition, ...] = ()


class Pod(Lenient, frozen=True):
    """A workload of Kubernetes."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its IPs, while they are its own: those of a finished pod may be another's by now."""
        status = self.status
        if status.phase in _FINISHED:
            return ()
        several = tuple([each.ip for each in status.pod_ips if each.ip])
        if several:
            return several
        return (status.pod_ip,) if status.pod_ip else ()

    @property
    def finished(self) -> bool:
        return self.status.phase in _FINISHED

    @property
    def ready(self) -> bool:
        return any(each.type == "Ready" and each.status == "True" for each in self.status.conditions)

    @property
    def service_account(self) -> str:
        return self.spec.service_account_name or "default"
