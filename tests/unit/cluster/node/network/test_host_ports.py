"""Host ports: which a pod wants, and the rules for them."""

from __future__ import annotations

from typing import Any

from lateen.cluster.node.network.host_ports import port_mappings, render_host_ports


def mapping(host_port: int, host_ip: str = "", protocol: str = "tcp") -> dict[str, Any]:
    return {"hostPort": host_port, "containerPort": 8080, "protocol": protocol, "hostIP": host_ip}


def test_what_a_pod_wants() -> None:
    spec = {
        "initContainers": [
            {"name": "once", "ports": [{"containerPort": 1, "hostPort": 1}]},
            {"name": "sidecar", "restartPolicy": "Always", "ports": [{"containerPort": 2, "hostPort": 2}]},
        ],
        "containers": [
            {"name": "none"},
            {
                "name": "some",
                "ports": [
                    {"containerPort": 3},
                    {"containerPort": 4, "hostPort": 5, "protocol": "UDP", "hostIP": "10.0.0.1"},
                ],
            },
        ],
    }
    assert port_mappings({"spec": spec}) == (
        {"hostPort": 2, "containerPort": 2, "protocol": "tcp", "hostIP": ""},
        {"hostPort": 5, "containerPort": 4, "protocol": "udp", "hostIP": "10.0.0.1"},
    )
    assert port_mappings({"spec": {**spec, "hostNetwork": True}}) == ()


def test_rules_of_both_families_replace_the_former_ones() -> None:
    pods = [
        (("10.128.1.2", "fd00::2"), (mapping(80), mapping(53, protocol="udp"))),
        (("10.128.1.3",), (mapping(81, "10.64.0.11"), mapping(82, "fd00::b"), mapping(83, "0.0.0.0"))),
    ]
    script = render_host_ports(pods)
    ipv4, ipv6 = script.split("add table ip6 ")
    assert ipv4.startswith("add table ip lateen-host-ports\ndelete table ip lateen-host-ports\n")
    assert [line.strip() for line in ipv4.splitlines() if "dnat to" in line] == [
        "fib daddr type local tcp dport 80 dnat to 10.128.1.2:8080",
        "fib daddr type local udp dport 53 dnat to 10.128.1.2:8080",
        "ip daddr 10.64.0.11 tcp dport 81 dnat to 10.128.1.3:8080",
        "fib daddr type local tcp dport 83 dnat to 10.128.1.3:8080",
    ]
    assert [line.strip() for line in ipv6.splitlines() if "dnat to" in line] == [
        "fib daddr type local tcp dport 80 dnat to [fd00::2]:8080",
        "fib daddr type local udp dport 53 dnat to [fd00::2]:8080",
    ]
    # A pod that reaches itself this way: once per address.
    assert ipv4.count("ip saddr 10.128.1.2 ip daddr 10.128.1.2 ct status dnat masquerade") == 1


def test_no_pods_leave_no_tables() -> None:
    assert render_host_ports([]) == (
        "add table ip lateen-host-ports\ndelete table ip lateen-host-ports\n"
        "add table ip6 lateen-host-ports\ndelete table ip6 lateen-host-ports\n"
    )
