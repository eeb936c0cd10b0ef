"""The records of the DNS specification, by table and by law."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.dns.records import Outcome, Record, dashed, resolve, reverse_address
from lateen.cluster.objects import Key, Obj


class Fixed:
    def __init__(self, services: list[Obj], slices: list[Obj], namespaces: tuple[str, ...] = ("default",)) -> None:
        self._services, self._slices, self._namespaces = services, slices, namespaces

    def namespace_exists(self, name: str) -> bool:
        return name in self._namespaces

    def service(self, key: Key) -> Obj | None:
        return next(
            (s for s in self._services if s["metadata"]["name"] == key.name and key.namespace == "default"), None
        )

    def slices(self, key: Key) -> Iterable[Obj]:
        return [s for s in self._slices if s["metadata"]["labels"]["kubernetes.io/service-name"] == key.name]

    def service_at(self, address: str) -> Obj | None:
        return next((s for s in self._services if address in s["spec"].get("clusterIPs", ())), None)

    def slices_at(self, address: str) -> Iterable[Obj]:
        return [s for s in self._slices if any(address in e["addresses"] for e in s["endpoints"])]


def service(name: str, **spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    return {"metadata": {"namespace": "default", "name": name}, "spec": {"ports": ports, **spec}}


def slice_of(name: str, family: str, *endpoints: Obj) -> Obj:
    return {
        "metadata": {"namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "addressType": family,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


STATE = Fixed(
    [
        service("web", clusterIP="10.0.0.7", clusterIPs=["10.0.0.7", "fd00::7"]),
        service("db", clusterIP="None", clusterIPs=["None"]),
        service("none", clusterIP="None", clusterIPs=["None"]),
        service("far", type="ExternalName", externalName="example.org"),
    ],
    [
        slice_of(
            "db",
            "IPv4",
            {"addresses": ["10.1.0.1"], "hostname": "db-0", "conditions": {"ready": True}},
            {"addresses": ["10.1.0.2"], "conditions": {}},
            {"addresses": ["10.1.0.3"], "hostname": "db-2", "conditions": {"ready": False}},
        ),
        slice_of("db", "IPv6", {"addresses": ["fd00:1::1"], "hostname": "db-0"}),
        slice_of("web", "IPv4", {"addresses": ["10.1.0.9"]}),
    ],
)

SVC = "default.svc.cluster.local"
FOUND, NO_NAME, NOT_OURS = Outcome.FOUND, Outcome.NO_NAME, Outcome.NOT_OURS


@pytest.mark.parametrize(
    ("name", "type_", "outcome", "values"),
    [
        (f"web.{SVC}", "A", FOUND, ["10.0.0.7"]),
        (f"WEB.{SVC}.", "AAAA", FOUND, ["fd00::7"]),
        (f"web.{SVC}", "TXT", FOUND, []),
        (f"nothing.{SVC}", "A", NO_NAME, []),
        (f"x.web.{SVC}", "A", NO_NAME, []),
        (f"web.{SVC}", "SRV", FOUND, [(0, 50, 80, f"web.{SVC}"), (0, 50, 53, f"web.{SVC}")]),
        (f"_http._tcp.web.{SVC}", "SRV", FOUND, [(0, 100, 80, f"web.{SVC}")]),
        (f"_http._udp.web.{SVC}", "SRV", NO_NAME, []),
        (f"_dns._udp.web.{SVC}", "A", FOUND, []),
        (f"db.{SVC}", "A", FOUND, ["10.1.0.1", "10.1.0.2"]),
        (f"db.{SVC}", "AAAA", FOUND, ["fd00:1::1"]),
        (f"db-0.db.{SVC}", "A", FOUND, ["10.1.0.1"]),
        (f"db-0.db.{SVC}", "AAAA", FOUND, ["fd00:1::1"]),
        (f"10-1-0-2.db.{SVC}", "A", FOUND, ["10.1.0.2"]),
        (f"10-1-0-2.db.{SVC}", "AAAA", FOUND, []),
        (f"db-2.db.{SVC}", "A", NO_NAME, []),
        (f"_http._tcp.db.{SVC}", "SRV", FOUND, [(0, 50, 8080, f"db-0.db.{SVC}"), (0, 50, 8080, f"10-1-0-2.db.{SVC}")]),
        (f"none.{SVC}", "A", NO_NAME, []),
        (f"far.{SVC}", "A", FOUND, []),
        (f"far.{SVC}", "CNAME", FOUND, ["example.org"]),
        ("10-1-0-9.default.pod.cluster.local", "A", FOUND, ["10.1.0.9"]),
        ("10-1-0-9.default.pod.cluster.local", "AAAA", FOUND, []),
        ("fd00--1.default.pod.cluster.local", "AAAA", FOUND, ["fd00::1"]),
        ("10-1-0.default.pod.cluster.local", "A", NO_NAME, []),
        ("10-1-0-9.elsewhere.pod.cluster.local", "A", NO_NAME, []),
        ("default.svc.cluster.local", "A", FOUND, []),
        ("elsewhere.svc.cluster.local", "A", NO_NAME, []),
        ("svc.cluster.local", "A", FOUND, []),
        ("cluster.local", "A", FOUND, []),
        ("other.cluster.local", "A", NO_NAME, []),
        ("dns-version.cluster.local", "TXT", FOUND, ["1.1.0"]),
        ("example.org", "A", NOT_OURS, []),
        ("notcluster.local", "A", NOT_OURS, []),
        ("7.0.0.10.in-addr.arpa", "PTR", FOUND, [f"web.{SVC}"]),
        ("1.0.1.10.in-addr.arpa", "PTR", FOUND, [f"db-0.db.{SVC}"]),
        ("2.0.1.10.in-addr.arpa", "PTR", FOUND, [f"10-1-0-2.db.{SVC}"]),
        ("9.0.1.10.in-addr.arpa", "PTR", NOT_OURS, []),
        ("8.8.8.8.in-addr.arpa", "PTR", NOT_OURS, []),
        ("1.10.in-addr.arpa", "PTR", NOT_OURS, []),
        (ipaddress.ip_address("fd00::7").reverse_pointer, "PTR", FOUND, [f"web.{SVC}"]),
    ],
)
def test_records(name: str, type_: str, outcome: Outcome, values: list[Any]) -> None:
    reply = resolve(name, type_, STATE)
    assert reply.outcome is outcome
    if name.startswith("far.") and type_ == "A":
        assert [r.type for r in reply.answers] == ["CNAME"]
    else:
        assert [r.value for r in reply.answers] == values


def test_srv_brings_the_addresses_of_its_targets() -> None:
    assert resolve(f"_http._tcp.web.{SVC}", "SRV", STATE).additional == (
        Record(f"web.{SVC}", "A", "10.0.0.7"),
        Record(f"web.{SVC}", "AAAA", "fd00::7"),
    )
    assert set(resolve(f"_http._tcp.db.{SVC}", "SRV", STATE).additional) == {
        Record(f"db-0.db.{SVC}", "A", "10.1.0.1"),
        Record(f"db-0.db.{SVC}", "AAAA", "fd00:1::1"),
        Record(f"10-1-0-2.db.{SVC}", "A", "10.1.0.2"),
    }


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@given(ADDRESSES)
def test_every_pod_address_has_a_name(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    type_ = "A" if address.version == 4 else "AAAA"
    reply = resolve(f"{dashed(str(address))}.default.pod.cluster.local", type_, STATE)
    assert [ipaddress.ip_address(str(r.value)) for r in reply.answers] == [address]


@given(ADDRESSES)
def test_reverse_names_are_read_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert reverse_address(address.reverse_pointer) == str(address)


@given(st.text(alphabet="abw-_.012", max_size=40), st.sampled_from(["A", "AAAA", "SRV", "PTR", "TXT", "ANY"]))
def test_any_name_has_an_outcome_and_answers_bear_the_name_asked_for(prefix: str, type_: str) -> None:
    for suffix in ("", f".{SVC}", ".cluster.local", ".default.pod.cluster.local", ".in-addr.arpa", ".ip6.arpa"):
        name = prefix + suffix
        reply = resolve(name, type_, STATE)
        assert all(r.name == name.rstrip(".") for r in reply.answers)
        assert not reply.answers or reply.outcome is Outcome.FOUND
