"""`pods/proxy`, `services/proxy`, `nodes/proxy`: HTTP, and what upgrades from it, to what the name says.

A name may carry a scheme and a port: `[https:]name[:port]`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.apiserver.streaming.backend import Backend, Kubelets, unverified_tls
from lateen.cluster.apiserver.streaming.connection import admitted_options
from lateen.cluster.apiserver.streaming.http_relay import forwarded_headers, relay_http
from lateen.cluster.apiserver.streaming.upgrade_relay import relay_upgrade
from lateen.cluster.objects import Key, Obj, labels_of
from lateen.cluster.status import bad_request, not_found, service_unavailable


@dataclass(frozen=True, slots=True)
class ProxyName:
    """What a proxied name says; `port` is a number, a name, or empty."""

    scheme: str
    name: str
    port: str


def parse_proxy_name(text: str) -> ProxyName:
    """Raises bad request for more than a scheme, a name and a port."""
    parts = text.split(":")
    match parts:
        case [name]:
            return ProxyName("http", name, "")
        case [name, port]:
            return ProxyName("http", name, port)
        case [("http" | "https" | "") as scheme, name, port]:
            return ProxyName(scheme or "http", name, port)
    raise bad_request(f"invalid proxy request {text!r}")


class Proxies:
    """Handlers of the `proxy` subresources."""

    def __init__(self, kubelets: Kubelets) -> None:
        self._kubelets = kubelets

    async def pod(self, call: Call) -> web.StreamResponse:
        options = await admitted_options(call)
        wanted = parse_proxy_name(call.key.name)
        pod = call.server.store.get(("", "pods"), Key(call.key.namespace, wanted.name))
        if pod is None:
            raise not_found("", "pods", wanted.name)
        address = str((pod.get("status") or {}).get("podIP") or "")
        if not address:
            raise bad_request("address not allowed")
        return await _relay(call, options, _backend(wanted, address, _pod_port(pod, wanted.port)))

    async def service(self, call: Call) -> web.StreamResponse:
        options = await admitted_options(call)
        wanted = parse_proxy_name(call.key.name)
        service = call.server.store.get(("", "services"), Key(call.key.namespace, wanted.name))
        if service is None:
            raise not_found("", "services", wanted.name)
        slices = call.server.store.list(("discovery.k8s.io", "endpointslices"), call.key.namespace).items
        own = [s for s in slices if labels_of(s).get("kubernetes.io/service-name") == wanted.name]
        targets = _targets(own, _service_port(service, wanted.port))
        if not targets:
            raise service_unavailable(f'no endpoints available for service "{call.key.name}"')
        address, port = random.choice(targets)
        return await _relay(call, options, _backend(wanted, address, port))

    async def node(self, call: Call) -> web.StreamResponse:
        options = await admitted_options(call)
        wanted = parse_proxy_name(call.key.name)
        node = call.server.store.get(("", "nodes"), Key("", wanted.name))
        if node is None:
            raise not_found("", "nodes", wanted.name)
        kubelet = self._kubelets.of_node(node)
        if wanted.port and wanted.port != str(kubelet.port):
            return await _relay(call, options, _backend(wanted, kubelet.host, _number(wanted.port)))
        return await _relay(call, options, kubelet)


def _backend(wanted: ProxyName, address: str, port: int) -> Backend:
    return Backend(address, port, unverified_tls() if wanted.scheme == "https" else None)


async def _relay(call: Call, options: Obj, backend: Backend) -> web.StreamResponse:
    http = call.http
    raw_path, _, query = http.raw_path.partition("?")
    # What follows `/api/v1[/namespaces/NAMESPACE]/PLURAL/NAME/proxy`, as the client encoded it.
    before = 8 if call.key.namespace else 6
    segments = raw_path.split("/", before)
    below = "/" + segments[before] if len(segments) > before else ""
    if not below:
        raise web.HTTPMovedPermanently(raw_path + "/" + (f"?{query}" if query else ""))
    if (admitted := str(options.get("path") or "")) != call.tail.removeprefix("/"):
        # Admission sends it elsewhere.
        below = "/" + quote(admitted)
    path = below + (f"?{query}" if query else "")
    headers = forwarded_headers(http.headers)
    if "upgrade" in http.headers.get("Connection", "").lower():
        hop = [("Connection", "Upgrade"), ("Upgrade", http.headers.get("Upgrade", ""))]
        return await relay_upgrade(http, backend, path, [*headers.items(), *hop])
    return await relay_http(http, backend, path, headers=headers)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise bad_request(f"invalid port {text!r}")


def _pod_port(pod: Obj, wanted: str) -> int:
    ports = [p for c in (pod.get("spec") or {}).get("containers") or () for p in c.get("ports") or ()]
    if not wanted:
        return int(ports[0]["containerPort"]) if ports else 80
    named = next((p for p in ports if p.get("name") == wanted), None)
    return int(named["containerPort"]) if named else _number(wanted)


def _service_port(service: Obj, wanted: str) -> str:
    """The name of the service's port. Raises bad request or service unavailable."""
    ports: Sequence[Obj] = (service.get("spec") or {}).get("ports") or ()
    if not wanted:
        if len(ports) == 1:
            return str(ports[0].get("name") or "")
        raise bad_request("a port must be specified: the service has not exactly one")
    for port in ports:
        if wanted in (port.get("name"), str(port.get("port"))):
            return str(port.get("name") or "")
    raise service_unavailable(f'no service port "{wanted}" found for service "{service["metadata"]["name"]}"')


def _targets(slices: Sequence[Obj], port_name: str) -> list[tuple[str, int]]:
    targets = []
    for slice_ in slices:
        port = next((p.get("port") for p in slice_.get("ports") or () if (p.get("name") or "") == port_name), None)
        if port is None:
            continue
        for endpoint in slice_.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                targets += [(str(address), int(port)) for address in (endpoint.get("addresses") or ())[:1]]
    return targets
