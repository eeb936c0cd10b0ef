"""What a Sidecar must keep to beyond its types."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lateen.api.networking.connection_pool_validation import connection_pool_faults
from lateen.api.networking.gateway import TLSmode
from lateen.api.networking.gateway_validation import validate_tls
from lateen.api.networking.port_protocols import HTTP_PROTOCOLS, PROTOCOLS
from lateen.api.networking.sidecar import (
    CaptureMode,
    IstioEgressListener,
    IstioIngressListener,
    OutboundTrafficPolicy,
    OutboundTrafficPolicyMode,
    Sidecar,
    SidecarPort,
)
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import (
    UNIX_PREFIX,
    is_dns_label,
    wrong_address,
    wrong_fqdn,
    wrong_unix_address,
    wrong_wildcard_host,
)

_ENDPOINT = re.compile(r"(?:(?P<host>[^:\[\]]*)|\[(?P<ipv6>[^\]]*)\]):(?P<port>.*)")
_ENDPOINT_HOSTS = frozenset({"", "127.0.0.1", "0.0.0.0", "::1", "::"})
_ANY_NAMESPACE = "*"
_OWN_NAMESPACE = "."
_NO_NAMESPACE = "~"


def validate(obj: Object[Sidecar]) -> Iterator[Fault]:
    """Faults of a Sidecar."""
    spec = obj.spec
    if spec.workload_selector is not None and not spec.workload_selector.labels:
        yield warning("spec.workloadSelector.labels", "is empty: all workloads of the namespace are selected")
    if not (spec.ingress or spec.egress or spec.outbound_traffic_policy or spec.inbound_connection_pool):
        yield error("spec", "must have ingress, egress, outboundTrafficPolicy or inboundConnectionPool")
    yield from _ingress(spec)
    yield from connection_pool_faults("spec.inboundConnectionPool", spec.inbound_connection_pool)
    yield from _egress(obj)
    if spec.outbound_traffic_policy is not None:
        yield from _outbound("spec.outboundTrafficPolicy", spec.outbound_traffic_policy)


def _ingress(spec: Sidecar) -> Iterator[Fault]:
    seen: dict[int, int] = {}
    for index, listener in enumerate(spec.ingress):
        path = f"spec.ingress[{index}]"
        number = listener.port.number
        yield from _port(f"{path}.port", listener.port)
        if not 0 < number <= 65535:
            yield error(f"{path}.port.number", f"must be a port from 1 to 65535, not {number}")
        if listener.bind and (wrong := wrong_address(listener.bind)):
            yield error(f"{path}.bind", wrong)
        earlier = seen.setdefault(number, index)
        if earlier != index:
            yield error(f"{path}.port.number", f"must be unique: spec.ingress[{earlier}] has {number} too")
        if listener.default_endpoint:
            yield from _default_endpoint(f"{path}.defaultEndpoint", listener.default_endpoint)
        yield from _ingress_tls(path, listener)
        pool = listener.connection_pool
        yield from connection_pool_faults(f"{path}.connectionPool", pool)
        if pool is not None and pool.http is not None and listener.port.protocol.upper() not in HTTP_PROTOCOLS:
            yield warning(f"{path}.connectionPool.http", f"has no effect: port {number} is not declared as HTTP")


def _default_endpoint(path: str, endpoint: str) -> Iterator[Fault]:
    if endpoint.startswith(UNIX_PREFIX):
        if wrong := wrong_unix_address(endpoint.removeprefix(UNIX_PREFIX)):
            yield error(path, wrong)
        return
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None or (found["host"] if found["ipv6"] is None else found["ipv6"]) not in _ENDPOINT_HOSTS:
        yield error(
            path,
            f"must be 127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT, :PORT or unix:///PATH, not {endpoint!r}",
        )
    elif not found["port"].isdecimal() or not 0 < int(found["port"]) <= 65535:
        yield error(path, f"must have a port from 1 to 65535, not {found['port']!r}")


def _ingress_tls(path: str, listener: IstioIngressListener) -> Iterator[Fault]:
    tls = listener.tls
    if tls is None:
        return
    if tls.subject_alt_names:
        yield error(f"{path}.tls.subjectAltNames", "is not supported for a sidecar")
    if tls.https_redirect:
        yield error(f"{path}.tls.httpsRedirect", "is not supported for a sidecar")
    for name, value in (("credentialName", tls.credential_name), ("credentialNames", tls.credential_names)):
        if value:
            yield error(f"{path}.tls.{name}", "is not supported for a sidecar: name files in the workload instead")
    if tls.mode in (TLSmode.ISTIO_MUTUAL, TLSmode.AUTO_PASSTHROUGH):
        yield error(f"{path}.tls.mode", f"must not be {tls.mode.value} for a sidecar")
    else:
        yield from validate_tls(f"{path}.tls", tls)


def _egress(obj: Object[Sidecar]) -> Iterator[Fault]:
    listeners = obj.spec.egress
    ports: dict[int, int] = {}
    sockets: dict[str, int] = {}
    for index, listener in enumerate(listeners):
        path = f"spec.egress[{index}]"
        if listener.port is None:
            if index != len(listeners) - 1:
                yield error(f"{path}.port", "may be left out of the last listener only: that is the one for all ports")
            if listener.bind:
                yield error(f"{path}.bind", "needs a port")
        else:
            yield from _egress_port(path, listener, listener.port)
            number = listener.port.number
            earlier = ports.setdefault(number, index) if number else sockets.setdefault(listener.bind, index)
            if earlier != index:
                at = f"port {number}" if number else f"socket {listener.bind!r}"
                yield error(f"{path}.port.number", f"must be unique: spec.egress[{earlier}] has {at} too")
        yield from _hosts(f"{path}.hosts", listener.hosts, obj.metadata.namespace)


def _egress_port(path: str, listener: IstioEgressListener, port: SidecarPort) -> Iterator[Fault]:
    yield from _port(f"{path}.port", port)
    if port.number:
        if port.number > 65535:
            yield error(f"{path}.port.number", f"must be a port from 1 to 65535, not {port.number}")
        if listener.bind and (wrong := wrong_address(listener.bind)):
            yield error(f"{path}.bind", wrong)
        return
    if not listener.bind.startswith(UNIX_PREFIX):
        yield error(f"{path}.bind", "must be a unix domain socket (unix://...) as the port is 0")
    elif wrong := wrong_unix_address(listener.bind.removeprefix(UNIX_PREFIX)):
        yield error(f"{path}.bind", wrong)
    if listener.capture_mode is CaptureMode.IPTABLES:
        yield error(f"{path}.captureMode", "must be DEFAULT or NONE for a unix domain socket")


def _port(path: str, port: SidecarPort) -> Iterator[Fault]:
    if port.name and not is_dns_label(port.name):
        yield error(f"{path}.name", f"must be a DNS label, not {port.name!r}")
    if port.protocol and port.protocol.upper() not in PROTOCOLS:
        yield error(f"{path}.protocol", f"must be one of {', '.join(sorted(PROTOCOLS))}, not {port.protocol!r}")
    if port.target_port:
        yield error(f"{path}.targetPort", "has no effect in a Sidecar: use defaultEndpoint")


def _hosts(path: str, listed: tuple[str, ...], own: str) -> Iterator[Fault]:
    if not listed:
        yield error(path, "must contain at least one host")
    seen: dict[str, set[str]] = {}
    for index, text in enumerate(listed):
        namespace, slash, name = text.partition("/")
        if wrong := _wrong_host(namespace, slash, name):
            yield error(f"{path}[{index}]", f"{wrong}, not {text!r}")
            continue
        names = seen.setdefault(own if namespace == _OWN_NAMESPACE else namespace, set())
        if name in names or "*" in names or (name == "*" and names):
            yield warning(f"{path}[{index}]", f"selects what other hosts of this list select: {text!r}")
        names.add(name)
    if "*" in seen.get(_ANY_NAMESPACE, ()) and len(seen) > 1:
        yield warning(path, "selects everything by */*: other hosts add nothing")


def _wrong_host(namespace: str, slash: str, name: str) -> str:
    if not slash or not namespace or not name:
        return "must be NAMESPACE/HOST"
    if namespace not in (_ANY_NAMESPACE, _OWN_NAMESPACE, _NO_NAMESPACE) and not is_dns_label(namespace):
        return "must name a namespace, '*', '.' or '~' before the slash"
    if namespace == _NO_NAMESPACE and name != "*":
        return "must be ~/* where nothing is meant"
    if name != "*" and wrong_wildcard_host(name):
        return "must be a host name (in full, or with a wildcard in front) or '*' after the slash"
    return ""


def _outbound(path: str, policy: OutboundTrafficPolicy) -> Iterator[Fault]:
    proxy = policy.egress_proxy
    if proxy is None:
        return
    if policy.mode is not OutboundTrafficPolicyMode.ALLOW_ANY:
        yield error(f"{path}.egressProxy", "is only possible with mode ALLOW_ANY")
    if wrong := wrong_fqdn(proxy.host):
        yield error(f"{path}.egressProxy.host", wrong)
    if proxy.port is None:
        yield error(f"{path}.egressProxy.port", "is required")
    elif not 0 < proxy.port.number <= 65535:
        yield error(f"{path}.egressProxy.port.number", f"must be a port from 1 to 65535, not {proxy.port.number}")
    if proxy.subset and not is_dns_label(proxy.subset):
        yield error(f"{path}.egressProxy.subset", f"must be a DNS label, not {proxy.subset!r}")
