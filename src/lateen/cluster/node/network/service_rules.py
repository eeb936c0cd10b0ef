"""One Service's nftables chains, map elements and sets: a pure function of the Service, its endpoints and the node.

Verdict maps lead from (address, protocol, port) straight to a Service port's chains, so that a packet's cost does not
grow with the number of Services. The decisions are kube-proxy's:

    services    ClusterIP -> `internal-...`; external IPs, load balancer IPs -> `external-...` (or `firewall-...`)
    node-ports  (protocol, port) -> `external-...`
    refused     what has no endpoints: `reject`, or `drop` where only this node is allowed to answer and has none
    hairpin     (address, address) of each local endpoint: a pod that reaches itself through a Service

`internal` masquerades sources that are not pods; `external` masquerades everything, so that answers come back this
way, unless externalTrafficPolicy is Local: then the source stays and only this node's endpoints count.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lateen.cluster.node.network.service_endpoints import Family, Target, Targets, choose_targets
from lateen.cluster.objects import Obj, name_of, namespace_of

MASQUERADE = "meta mark set meta mark or 0x4000"
DEFAULT_AFFINITY_SECONDS = 10800


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What the rules of one family need to know of the node."""

    name: str
    family: Family
    address: str
    cluster_pods: str
    """The range of all the cluster's pods: what is not in it is masqueraded on its way to a ClusterIP."""

    @property
    def ip(self) -> str:
        """The family's word in nftables."""
        return "ip" if self.family == "IPv4" else "ip6"


@dataclass(slots=True)
class Fragment:
    """What one Service contributes to the table."""

    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)
    """Dynamic sets: name -> definition."""
    elements: dict[tuple[str, str], str] = field(default_factory=dict)
    """(map or set, key) -> verdict (empty in a set)."""
    udp: dict[str, frozenset[str]] = field(default_factory=dict)
    """For connection tracking: `address/port` of UDP frontends -> addresses of their endpoints."""


def proxied(service: Obj) -> bool:
    """Whether the node forwards this Service: it has cluster IPs and names no other proxy."""
    spec = service.get("spec") or {}
    labels = (service.get("metadata") or {}).get("labels") or {}
    if spec.get("type") == "ExternalName" or "service.kubernetes.io/service-proxy-name" in labels:
        return False
    return spec.get("clusterIP") not in (None, "", "None")


def render_service(service: Obj, slices: Iterable[Obj], node: NodeFacts) -> Fragment:
    """The fragment of one Service for the node's family; empty for one that is not `proxied` or not of the family."""
    fragment = Fragment()
    if not proxied(service):
        return fragment
    spec = service["spec"]
    slices = list(slices)
    cluster_ips = _of_family(spec.get("clusterIPs") or [spec["clusterIP"]], node.family)
    if not cluster_ips:
        return fragment
    for address in cluster_ips:
        fragment.elements["cluster-ips", address] = ""
    for port in spec.get("ports") or ():
        protocol = str(port.get("protocol") or "TCP")
        targets = choose_targets(slices, node.family, str(port.get("name") or ""), protocol, node.name)
        _PortRules(service, port, targets, node, fragment).render(cluster_ips)
    return fragment


class _PortRules:
    def __init__(self, service: Obj, port: Obj, targets: Targets, node: NodeFacts, fragment: Fragment) -> None:
        self._spec: Obj = service["spec"]
        self._status: Obj = service.get("status") or {}
        self._port = port
        self._protocol = str(port.get("protocol") or "TCP").lower()
        self._targets = targets
        self._node = node
        self._fragment = fragment
        self._suffix = _suffix(service, port)
        self._local_only = self._spec.get("externalTrafficPolicy") == "Local"

    def render(self, cluster_ips: list[str]) -> None:
        targets, node = self._targets, self._node
        number = int(self._port["port"])
        internal_local = self._spec.get("internalTrafficPolicy") == "Local"
        internal = targets.local if internal_local else targets.cluster
        external = targets.local if self._local_only else targets.cluster
        external_ips = _of_family(self._spec.get("externalIPs") or (), node.family)
        balancer_ips = [ip for ip in load_balancer_ips(self._status, node.family) if ip not in external_ips]
        node_port = int(self._port.get("nodePort") or 0)

        if targets.cluster:
            self._balance("cluster", targets.cluster)
        if targets.local and (internal_local or self._local_only):
            self._balance("local", targets.local)

        for address in cluster_ips:
            if internal:
                rules = (f"{node.ip} saddr != {node.cluster_pods} {MASQUERADE}",)
                verdict = self._chain(
                    "internal", (*rules, f"goto {self._name('local' if internal_local else 'cluster')}")
                )
                self._element("services", address, number, verdict)
            else:
                self._refuse("refused", address, number)
            self._frontend(address, number, internal)
        if not (external_ips or balancer_ips or node_port):
            return

        verdict = self._external(bool(external)) if targets.cluster else ""
        firewall = self._firewall(verdict)
        for address in (*external_ips, *balancer_ips):
            if verdict:
                self._element("services", address, number, firewall if address in balancer_ips else verdict)
            if not external:
                self._refuse("refused", address, number)
            self._frontend(address, number, external)
        if node_port:
            if verdict:
                self._fragment.elements["node-ports", f"{self._protocol} . {node_port}"] = verdict
            if not external:
                self._refuse("refused", node.address, node_port)
            self._frontend(node.address, node_port, external)

    # --- chains ----------------------------------------------------------------------------------------------

    def _external(self, answered_here: bool) -> str:
        node = self._node
        if not self._local_only:
            return self._chain("external", (MASQUERADE, f"goto {self._name('cluster')}"))
        rules = [
            # Pods, and the node itself, are inside: they get the whole cluster's endpoints.
            f"{node.ip} saddr {node.cluster_pods} goto {self._name('cluster')}",
            f"fib saddr type local {MASQUERADE}",
            f"fib saddr type local goto {self._name('cluster')}",
        ]
        if answered_here:
            rules.append(f"goto {self._name('local')}")
        return self._chain("external", tuple(rules))

    def _firewall(self, verdict: str) -> str:
        """The way in through a load balancer's address: only from loadBalancerSourceRanges, if there are any."""
        if not verdict or not self._spec.get("loadBalancerSourceRanges"):
            return verdict
        ranges = _of_family(self._spec["loadBalancerSourceRanges"], self._node.family)
        allowed = ", ".join((*ranges, self._node.address))
        drop = f"{self._node.ip} saddr != {{ {allowed} }} drop"
        return self._chain("firewall", (drop, verdict))

    def _balance(self, kind: str, targets: tuple[Target, ...]) -> None:
        """The chain that picks one of the targets: at random, or the one a client had before."""
        node, protocol = self._node, self._protocol
        for target in targets:
            if target in self._targets.local:
                self._fragment.elements["hairpin", f"{target.address} . {target.address}"] = ""
        if self._spec.get("sessionAffinity") != "ClientIP":
            if len(targets) == 1:
                where = _to(targets[0])
            else:
                choices = ", ".join(f"{n} : {t.address} . {t.port}" for n, t in enumerate(targets))
                where = f"numgen random mod {len(targets)} map {{ {choices} }}"
            self._chain(kind, (f"meta l4proto {protocol} dnat {node.ip} to {where}",))
            return
        config = (self._spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        seconds = int(config.get("timeoutSeconds") or DEFAULT_AFFINITY_SECONDS)
        known: list[str] = []
        picks: list[str] = []
        for number, target in enumerate(targets):
            digest = _digest(f"{target.address} {target.port} {seconds}")
            clients, chain = f"clients-{digest}-{self._suffix}", f"target-{digest}"
            kind_of_set = "ipv4_addr" if node.family == "IPv4" else "ipv6_addr"
            self._fragment.sets[clients] = (
                f"type {kind_of_set}; flags dynamic, timeout; timeout {seconds}s; size 65536;"
            )
            goto = self._chain(
                chain,
                (
                    f"update @{clients} {{ {node.ip} saddr }}",
                    f"meta l4proto {protocol} dnat {node.ip} to {_to(target)}",
                ),
            )
            known.append(f"{node.ip} saddr @{clients} {goto}")
            picks.append(f"{number} : {goto}")
        pick = f"numgen random mod {len(targets)} vmap {{ {', '.join(picks)} }}"
        self._chain(kind, (*known, pick))

    # --- pieces ----------------------------------------------------------------------------------------------

    def _name(self, kind: str) -> str:
        return f"{kind}-{self._suffix}"

    def _chain(self, kind: str, rules: tuple[str, ...]) -> str:
        self._fragment.chains[self._name(kind)] = rules
        return f"goto {self._name(kind)}"

    def _element(self, map_: str, address: str, port: int, verdict: str) -> None:
        self._fragment.elements[map_, f"{address} . {self._protocol} . {port}"] = verdict

    def _refuse(self, map_: str, address: str, port: int) -> None:
        # No endpoints anywhere: say so. Some, but none that may answer here: silence, as somebody else answers.
        self._element(map_, address, port, "drop" if self._targets.cluster else "goto refuse")

    def _frontend(self, address: str, port: int, targets: tuple[Target, ...]) -> None:
        if self._protocol == "udp":
            self._fragment.udp[f"{address}/{port}"] = frozenset(target.address for target in targets)


def load_balancer_ips(status: Obj, family: Family) -> list[str]:
    """The load balancer's addresses whose packets arrive here with the address itself as destination."""
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    return _of_family([i["ip"] for i in ingress if i.get("ip") and i.get("ipMode") != "Proxy"], family)


def _of_family(addresses: Iterable[str], family: Family) -> list[str]:
    return list(_matching(addresses, 4 if family == "IPv4" else 6))


def _matching(addresses: Iterable[str], version: int) -> Iterator[str]:
    for address in addresses:
        try:
            network = ipaddress.ip_network(str(address).strip(), strict=False)
        except ValueError:
            continue
        if network.version == version:
            yield str(network.network_address) if network.num_addresses == 1 else str(network)


def _to(target: Target) -> str:
    return f"[{target.address}]:{target.port}" if ":" in target.address else f"{target.address}:{target.port}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _suffix(service: Obj, port: Obj) -> str:
    """Unique per Service port, legal and short enough in nftables, and telling to who lists the rules."""
    namespace, name, protocol = namespace_of(service), name_of(service), str(port.get("protocol") or "TCP").lower()
    digest = _digest(f"{namespace}/{name}/{port['port']}/{protocol}/{port.get('name') or ''}")
    return f"{digest}-{namespace[:24]}/{name[:40]}/{protocol}/{port['port']}"
