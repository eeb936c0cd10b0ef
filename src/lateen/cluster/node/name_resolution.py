"""A pod's /etc/resolv.conf, /etc/hosts and host name.

Source: the Kubernetes documentation of DNS for pods, and the kubelet's file contents.
"""

from __future__ import annotations

from collections.abc import Sequence

from lateen.cluster.layout import Layout
from lateen.cluster.network.resolvers import parse_resolv_conf
from lateen.cluster.objects import Obj, name_of, namespace_of

_MAX_HOSTNAME = 63
_MAX_NAMESERVERS = 3
_MAX_SEARCHES = 32


def hostname(pod: Obj, node_name: str) -> str:
    """The pod's own host name, or the node's for a pod in its network."""
    spec = pod["spec"]
    if spec.get("hostNetwork"):
        return node_name
    return str(spec.get("hostname") or name_of(pod))[:_MAX_HOSTNAME].rstrip("-.")


def full_hostname(pod: Obj, layout: Layout) -> str:
    """`<hostname>.<subdomain>.<namespace>.svc.<domain>`; empty for a pod without subdomain."""
    subdomain = pod["spec"].get("subdomain")
    if not subdomain:
        return ""
    return f"{hostname(pod, '')}.{subdomain}.{namespace_of(pod)}.svc.{layout.domain}"


def hosts_file(pod: Obj, addresses: Sequence[str], layout: Layout, node_hosts: str) -> str:
    """The pod's /etc/hosts; a pod in the node's network gets the node's (`node_hosts`) with its aliases."""
    spec = pod["spec"]
    if spec.get("hostNetwork"):
        lines = ["# Kubernetes-managed hosts file (host network).", node_hosts.rstrip("\n")]
    else:
        lines = [
            "# Kubernetes-managed hosts file.",
            "127.0.0.1\tlocalhost",
            "::1\tlocalhost ip6-localhost ip6-loopback",
            "fe00::\tip6-localnet",
            "fe00::\tip6-mcastprefix",
            "fe00::1\tip6-allnodes",
            "fe00::2\tip6-allrouters",
        ]
        names = "\t".join(filter(None, (full_hostname(pod, layout), hostname(pod, ""))))
        lines.extend(f"{address}\t{names}" for address in addresses)
    if aliases := spec.get("hostAliases"):
        lines += ["", "# Entries added by HostAliases."]
        lines.extend(f"{alias['ip']}\t" + "\t".join(alias.get("hostnames") or ()) for alias in aliases)
    return "\n".join(lines) + "\n"


def resolv_conf(pod: Obj, layout: Layout, machine: str) -> str:
    """The pod's /etc/resolv.conf by its dnsPolicy and dnsConfig; `machine` is the machine's own file."""
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    servers: list[str] = []
    searches: list[str] = []
    options: dict[str, str] = {}
    if policy == "Default":
        machines = parse_resolv_conf(machine)
        # The machine's own servers are out of reach for a pod (another network, or the machine's loopback): the fabric
        # asks them for it.
        servers, searches, options = [str(layout.host_ipv4)], machines.searches, machines.options
    elif policy != "None":
        servers = [str(layout.dns_service_ipv4)]
        domain = layout.domain
        searches = [f"{namespace_of(pod)}.svc.{domain}", f"svc.{domain}", domain]
        options = {"ndots": "5"}
    config = spec.get("dnsConfig") or {}
    servers += [server for server in config.get("nameservers") or () if server not in servers]
    searches += [search for search in config.get("searches") or () if search not in searches]
    options |= {option["name"]: str(option.get("value") or "") for option in config.get("options") or ()}
    lines = []
    if searches:
        lines.append("search " + " ".join(searches[:_MAX_SEARCHES]))
    lines.extend(f"nameserver {server}" for server in servers[:_MAX_NAMESERVERS])
    if options:
        lines.append("options " + " ".join(f"{k}:{v}" if v else k for k, v in options.items()))
    return "\n".join(lines) + "\n"
