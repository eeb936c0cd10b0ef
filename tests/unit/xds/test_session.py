"""Sessions by example; tests/property/test_xds_session.py has their law."""

from __future__ import annotations

import pytest
from envoy.service.discovery.v3 import discovery_pb2

from lateen.model.proxy import Proxy, Role
from lateen.testing.fake_mesh import FakeMesh
from lateen.translate.resource import ResourceType
from lateen.xds.delta import DeltaProtocol
from lateen.xds.inventory import Inventory
from lateen.xds.limits import Limits
from lateen.xds.parcel import Parcels
from lateen.xds.rejection import Rejection, blamed
from lateen.xds.request import BadRequest, DeltaRequest, Request, SotwRequest
from lateen.xds.session import Session
from lateen.xds.sotw import SotwProtocol

CDS, EDS, LDS, RDS, SDS = (
    ResourceType.CDS,
    ResourceType.EDS,
    ResourceType.LDS,
    ResourceType.RDS,
    ResourceType.SDS,
)
REFUSED = "Error adding/updating cluster(s) bad: no"
"""What Envoy says when it has taken all the others."""


class Proxies:
    """Some sessions over one mesh, with what each has been sent."""

    def __init__(self, *names: str, protocol: DeltaProtocol | SotwProtocol | None = None) -> None:
        self.mesh = FakeMesh()
        self.inventory = Inventory(self.mesh.engine, FakeMesh.catalog)
        self.parcels = Parcels()
        self.rejections: list[Rejection] = []
        self.protocol = protocol or DeltaProtocol()
        self.now = 0.0
        self.sessions = {name: self.session(name) for name in names or ("one",)}
        for name in self.sessions:
            self.mesh.set_views(f"{name}.default", "x")

    def session(self, name: str) -> Session:
        proxy = Proxy(f"{name}.default", Role.SIDECAR, "default")
        limits = Limits(patience=5, names=100)
        return Session(proxy, self.protocol, self.inventory, self.parcels, limits, self.rejections.append)

    def publish(self) -> dict[str, list[bytes]]:
        """What each is sent."""
        for _ in self.inventory.refresh():
            pass
        moved = self.inventory.publish()
        return {name: s.advance(self.now) for name, s in self.sessions.items() if s in moved}

    def say(self, request: Request, name: str = "one") -> list[bytes]:
        """What it is sent at once, or after what it asks for has been made."""
        self.sessions[name].receive(request)
        found = self.sessions[name].advance(self.now)
        return found + self.publish().get(name, []) if self.inventory.is_behind else found

    def acknowledge(self, data: list[bytes], name: str = "one", error: str | None = None) -> list[bytes]:
        found = []
        for each in data:
            response = delta(each)
            found += self.say(DeltaRequest(ResourceType(response.type_url), nonce=response.nonce, error=error), name)
        return found


def delta(data: bytes) -> discovery_pb2.DeltaDiscoveryResponse:
    return discovery_pb2.DeltaDiscoveryResponse.FromString(data)


def told(data: list[bytes]) -> list[tuple[str, list[str], list[str]]]:
    """(type, names, removed) of each delta response."""
    responses = map(delta, data)
    return [
        (ResourceType(r.type_url).name, [x.name for x in r.resources], list(r.removed_resources)) for r in responses
    ]


def test_an_empty_mesh_is_an_answer_too() -> None:
    here = Proxies()
    assert told(here.say(DeltaRequest(CDS))) == [("CDS", [], [])]
    assert told(here.say(DeltaRequest(EDS, ("a",)))) == [("EDS", [], ["a"])]


def test_proxies_that_share_a_view_are_sent_the_same_bytes() -> None:
    here = Proxies("one", "two", "three")
    for number in range(50):
        here.mesh.put(CDS, "x", f"c{number}", b"x" * 1000)
    first = [here.say(DeltaRequest(CDS), name) for name in here.sessions]
    assert all(a is b for other in first[1:] for a, b in zip(first[0], other, strict=True))
    for name, sent in zip(here.sessions, first, strict=True):
        here.acknowledge(sent, name)
    encoded = here.parcels.encoded
    here.mesh.put(CDS, "x", "c1", b"y" * 1000)
    pushed = here.publish()
    assert len(pushed) == 3
    assert len({id(data) for sent in pushed.values() for data in sent}) == 1
    assert here.parcels.encoded - encoded < 1200


def test_big_states_are_sent_in_parts_of_one_nonce() -> None:
    here = Proxies()
    for number in range(5):
        here.mesh.put(CDS, "x", f"c{number}", b"x" * 100_000)
    sent = here.say(DeltaRequest(CDS))
    assert [len(names) for _, names, _ in told(sent)] == [2, 2, 1]
    assert len({delta(data).nonce for data in sent}) == 1
    assert max(map(len, sent)) <= 256 * 1024
    here.mesh.put(CDS, "x", "more", b"")
    assert here.publish() == {"one": []}
    assert here.acknowledge(sent[:2]) == []
    assert told(here.acknowledge(sent[2:])) == [("CDS", ["more"], [])]


def test_a_slow_proxy_is_sent_what_is_newest() -> None:
    here = Proxies()
    sent = here.say(DeltaRequest(CDS))
    for version in range(10):
        here.mesh.put(CDS, "x", "a", str(version).encode())
        assert here.publish() == {"one": []}
    (data,) = here.acknowledge(sent)
    (resource,) = delta(data).resources
    assert resource.resource.value == b"9"


def test_routes_wait_for_clusters_and_clusters_go_after_routes() -> None:
    here = Proxies()
    here.mesh.put(CDS, "x", "a", b"")
    here.mesh.put(RDS, "x", "r", b"a")
    here.acknowledge(here.say(DeltaRequest(CDS)))
    here.acknowledge(here.say(DeltaRequest(EDS, ("a",))))
    here.acknowledge(here.say(DeltaRequest(RDS, ("r",))))
    with here.mesh.together():
        here.mesh.put(CDS, "x", "b", b"")
        here.mesh.remove(CDS, "x", "a")
        here.mesh.put(RDS, "x", "r", b"b")
    clusters = here.publish()["one"]
    assert told(clusters) == [("CDS", ["b"], [])]
    routes = here.acknowledge(clusters)
    assert told(routes) == [("RDS", ["r"], [])]
    assert told(here.acknowledge(routes)) == [("CDS", [], ["a"])]


def test_a_rejection_lets_the_others_go_on_and_is_not_answered_with_the_same() -> None:
    here = Proxies()
    here.mesh.put(CDS, "x", "bad", b"1")
    here.mesh.put(RDS, "x", "r", b"")
    sent = here.say(DeltaRequest(CDS))
    assert here.say(DeltaRequest(RDS, ("r",))) == []
    assert told(here.acknowledge(sent, error=REFUSED)) == [("RDS", ["r"], [])]
    (rejection,) = here.rejections
    assert (rejection.names, rejection.message) == (("bad",), REFUSED)
    assert here.sessions["one"].rejections == {CDS: rejection}
    here.mesh.put(CDS, "x", "bad", b"2")
    again = here.publish()["one"]
    assert told(again) == [("CDS", ["bad"], [])]
    here.acknowledge(again)
    assert here.sessions["one"].rejections == {}


def test_who_is_at_fault_in_a_response_is_found_by_halves() -> None:
    here = Proxies()
    for name in "abcdefgh":
        here.mesh.put(CDS, "x", name, b"")
    pending, accepted = here.say(DeltaRequest(CDS)), set()
    for _ in range(20):
        if not pending:
            break
        data, *pending = pending
        ((_, names, _),) = told([data])
        if "f" not in names:
            accepted.update(names)
        pending += here.acknowledge([data], error="malformed" if "f" in names else None)
    assert accepted == set("abcdegh")
    (rejection,) = here.rejections
    assert rejection.names == ("f",)
    assert rejection.origins[-1] == ("fakebodies", ("CDS", "f", ""))


def test_whoever_a_message_names_was_perhaps_not_the_only_one_that_was_not_taken() -> None:
    """Envoy prints what it cannot read, its name included, and takes nothing of the response."""
    here = Proxies()
    for name in ("bad", "good", "old"):
        here.mesh.put(LDS, "x", name, b"1")
    here.acknowledge(here.say(DeltaRequest(LDS)))
    here.mesh.put(LDS, "x", "bad", b"2")
    here.mesh.put(LDS, "x", "good", b"2")
    here.mesh.remove(LDS, "x", "old")
    sent = here.publish()["one"]
    assert told(sent) == [("LDS", ["bad", "good"], ["old"])]
    removal, good, bad = here.acknowledge(sent, error='name: "bad": Proto constraint validation failed')
    assert told([removal, good, bad]) == [("LDS", [], ["old"]), ("LDS", ["good"], []), ("LDS", ["bad"], [])]
    assert here.rejections == []
    assert here.acknowledge([removal], error="even that") == []
    assert here.acknowledge([good]) == []
    assert here.acknowledge([bad], error='name: "bad": no') == []
    assert [rejection.names for rejection in here.rejections] == [(), ("bad",)]


def test_what_is_there_again_is_not_removed_again() -> None:
    here = Proxies()
    for name in ("a", "old"):
        here.mesh.put(LDS, "x", name, b"1")
    here.acknowledge(here.say(DeltaRequest(LDS)))
    here.mesh.put(LDS, "x", "a", b"2")
    here.mesh.remove(LDS, "x", "old")
    sent = here.publish()["one"]
    here.mesh.put(LDS, "x", "old", b"1")
    here.publish()
    assert told(here.acknowledge(sent, error="malformed")) == [("LDS", ["old"], [])]


def test_who_never_acknowledges_is_sent_on_in_order_after_a_while() -> None:
    here = Proxies()
    here.mesh.put(CDS, "x", "a", b"")
    here.mesh.put(RDS, "x", "r", b"a")
    here.say(DeltaRequest(CDS))
    assert here.say(DeltaRequest(RDS, ("r",))) == []
    here.mesh.put(CDS, "x", "b", b"")
    here.publish()
    session = here.sessions["one"]
    assert session.deadline == 5
    assert session.advance(4.9) == []
    assert told(session.advance(5)) == [("CDS", ["b"], []), ("RDS", ["r"], [])]
    assert session.deadline == 10


def test_what_is_let_go_of_before_the_first_answer_is_sent_when_it_is_asked_for_again() -> None:
    here = Proxies()
    here.mesh.put(RDS, "x", "r", b"")
    (response,) = here.say(DeltaRequest(RDS, ("r",)))
    (held,) = delta(response).resources
    again = Proxies()
    again.mesh.put(RDS, "x", "r", b"")
    session = again.sessions["one"]
    session.receive(DeltaRequest(RDS, ("r",), initial_versions={"r": held.version}))
    session.receive(DeltaRequest(RDS, unsubscribe=("r",)))
    session.receive(DeltaRequest(RDS, ("r",)))
    assert told(again.publish()["one"]) == [("RDS", ["r"], [])]


def test_nothing_is_removed_from_who_has_not_answered_yet_however_long_it_takes() -> None:
    """Its listeners and routes, which refer to it, may not have been asked about yet."""
    here = Proxies()
    session = here.sessions["one"]
    session.receive(DeltaRequest(CDS, initial_versions={"gone": "1"}))
    sent = here.publish()["one"]
    assert told(sent) == [("CDS", [], [])]
    assert session.advance(5) == []
    assert session.advance(10) == []
    assert told(here.acknowledge(sent)) == [("CDS", [], ["gone"])]


def test_a_rejection_counts_however_late_it_comes() -> None:
    here = Proxies()
    for name in ("bad", "good"):
        here.mesh.put(CDS, "x", name, b"")
    sent = here.say(DeltaRequest(CDS))
    session = here.sessions["one"]
    assert session.advance(5) == []
    bad, good = here.acknowledge(sent, error="malformed")
    assert told([bad, good]) == [("CDS", ["bad"], []), ("CDS", ["good"], [])]
    assert here.rejections == []
    assert here.acknowledge([bad], error="malformed") == []
    assert here.acknowledge([good]) == []
    assert here.acknowledge(sent, error="malformed") == [], "once"
    assert [rejection.names for rejection in here.rejections] == [("bad",)]


def test_nonces_of_another_time_mean_nothing() -> None:
    here = Proxies()
    here.mesh.put(CDS, "x", "a", b"")
    sent = here.say(DeltaRequest(CDS))
    here.mesh.put(CDS, "x", "b", b"")
    assert here.say(DeltaRequest(CDS, nonce="other")) == []
    assert here.say(DeltaRequest(CDS, nonce="other", error="no")) == []
    assert here.rejections == []
    assert told(here.acknowledge(sent)) == [("CDS", ["b"], [])]


def test_what_is_asked_for_by_name_comes_and_what_is_asked_for_again_comes_again() -> None:
    here = Proxies()
    for name in "abc":
        here.mesh.put(EDS, "x", name, b"")
    here.acknowledge(here.say(DeltaRequest(EDS, ("a",))))
    more = here.say(DeltaRequest(EDS, ("b", "none")))
    assert told(more) == [("EDS", ["b"], []), ("EDS", [], ["none"])]
    here.acknowledge(more)
    again = here.say(DeltaRequest(EDS, ("a",)))
    assert told(again) == [("EDS", ["a"], [])]
    here.acknowledge(again)
    assert here.say(DeltaRequest(EDS, unsubscribe=("a",))) == []
    here.mesh.put(EDS, "x", "a", b"new")
    here.publish()
    assert here.inventory.shared_resources == 1


def test_what_was_missing_comes_when_it_exists() -> None:
    here = Proxies()
    here.acknowledge(here.say(DeltaRequest(CDS, ("a",))))
    here.mesh.put(CDS, "x", "other", b"")
    here.mesh.put(CDS, "x", "a", b"")
    assert told(here.publish()["one"]) == [("CDS", ["a"], [])]


def test_a_wildcard_may_end_and_named_ones_stay() -> None:
    here = Proxies()
    for name in "ab":
        here.mesh.put(CDS, "x", name, b"1")
    here.acknowledge(here.say(DeltaRequest(CDS, ("*", "a"))))
    assert here.say(DeltaRequest(CDS, unsubscribe=("*",))) == []
    for name in "ab":
        here.mesh.put(CDS, "x", name, b"2")
    assert told(here.publish()["one"]) == [("CDS", ["a"], [])]


def test_what_the_wildcard_still_covers_is_said_again_when_its_name_is_unsubscribed() -> None:
    here = Proxies()
    here.mesh.put(CDS, "x", "a", b"")
    here.acknowledge(here.say(DeltaRequest(CDS, ("*", "a", "none"))))
    assert told(here.say(DeltaRequest(CDS, unsubscribe=("a", "none")))) == [
        ("CDS", ["a"], []),
        ("CDS", [], ["none"]),
    ]


def test_a_change_of_views_sends_the_difference() -> None:
    here = Proxies()
    here.mesh.put(CDS, "x", "same", b"")
    here.mesh.put(CDS, "x", "old", b"")
    here.mesh.put(CDS, "x", "other", b"", "in x")
    here.mesh.put(CDS, "y", "same", b"")
    here.mesh.put(CDS, "y", "other", b"new", "in y")
    here.acknowledge(here.say(DeltaRequest(CDS)))
    here.mesh.set_views("one.default", "y")
    sent = here.publish()["one"]
    assert told(sent) == [("CDS", ["other"], [])]
    assert told(here.acknowledge(sent)) == [("CDS", [], ["old"])]


def test_what_cannot_be_made_after_a_restart_is_not_taken_from_those_who_have_it() -> None:
    here = Proxies()
    here.mesh.put(RDS, "x", "r", b"")
    here.mesh.fail(RDS, "r")
    assert told(here.say(DeltaRequest(RDS, ("r",), initial_versions={"r": "old"}))) == [("RDS", [], [])]


def test_without_views_a_proxy_waits_rather_than_lose_what_it_has() -> None:
    here = Proxies()
    here.sessions["two"] = here.session("two")
    assert here.say(DeltaRequest(CDS, initial_versions={"a": "1"}), "two") == []
    here.mesh.set_views("two.default", "x")
    here.mesh.put(CDS, "x", "a", b"")
    assert told(here.publish()["two"]) == [("CDS", ["a"], [])]


def test_names_are_bounded() -> None:
    here = Proxies()
    with pytest.raises(BadRequest, match="101 names"):
        here.say(DeltaRequest(EDS, tuple(map(str, range(101)))))
    with pytest.raises(BadRequest, match="longer than"):
        here.say(DeltaRequest(EDS, ("x" * 3000,)))


def test_state_of_the_world_says_all_each_time_and_to_one_who_comes_back() -> None:
    here = Proxies(protocol=SotwProtocol())
    for name in "ab":
        here.mesh.put(CDS, "x", name, name.encode())
    (data,) = here.say(SotwRequest(CDS))
    first = discovery_pb2.DiscoveryResponse.FromString(data)
    assert [r.value for r in first.resources] == [b"a", b"b"]
    assert here.say(SotwRequest(CDS, version=first.version_info, nonce=first.nonce)) == []
    here.mesh.put(CDS, "x", "c", b"c")
    (data,) = here.publish()["one"]
    second = discovery_pb2.DiscoveryResponse.FromString(data)
    assert [r.value for r in second.resources] == [b"a", b"b", b"c"]
    assert second.version_info != first.version_info
    here.sessions["one"].close()
    here.sessions["one"] = here.session("one")
    (data,) = here.say(SotwRequest(CDS, version=second.version_info))
    third = discovery_pb2.DiscoveryResponse.FromString(data)
    assert third.version_info == second.version_info
    assert third.resources == second.resources


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Error adding/updating cluster(s) a.b: no", ("a.b",)),
        ("Error adding/updating cluster(s) outbound|80||a.b.c: no, a.b: neither", ("a.b", "outbound|80||a.b.c")),
        ("outbound|80|v1|a.b.c: no", ()),
        ("Proto constraint validation failed", ()),
    ],
)
def test_the_blamed_are_those_the_message_names(message: str, expected: tuple[str, ...]) -> None:
    assert blamed(message, frozenset({"a", "a.b", "outbound|80||a.b.c"})) == expected
