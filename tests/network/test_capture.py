"""For each option of capture: which connection goes where, by either renderer, IPv4 and IPv6."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest

from lateen.capture.apply import Renderer, Tools, install
from lateen.capture.capture import Capture, Dns
from lateen.capture.programs import Kernel
from lateen.testing.reporters import Arrival, ask

pytestmark = pytest.mark.cluster

ALL = ("-i", "*", "-b", "*", "-d", "15090,15021,15020")


class Family:
    """The addresses of one IP family."""

    def __init__(self, version: int) -> None:
        self.version = version

    def __call__(self, number: str) -> str:
        net, _, host = number.split(".")
        return f"10.{number}" if self.version == 4 else f"fd{net}::{host}"

    @property
    def loopback(self) -> str:
        return "127.0.0.1" if self.version == 4 else "::1"

    @property
    def passthrough(self) -> str:
        return "127.0.0.6" if self.version == 4 else "::6"


@pytest.fixture(params=[4, 6], ids=["v4", "v6"])
def ip(request: pytest.FixtureRequest) -> Family:
    return Family(request.param)


def place(arrival: Arrival | None) -> str:
    return f"{arrival.place}:{arrival.port}" if arrival else "nowhere"


class Pod:
    """What the parts of the pod and its neighbours reach."""

    def __init__(self, network, renderer: list[str], ip: Family) -> None:
        self.network = network
        self.renderer = renderer
        self.ip = ip

    def capture(self, *words: str) -> None:
        self.network.capture(*self.renderer, *words)

    def app(self, to: str, port: int = 80, **how) -> str:
        return place(ask(self.network.pod, self._address(to), port, **how))

    def proxy(self, to: str, port: int = 80, **how) -> str:
        return place(ask(self.network.pod, self._address(to), port, **({"uid": 1337, "gid": 1337} | how)))

    def client(self, to: str = "77.0.2", port: int = 80, **how) -> str:
        return place(ask(self.network.world, self._address(to), port, **how))

    def machine(self, to: str, port: int = 80, **how) -> str:
        return place(ask(self.network.vm, self._address(to), port, **how))

    def _address(self, to: str) -> str:
        return to if ":" in to or to.count(".") == 3 else self.ip(to)


@pytest.fixture
def pod(clean, renderer: list[str], ip: Family) -> Pod:
    return Pod(clean, renderer, ip)


def test_without_rules_everything_goes_where_it_is_sent(pod: Pod) -> None:
    assert pod.app("78.0.1") == "world:80"
    assert pod.client() == "pod:80"
    assert pod.app("78.0.1", 53, udp=True) == "world:53"


def test_all_traffic_goes_to_the_proxy_which_learns_where_it_was_meant_to_go(pod: Pod) -> None:
    pod.capture(*ALL)
    out = ask(pod.network.pod, pod.ip("78.0.1"), 443)
    assert out == Arrival("pod", 15001, pod.ip("78.0.1"), 443, pod.ip("77.0.2"))
    inbound = ask(pod.network.world, pod.ip("77.0.2"), 8080)
    assert inbound == Arrival("pod", 15006, pod.ip("77.0.2"), 8080, pod.ip("77.0.1"))


def test_a_destination_that_does_not_exist_is_captured_too(pod: Pod) -> None:
    pod.capture(*ALL)
    assert pod.app("78.0.99", 7777) == "pod:15001"
    assert pod.client(port=7777) == "pod:15006"


def test_nothing_is_captured_unless_asked_for(pod: Pod) -> None:
    pod.capture()
    assert pod.app("78.0.1") == "world:80"
    assert pod.client() == "pod:80"


def test_udp_is_not_captured(pod: Pod) -> None:
    pod.capture(*ALL)
    assert pod.app("78.0.1", 8080, udp=True) == "world:8080"
    assert pod.client(port=8080, udp=True) == "pod:8080"


def test_the_proxys_own_traffic_leaves(pod: Pod) -> None:
    pod.capture(*ALL)
    assert pod.proxy("78.0.1") == "world:80"
    assert pod.proxy("78.0.1", gid=1000) == "world:80"
    assert pod.proxy("78.0.1", uid=1000) == "world:80"


def test_the_proxy_is_known_by_the_given_users_and_groups(pod: Pod) -> None:
    pod.capture(*ALL, "-u", "2001,2002", "-g", "3001")
    assert pod.app("78.0.1", uid=2001) == "world:80"
    assert pod.app("78.0.1", uid=2002) == "world:80"
    assert pod.app("78.0.1", gid=3001) == "world:80"
    assert pod.proxy("78.0.1") == "pod:15001"
    assert pod.app("77.0.2", uid=2002) == "pod:15006"


def test_the_ports_of_the_proxy(pod: Pod) -> None:
    pod.capture(*ALL, "-p", "9090", "-z", "8085", "-e", "8080")
    assert pod.app("78.0.1") == "pod:9090"
    assert pod.client() == "pod:8085"
    assert pod.client(port=8080) == "pod:8080"
    assert pod.client(port=15008) == "pod:8085"


def test_hbone_is_never_redirected(pod: Pod) -> None:
    pod.capture(*ALL)
    assert pod.client(port=15008) == "pod:15008"
    assert pod.proxy("77.0.2", 15008) == "pod:15008"


def test_the_proxy_calls_its_own_pod_as_any_client_does(pod: Pod) -> None:
    """The application called a Service, and the proxy chose this very pod."""
    pod.capture(*ALL)
    arrival = ask(pod.network.pod, pod.ip("77.0.2"), 80, uid=1337, gid=1337)
    assert arrival is not None
    assert (place(arrival), arrival.address, arrival.meant) == ("pod:15006", pod.ip("77.0.2"), 80)


def test_the_proxy_reaches_its_application(pod: Pod) -> None:
    pod.capture(*ALL)
    assert pod.proxy(pod.ip.loopback) == "pod:80"
    assert pod.proxy("77.0.2", source=pod.ip.passthrough) == "pod:80"


def test_the_application_reaches_itself(pod: Pod) -> None:
    pod.capture(*ALL)
    assert pod.app(pod.ip.loopback) == "pod:80"
    assert pod.app("77.0.2") == "pod:80"


def test_loopback_addresses_are_captured_where_named(clean, renderer: list[str]) -> None:
    clean.capture(*renderer, "-i", "127.0.0.2/32")
    assert place(ask(clean.pod, "127.0.0.2", 80)) == "pod:15001"
    assert place(ask(clean.pod, "127.0.0.3", 80)) == "pod:80"
    assert place(ask(clean.pod, "127.0.0.1", 80)) == "pod:80"


def test_what_an_application_means_itself_by(clean, renderer: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.0/8")
    clean.capture(*renderer, "-i", "*", "-b", "*")
    assert place(ask(clean.pod, "127.0.0.9", 80, uid=1337, gid=1337)) == "pod:80"
    monkeypatch.delenv("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR")
    clean.capture(*renderer, "-i", "*", "-b", "*")
    assert place(ask(clean.pod, "127.0.0.9", 80, uid=1337, gid=1337)) == "pod:15006"


def test_inbound_ports_included(pod: Pod) -> None:
    pod.capture("-b", "80,8000-8081")
    assert pod.client(port=80) == "pod:15006"
    assert pod.client(port=8080) == "pod:15006"
    assert pod.client(port=8085) == "pod:8085"
    assert pod.app("78.0.1") == "world:80"


def test_inbound_ports_excluded(pod: Pod) -> None:
    pod.capture("-b", "*", "-d", "22,8080:8085")
    assert pod.client(port=22) == "pod:22"
    assert pod.client(port=8080) == "pod:8080"
    assert pod.client(port=8085) == "pod:8085"
    assert pod.client(port=80) == "pod:15006"


def test_outbound_addresses_included(pod: Pod) -> None:
    pod.capture("-i", "10.78.0.0/16,fd78::/64")
    assert pod.app("78.0.1") == "pod:15001"
    assert pod.app("79.0.1") == "world:80"


def test_outbound_addresses_excluded(pod: Pod) -> None:
    pod.capture("-i", "*", "-x", "10.78.0.0/16,10.80.0.1,fd78::/64,fd80::1")
    assert pod.app("78.0.1") == "world:80"
    assert pod.app("80.0.1") == "world:80"
    assert pod.app("79.0.1") == "pod:15001"


def test_outbound_ports_included(pod: Pod) -> None:
    pod.capture("-q", "443,8080-8085", "-x", "10.79.0.0/16,fd79::/64")
    assert pod.app("78.0.1", 443) == "pod:15001"
    assert pod.app("78.0.1", 8085) == "pod:15001"
    assert pod.app("78.0.1", 80) == "world:80"
    assert pod.app("79.0.1", 443) == "world:443"


def test_outbound_ports_excluded(pod: Pod) -> None:
    pod.capture(*ALL, "-o", "22,8080-8085", "-q", "8085")
    assert pod.app("78.0.1", 22) == "world:22"
    assert pod.app("78.0.1", 8085) == "world:8085"
    assert pod.app("78.0.1", 80) == "pod:15001"
    assert pod.proxy("77.0.2", 8080) == "pod:8080"


def test_many_ports(pod: Pod) -> None:
    """More than one iptables rule takes."""
    pod.capture("-b", ",".join(str(port) for port in (*range(1, 120, 3), 8080)))
    assert pod.client(port=8080) == "pod:15006"
    assert pod.client(port=22) == "pod:15006"
    assert pod.client(port=80) == "pod:80"


def test_excluded_interfaces(pod: Pod) -> None:
    pod.capture(*ALL, "-c", "eth1")
    assert pod.app("80.0.1") == "world:80"
    assert pod.client("80.0.2") == "pod:80"
    assert pod.app("78.0.1") == "pod:15001"
    assert pod.client() == "pod:15006"
    pod.capture(*ALL, "-c", "eth+")
    assert pod.app("78.0.1") == "world:80"
    assert pod.client() == "pod:80"


def test_virtual_machines_in_the_pod_send_as_applications_do(pod: Pod) -> None:
    pod.capture(*ALL, "-k", "vm0", "-x", "10.79.0.0/16,fd79::/64", "-o", "22")
    assert pod.machine("78.0.1") == "pod:15001"
    assert pod.machine("79.0.1") == "world:80"
    assert pod.machine("78.0.1", 22) == "world:22"
    pod.capture("-k", "vm0", "-b", "*", "-i", "10.78.0.0/16,fd78::/64")
    assert pod.machine("78.0.1") == "pod:15001"
    assert pod.machine("79.0.1") == "world:80"


def test_without_the_option_machines_are_clients(pod: Pod) -> None:
    pod.capture(*ALL)
    assert pod.machine("81.0.1") == "pod:15006"


def test_owner_groups_included(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTIO_OUTBOUND_OWNER_GROUPS", "3001,3002")
    pod.capture(*ALL)
    assert pod.app("78.0.1", gid=3001) == "pod:15001"
    assert pod.app("78.0.1", gid=3002) == "pod:15001"
    assert pod.app("78.0.1", gid=1000) == "world:80"
    assert pod.client() == "pod:15006"


def test_owner_groups_excluded(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "3001,3002")
    pod.capture(*ALL)
    assert pod.app("78.0.1", gid=3001) == "world:80"
    assert pod.app("78.0.1", gid=3002) == "world:80"
    assert pod.app("78.0.1", gid=1000) == "pod:15001"


def test_dns_goes_to_the_agent_which_asks_for_itself(pod: Pod) -> None:
    pod.capture("--redirect-dns", "--capture-all-dns")
    for udp in (True, False):
        assert pod.app("78.0.1", 53, udp=udp) == "pod:15053"
        assert pod.proxy("78.0.1", 53, udp=udp) == "world:53"
    assert pod.app("78.0.1") == "world:80"
    assert pod.app("78.0.1", 8080, udp=True) == "world:8080"


def test_dns_on_loopback_goes_to_the_agent(pod: Pod) -> None:
    pod.capture(*ALL, "--redirect-dns", "--capture-all-dns")
    for udp in (True, False):
        assert pod.app(pod.ip.loopback, 53, udp=udp) == "pod:15053"
        assert pod.proxy(pod.ip.loopback, 53, udp=udp) == "pod:53"


def test_the_proxy_asks_a_dns_server_in_its_own_pod(pod: Pod) -> None:
    pod.capture(*ALL, "--redirect-dns", "--capture-all-dns")
    assert pod.proxy("77.0.2", 53) == "pod:53"
    pod.capture(*ALL)
    assert pod.proxy("77.0.2", 53) == "pod:15006"


def test_dns_of_named_servers_only(pod: Pod) -> None:
    name, variant = (Renderer.NFTABLES, "") if "true" in pod.renderer[0] else (Renderer.IPTABLES, f"-{pod.renderer[2]}")
    wish = Capture(dns=Dns((ip_address("10.78.0.1"), ip_address("fd78::1"))), ipv6=True)
    kernel = Kernel({}, lambda line: None)
    pod.network.pod.run(lambda: install(wish, Tools(name, variant), kernel))
    for udp in (True, False):
        assert pod.app("78.0.1", 53, udp=udp) == "pod:15053"
        assert pod.app("79.0.1", 53, udp=udp) == "world:53"


def test_many_queries_from_one_port_are_all_answered(pod: Pod) -> None:
    pod.capture(*ALL, "--redirect-dns", "--capture-all-dns")
    assert {pod.app("78.0.1", 53, udp=True) for _ in range(50)} == {"pod:15053"}


def is_reset(network) -> bool:
    """Whether the pod answers a FIN of no connection with a reset."""
    header = struct.pack("!HHIIBBHHH", 40001, 7777, 1, 1, 5 << 4, 0x11, 1000, 0, 0)
    client, server = socket.inet_aton("10.77.0.1"), socket.inet_aton("10.77.0.2")
    words = struct.unpack("!16H", client + server + struct.pack("!HH", socket.IPPROTO_TCP, len(header)) + header)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    raw = network.world.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP))
    with raw:
        raw.settimeout(3)
        raw.sendto(header[:16] + struct.pack("!H", checksum) + header[18:], ("10.77.0.2", 0))
        try:
            while True:
                answer = raw.recv(100)[20:]
                if struct.unpack("!HH", answer[:4]) == (7777, 40001):
                    return bool(answer[13] & 4)
        except TimeoutError:
            return False


def test_packets_of_no_connection_are_dropped_where_asked_for(clean, renderer: list[str]) -> None:
    clean.capture(*renderer, *ALL)
    assert is_reset(clean)
    clean.capture(*renderer, *ALL, "--drop-invalid")
    assert not is_reset(clean)
    clean.capture(*renderer, *ALL, "--drop-invalid", "-c", "eth0")
    assert is_reset(clean)


def test_dropping_these_spares_all_others(pod: Pod) -> None:
    pod.capture(*ALL, "--drop-invalid")
    assert pod.app("78.0.1") == "pod:15001"
    assert pod.client() == "pod:15006"


def test_tracing_changes_nothing(pod: Pod) -> None:
    pod.capture(*ALL, "--iptables-trace-logging", "--redirect-dns", "--capture-all-dns")
    assert pod.app("78.0.1") == "pod:15001"
    assert pod.client() == "pod:15006"
    assert pod.app("78.0.1", 53, udp=True) == "pod:15053"


# TPROXY.


def test_intercepted_connections_keep_their_addresses(pod: Pod) -> None:
    pod.capture(*ALL, "-m", "TPROXY")
    inbound = ask(pod.network.world, pod.ip("77.0.2"), 8080)
    assert inbound == Arrival("pod", 15006, pod.ip("77.0.2"), 8080, pod.ip("77.0.1"))
    assert pod.app("78.0.1") == "pod:15001"
    assert pod.proxy("78.0.1") == "world:80"


def test_interception_of_some_ports(pod: Pod) -> None:
    pod.capture("-m", "TPROXY", "-b", "80,8000-8081")
    assert pod.client(port=8080) == "pod:15006"
    assert pod.client(port=8085) == "pod:8085"


def test_interception_of_all_ports_but_some(pod: Pod) -> None:
    pod.capture("-m", "TPROXY", "-b", "*", "-d", "22", "-c", "eth1")
    assert pod.client(port=22) == "pod:22"
    assert pod.client(port=80) == "pod:15006"
    assert pod.client(port=15008) == "pod:15008"
    assert pod.client("80.0.2") == "pod:80"


@pytest.mark.parametrize("uid", [0, 1337])
def test_the_application_sees_the_client_and_its_answers_find_the_proxy(pod: Pod, uid: int) -> None:
    """Envoy's original source filter: the proxy calls the application from the client's address, marked."""
    pod.capture(*ALL, "-m", "TPROXY")
    client = pod.ip("79.0.1")
    arrival = ask(pod.network.pod, pod.ip("77.0.2"), 80, uid=uid, gid=1337, source=client, mark=1337)
    assert arrival is not None
    assert (place(arrival), arrival.client) == ("pod:80", client)


@pytest.mark.parametrize("uid", [0, 1337])
def test_with_interception_too_own_calls_work(pod: Pod, uid: int) -> None:
    pod.capture(*ALL, "-m", "TPROXY")
    arrival = ask(pod.network.pod, pod.ip("77.0.2"), 80, uid=uid, gid=1337)
    assert arrival is not None
    assert (place(arrival), arrival.address, arrival.meant) == ("pod:15006", pod.ip("77.0.2"), 80)
    assert pod.proxy("77.0.2", uid=uid, source=pod.ip.passthrough) == "pod:80"
    assert pod.app("77.0.2") == "pod:80"
    assert pod.app(pod.ip.loopback) == "pod:80"


def test_interception_with_another_mark_and_table(pod: Pod) -> None:
    pod.capture(*ALL, "-m", "TPROXY", "-t", "0x77", "-r", "77")
    assert pod.client() == "pod:15006"
    pod.capture("--cleanup-only", "-t", "0x77", "-r", "77")


def test_interception_of_virtual_machines(pod: Pod) -> None:
    pod.capture(*ALL, "-m", "TPROXY", "-k", "vm0")
    assert pod.machine("78.0.1") == "pod:15001"
    assert pod.client() == "pod:15006"
