"""Automatic addresses: the law of `auto_addresses`, and what it means for ServiceEntries."""

from __future__ import annotations

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.model.auto_addresses import (
    IPV4_RANGE,
    IPV6_RANGE,
    SLOTS,
    addresses_of,
    auto_addresses,
    probes,
    slots,
    slots_within,
)
from lateen.model.service import ServiceKey
from lateen.model.services import service
from lateen.testing.mesh import Mesh

APPLICANTS = st.tuples(
    st.sampled_from(["2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z", "2025-01-01T00:00:00Z"]),
    st.sampled_from(["a", "b"]),
    st.integers(0, 400).map("h{}.example.com".format),
)


def few_slots(applicants: list[tuple[str, str, str]], free: int) -> dict[ServiceKey, int]:
    """As `slots`, in a range so crowded that hosts collide all the time."""
    return slots(applicants, frozenset(range(free, SLOTS)))


@given(st.lists(APPLICANTS, max_size=40))
def test_addresses_are_unique_and_do_not_depend_on_order(applicants: list[tuple[str, str, str]]) -> None:
    given_slots = slots(applicants)
    assert len(set(given_slots.values())) == len(given_slots)
    assert slots(list(reversed(applicants))) == given_slots
    assert set(given_slots) == {ServiceKey(host, namespace) for _, namespace, host in applicants}


@settings(max_examples=30, deadline=None)
@given(st.lists(APPLICANTS, max_size=12, unique_by=lambda one: one[1:]), APPLICANTS)
def test_a_younger_host_moves_nobody(applicants: list[tuple[str, str, str]], added: tuple[str, str, str]) -> None:
    youngest = ("2026-01-01T00:00:00Z", added[1], f"new.{added[2]}")
    before = few_slots(applicants, 16)
    after = few_slots([*applicants, youngest], 16)
    assert {key: after[key] for key in before} == before


@given(st.lists(APPLICANTS, max_size=30, unique_by=lambda one: one[1:]), APPLICANTS)
def test_an_older_host_moves_only_what_it_collides_with(
    applicants: list[tuple[str, str, str]], added: tuple[str, str, str]
) -> None:
    oldest = ("2020-01-01T00:00:00Z", added[1], f"new.{added[2]}")
    before = slots(applicants)
    after = slots([*applicants, oldest])
    if after[ServiceKey(oldest[2], oldest[1])] not in before.values():
        assert {key: after[key] for key in before} == before


@settings(max_examples=20, deadline=None)
@given(st.lists(APPLICANTS, min_size=8, max_size=30))
def test_those_that_find_no_slot_get_none(applicants: list[tuple[str, str, str]]) -> None:
    given_slots = few_slots(applicants, 4)
    assert set(given_slots.values()) <= set(range(4))
    assert len(given_slots) == min(4, len({one[1:] for one in applicants}))


def test_a_probe_sequence_visits_every_slot_once() -> None:
    visited = list(probes(ServiceKey("api.example.com", "default")))
    assert sorted(visited) == list(range(SLOTS))


def test_every_slot_has_addresses_within_the_ranges() -> None:
    for slot in (0, 1, SLOTS - 1):
        ipv4, ipv6 = addresses_of(slot)
        assert ipaddress.ip_address(ipv4) in IPV4_RANGE
        assert ipaddress.ip_address(ipv6) in IPV6_RANGE
        assert slot in slots_within(ipv4)
        assert slot in slots_within(ipv6)
    assert len(slots_within("10.0.0.0/8")) == 0
    assert len(slots_within("240.240.0.0/16")) == SLOTS


def entry(name: str, host: str, *, created: str = "2024-01-01T00:00:00Z", labels: str = "{}", rest: str = "") -> str:
    return f"""
kind: ServiceEntry
metadata: {{name: {name}, namespace: default, creationTimestamp: "{created}", labels: {labels}}}
spec:
  hosts: ["{host}"]
  ports: [{{number: 443, name: tls, protocol: TLS}}]
  {rest or "resolution: DNS"}
"""


def addresses(mesh: Mesh, host: str) -> tuple[str, ...]:
    return mesh.get(auto_addresses, ServiceKey(host, "default"))


def test_who_gets_addresses() -> None:
    mesh = Mesh(
        entry("plain", "plain.example.com"),
        entry("none", "none.example.com", rest="resolution: NONE"),
        entry("own", "own.example.com", rest='resolution: STATIC\n  addresses: ["10.0.0.1"]'),
        entry("out", "out.example.com", labels='{networking.istio.io/enable-autoallocate-ip: "false"}'),
        entry("dynamic", "*.dynamic.example.com", rest="resolution: DYNAMIC_DNS"),
    )
    assert len(addresses(mesh, "plain.example.com")) == 2
    assert len(addresses(mesh, "*.dynamic.example.com")) == 2
    for host in ("none.example.com", "own.example.com", "out.example.com"):
        assert addresses(mesh, host) == ()


def test_an_address_that_somebody_declares_is_left_to_them() -> None:
    mesh = Mesh(entry("a", "a.example.com"))
    taken = addresses(mesh, "a.example.com")[0]
    mesh.apply(entry("b", "b.example.com", rest=f'addresses: ["{taken}"]\n  resolution: STATIC'))
    assert addresses(mesh, "a.example.com")[0] != taken


def test_the_coming_and_going_of_others_changes_no_service() -> None:
    mesh = Mesh(*(entry(f"e{number}", f"h{number}.example.com") for number in range(20)))
    keys = [ServiceKey(f"h{number}.example.com", "default") for number in range(20)]
    before = [mesh.get(service, key) for key in keys]
    computed = mesh.engine.statistics().queries["services.service"].computed
    mesh.apply(entry("later", "later.example.com", created="2025-01-01T00:00:00Z"))
    assert [mesh.get(service, key) for key in keys] == before
    mesh.delete("ServiceEntry", "default", "later")
    assert [mesh.get(service, key) for key in keys] == before
    assert mesh.engine.statistics().queries["services.service"].computed == computed
