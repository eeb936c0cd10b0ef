"""Where everything of one cluster is: addresses, names, directories. Pure values computed from (name, index).

Each cluster on a machine has an index 0..63 that fixes disjoint ranges:

    fabric (nodes)   10.(64+i).0.0/24     fd6c:6174:<i>:fa00::/64    .1 host, .254 fabric router, .(10+n) node n
    load balancers   10.(64+i).1.0/24     fd6c:6174:<i>:fb00::/112
    pods             10.(128+i).0.0/16    fd6c:6174:<i>::/56         node n: 10.(128+i).n.0/24, fd6c:6174:<i>:<n>::/64
    services         10.(192+i).0.0/16    fd6c:6174:<i>:ff00::/112   .0.1 API server, .0.10 DNS

The fabric is a network namespace holding a bridge; the host and every node hang on it with one veth pair each.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from lateen.cluster.spec import load_spec

MAX_CLUSTERS = 64
MAX_NODES = 100


@dataclass(frozen=True, slots=True)
class NodeLayout:
    """One node's name, namespace and ranges; `number` counts from 1."""

    name: str
    number: int
    netns: str
    ipv4: IPv4Address
    ipv6: IPv6Address
    pods_ipv4: IPv4Network
    pods_ipv6: IPv6Network


@dataclass(frozen=True, slots=True)
class Layout:
    """One cluster's addresses, names and directories."""

    name: str
    index: int
    root: Path
    """The cluster's directory: `<home>/clusters/<name>`."""

    def __post_init__(self) -> None:
        if not 0 <= self.index < MAX_CLUSTERS:
            raise ValueError(f"cluster index {self.index}: expected 0..{MAX_CLUSTERS - 1}")

    # --- addresses -------------------------------------------------------------------------------------------

    def _ipv6(self, subnet: int, prefix: int) -> IPv6Network:
        return IPv6Network(f"fd6c:6174:{self.index:x}:{subnet:x}::/{prefix}")

    @property
    def fabric_ipv4(self) -> IPv4Network:
        return IPv4Network(f"10.{64 + self.index}.0.0/24")

    @property
    def fabric_ipv6(self) -> IPv6Network:
        return self._ipv6(0xFA00, 64)

    @property
    def host_ipv4(self) -> IPv4Address:
        """The host's address on the fabric; the API server and the DNS forwarder listen here."""
        return self.fabric_ipv4[1]

    @property
    def host_ipv6(self) -> IPv6Address:
        return self.fabric_ipv6[1]

    @property
    def router_ipv4(self) -> IPv4Address:
        """The fabric namespace's own address: the way to peer clusters, and out."""
        return self.fabric_ipv4[254]

    @property
    def router_ipv6(self) -> IPv6Address:
        return self.fabric_ipv6[254]

    @property
    def load_balancers_ipv4(self) -> IPv4Network:
        return IPv4Network(f"10.{64 + self.index}.1.0/24")

    @property
    def load_balancers_ipv6(self) -> IPv6Network:
        return self._ipv6(0xFB00, 112)

    @property
    def pods_ipv4(self) -> IPv4Network:
        return IPv4Network(f"10.{128 + self.index}.0.0/16")

    @property
    def pods_ipv6(self) -> IPv6Network:
        return self._ipv6(0, 56)

    @property
    def services_ipv4(self) -> IPv4Network:
        return IPv4Network(f"10.{192 + self.index}.0.0/16")

    @property
    def services_ipv6(self) -> IPv6Network:
        return self._ipv6(0xFF00, 112)

    @property
    def api_service_ipv4(self) -> IPv4Address:
        return self.services_ipv4[1]

    @property
    def dns_service_ipv4(self) -> IPv4Address:
        return self.services_ipv4[10]

    @property
    def dns_service_ipv6(self) -> IPv6Address:
        return self.services_ipv6[10]

    @property
    def api_port(self) -> int:
        """The API server's port, on 127.0.0.1 and on `host_ipv4`/`host_ipv6`."""
        return 6443 + self.index

    @property
    def api_url(self) -> str:
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def fabric_api_url(self) -> str:
        """How nodes reach the API server before any Service works."""
        return f"https://{self.host_ipv4}:{self.api_port}"

    # --- names -----------------------------------------------------------------------------------------------

    @property
    def domain(self) -> str:
        return "cluster.local"

    @property
    def fabric_netns(self) -> str:
        return f"lateen-{self.name}"

    @property
    def host_interface(self) -> str:
        """The host's end of its veth to the fabric (interface names are at most 15 bytes)."""
        return f"lateen{self.index}"

    def node(self, number: int) -> NodeLayout:
        if not 1 <= number <= MAX_NODES:
            raise ValueError(f"node {number}: expected 1..{MAX_NODES}")
        return NodeLayout(
            name=f"{self.name}-node-{number}",
            number=number,
            netns=f"lateen-{self.name}-node-{number}",
            ipv4=self.fabric_ipv4[10 + number],
            ipv6=self.fabric_ipv6[10 + number],
            pods_ipv4=IPv4Network(f"10.{128 + self.index}.{number}.0/24"),
            pods_ipv6=self._ipv6(number, 64),
        )

    # --- directories and files -------------------------------------------------------------------------------

    @property
    def spec_file(self) -> Path:
        """JSON: what `up` was asked for (index, nodes, peers)."""
        return self.root / "cluster.json"

    @property
    def database(self) -> Path:
        return self.root / "state.db"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def kubeconfigs(self) -> Path:
        """`admin.conf`, `controllers.conf`, `<node name>.conf`."""
        return self.root / "kubeconfigs"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def images(self) -> Path:
        """The user's own image catalog entries, one YAML file each; shared by all nodes."""
        return self.root / "images"

    @property
    def run(self) -> Path:
        """PID files and sockets: gone after `down`."""
        return self.root / "run"

    def node_root(self, number: int) -> Path:
        """A node's state: pods, volumes, CNI configuration (`cni/net.d`)."""
        return self.root / "nodes" / str(number)


def load(root: Path) -> Layout:
    """The layout of the cluster whose directory is `root`. Raises what `load_spec` raises."""
    spec = load_spec(root)
    return Layout(spec.name, spec.index, root)
