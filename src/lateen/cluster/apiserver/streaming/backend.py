"""Where a stream goes: the node's kubelet, or a pod itself."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cached_property

from lateen.cluster.layout import Layout
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.pki.paths import PkiPaths
from lateen.cluster.status import service_unavailable

KUBELET_PORT = 10250


@dataclass(frozen=True, slots=True)
class Backend:
    """An address to connect to; `tls` is None for plain text."""

    host: str
    port: int
    tls: ssl.SSLContext | None

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"


class Kubelets:
    """Reaches nodes as the API server: with its client certificate, trusting the cluster's CA alone."""

    def __init__(self, layout: Layout) -> None:
        self._paths = PkiPaths(layout)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        pair = self._paths.apiserver_kubelet_client
        context = ssl.create_default_context(cafile=str(self._paths.ca.certificate))
        context.load_cert_chain(pair.certificate, pair.key)
        return context

    def of_node(self, node: Obj) -> Backend:
        """The kubelet of a node by its status. Raises service unavailable when the node has not told its address."""
        status = node.get("status") or {}
        addresses = {a.get("type"): str(a.get("address") or "") for a in status.get("addresses") or ()}
        host = addresses.get("InternalIP") or addresses.get("ExternalIP") or ""
        if not host:
            raise service_unavailable(f'node "{name_of(node)}" has no address yet: its kubelet has not registered')
        endpoint = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
        return Backend(host, int(endpoint.get("Port") or KUBELET_PORT), self._tls)


def unverified_tls() -> ssl.SSLContext:
    """For pods and services proxied over HTTPS: as on Kubernetes, their certificates are not verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
