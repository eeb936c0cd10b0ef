"""The law of sessions: whatever happens in whatever order, a proxy ends with exactly what it subscribed to, is never
told anything before what it refers to, and is told nothing that it has been told already.

The mesh changes, the network delays both ways, the proxy subscribes, unsubscribes, rejects, reconnects and goes silent.
The reference client knows the protocol and nothing of the server's state.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from envoy.service.discovery.v3 import discovery_pb2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from lateen.model.proxy import Proxy, Role
from lateen.testing.fake_mesh import FakeMesh
from lateen.translate.resource import ResourceType
from lateen.xds.delta import DeltaProtocol
from lateen.xds.inventory import Inventory
from lateen.xds.limits import Limits
from lateen.xds.parcel import Parcels
from lateen.xds.rejection import Rejection
from lateen.xds.request import DeltaRequest, Request, SotwRequest
from lateen.xds.session import Session
from lateen.xds.sotw import SotwProtocol

CDS, EDS, LDS, RDS = ResourceType.CDS, ResourceType.EDS, ResourceType.LDS, ResourceType.RDS
TYPES = (CDS, EDS, LDS, RDS)
WILDCARD = (CDS, LDS)
PROXY = Proxy("web.default", Role.SIDECAR, "default")
OUT, IN = ("o1", "o2"), ("i1", "i2")
SERVICES = ("a", "b", "c")
NAMED = {CDS: (*SERVICES, "none"), EDS: (*SERVICES, "none"), LDS: ("l", "none"), RDS: ("r1", "r2", "none")}
PATIENCE = 5.0


class Client:
    """What a proxy knows of one stream, and what it keeps from one stream to the next."""

    def __init__(self) -> None:
        self.held: dict[ResourceType, dict[str, bytes]] = {t: {} for t in TYPES}
        self.names: dict[ResourceType, set[str]] = {t: set() for t in TYPES}
        self.told: dict[ResourceType, dict[str, bytes]] = {}
        """What it was last told of each name it is subscribed to, accepted or not."""
        self.owed: dict[ResourceType, Counter[str]] = {}
        """How often each name may come again unchanged: it was asked for, or its cluster was sent."""
        self.cold: set[str] = set()
        """Clusters that were changed and wait for their endpoints, which Envoy wants to be sent again then."""
        self.unsaid: set[str] = set()
        """Routes that are gone, where the protocol has no way of saying so: nothing refers to them any more."""
        self.brought: set[str] = set()
        """Routes of the last stream, where the protocol has no way of telling the server of them."""
        self.under: dict[str, set[str]] = {}
        """What came under each nonce, and was said to be gone under it."""
        self.refusals: Counter[str] = Counter()
        """How many responses under each nonce were refused as a whole."""
        self.up: deque[Request] = deque()
        self.down: deque[bytes] = deque()
        self.begin()

    def begin(self) -> None:
        self.told = {t: dict(self.held[t]) for t in TYPES}
        self.owed = {t: Counter() for t in TYPES}
        self.under.clear()
        self.refusals.clear()
        self.cold = set()
        self.up.clear()
        self.down.clear()

    def wants(self, type_: ResourceType, name: str) -> bool:
        return type_ in WILDCARD or name in self.names[type_]

    def hear(self, type_: ResourceType, name: str, body: bytes, superfluous: bool) -> None:
        """It is told of something, taken or not."""
        if superfluous:
            assert self.owed[type_][name] > 0, f"{type_.name} {name} is sent again"
            self.owed[type_][name] -= 1
        if type_ is CDS:
            self.owed[EDS][name] += 1
        self.told[type_][name] = body
        if type_ is RDS:
            self.brought.discard(name)
            for cluster in refers_to(body):
                assert cluster in self.told[CDS], f"route to {cluster} before the cluster"

    def take(self, type_: ResourceType, name: str, body: bytes, superfluous: bool) -> str | None:
        """Returns why it is rejected, if it is."""
        if not self.wants(type_, name):
            return None
        self.hear(type_, name, body, superfluous)
        if type_ is EDS:
            self.cold.discard(name)
        if is_bad(body):
            return f"{name}: no good"
        if type_ is CDS and self.held[CDS].get(name, body) != body and name in self.told[EDS]:
            self.cold.add(name)
        self.held[type_][name] = body
        return None

    def refuse(self, type_: ResourceType, nonce: str) -> None:
        """What came with something that cannot be read may come again, in parts."""
        self.refusals[nonce] += 1
        self.owed[type_].update(self.under[nonce])

    def lose(self, type_: ResourceType, name: str) -> None:
        if type_ is CDS:
            for route, body in self.told[RDS].items():
                # What is not asked for any more stays in a cache of SotW clients: nobody keeps that up to date.
                if route in self.names[RDS] and route not in self.unsaid and route not in self.brought:
                    assert name not in refers_to(body), f"{name} is removed while {route} leads to it"
            self.cold.discard(name)
        self.told[type_].pop(name, None)
        self.held[type_].pop(name, None)


def body_of(name: str, content: str, fault: str = "") -> bytes:
    """State of the world tells no names but those in the messages."""
    return f"{name}={fault}|{content}".encode()


def is_bad(body: bytes) -> bool:
    return b"=|" not in body


def is_malformed(body: bytes) -> bool:
    return b"=malformed|" in body


def refers_to(route: bytes) -> set[str]:
    """The clusters of a route, whose content is `names|anything`."""
    return set(route.decode().split("|")[1].split(",")) - {""}


def version_of(body: bytes) -> str:
    return blake2b(body, digest_size=8).hexdigest()


FAULTS = st.sampled_from(("", "", "", "bad", "malformed"))


class SessionMachine(RuleBasedStateMachine):
    """Steps common to both protocols."""

    protocol: Any
    response: Any
    """The message of its responses."""
    removes_routes = True

    def __init__(self) -> None:
        super().__init__()
        self.mesh = FakeMesh()
        self.mesh.set_views(PROXY.id, "o1", "i1")
        self.inventory = Inventory(self.mesh.engine, FakeMesh.catalog)
        self.parcels = Parcels()
        self.now = 0.0
        self.client = Client()
        self.rejections: list[Rejection] = []
        self.serial = 0
        self.forced = False
        self.session = self.new_session()

    def new_session(self) -> Session:
        limits = Limits(patience=PATIENCE)
        return Session(PROXY, self.protocol, self.inventory, self.parcels, limits, self.rejections.append)

    # --- the mesh --------------------------------------------------------------------------------------------

    @rule(
        view=st.sampled_from(OUT),
        name=st.sampled_from(SERVICES),
        cluster=st.integers(0, 2),
        endpoints=st.integers(0, 2),
        own=st.booleans(),
        fault=FAULTS,
        at_once=st.booleans(),
    )
    def put_service(
        self, view: str, name: str, cluster: int, endpoints: int, own: bool, fault: str, at_once: bool
    ) -> None:
        with self.mesh.together():
            self.mesh.put(CDS, view, name, body_of(name, f"cluster{cluster}", fault), view if own else "")
            self.mesh.put(EDS, view, name, body_of(name, f"endpoints{endpoints}"), view if own else "")
        self.changed(at_once)

    @rule(view=st.sampled_from(OUT), name=st.sampled_from(SERVICES), at_once=st.booleans())
    def remove_service(self, view: str, name: str, at_once: bool) -> None:
        if name not in self.mesh.members.get((CDS, view), {}):
            return
        with self.mesh.together():
            for route in list(self.mesh.members.get((RDS, view), {})):
                body = self.mesh.bodies[RDS, route, view]
                if name in refers_to(body):
                    self.serial += 1
                    kept = ",".join(sorted(refers_to(body) - {name}))
                    self.mesh.put(RDS, view, route, body_of(route, f"{kept}|{self.serial}"), view)
            self.mesh.remove(CDS, view, name)
            self.mesh.remove(EDS, view, name)
        self.changed(at_once)

    @rule(view=st.sampled_from(OUT), gone=st.sampled_from(SERVICES), changed=st.sampled_from(SERVICES))
    def replace_service(self, view: str, gone: str, changed: str) -> None:
        """One goes while another changes."""
        self.serial += 1
        self.put_service(view, changed, self.serial, 0, True, "", False)
        self.remove_service(view, gone, True)

    @rule(
        view=st.sampled_from(OUT),
        route=st.sampled_from(("r1", "r2")),
        names=st.sets(st.sampled_from(SERVICES)),
        fault=FAULTS,
        version=st.integers(0, 1),
        at_once=st.booleans(),
    )
    def put_route(self, view: str, route: str, names: set[str], fault: str, version: int, at_once: bool) -> None:
        existing = sorted(names & self.mesh.members.get((CDS, view), {}).keys())
        self.mesh.put(RDS, view, route, body_of(route, f"{','.join(existing)}|v{version}", fault), view)
        self.changed(at_once)

    @rule(view=st.sampled_from(OUT), route=st.sampled_from(("r1", "r2")))
    def remove_route(self, view: str, route: str) -> None:
        if route in self.mesh.members.get((RDS, view), {}):
            self.mesh.remove(RDS, view, route)

    @rule(view=st.sampled_from(OUT), gone=st.sampled_from(("r1", "r2")), fault=FAULTS)
    def replace_route(self, view: str, gone: str, fault: str) -> None:
        """One goes while the other changes, for the better or not."""
        self.serial += 1
        self.put_route(view, "r2" if gone == "r1" else "r1", set(SERVICES), fault, self.serial, False)
        self.remove_route(view, gone)
        self.changed(True)

    @rule(view=st.sampled_from(IN), present=st.booleans(), version=st.integers(0, 1), type_=st.sampled_from(WILDCARD))
    def change_inbound(self, view: str, present: bool, version: int, type_: ResourceType) -> None:
        if present:
            self.mesh.put(type_, view, "inbound", body_of("inbound", str(version)))
        elif "inbound" in self.mesh.members.get((type_, view), {}):
            self.mesh.remove(type_, view, "inbound")

    @rule(out=st.sampled_from(OUT), inbound=st.sampled_from(((), ("i1",), ("i2",))), at_once=st.booleans())
    def move(self, out: str, inbound: tuple[str, ...], at_once: bool) -> None:
        self.mesh.set_views(PROXY.id, out, *inbound)
        self.changed(at_once)

    def changed(self, publish: bool) -> None:
        if publish:
            self.finish_publishing(self.inventory.refresh())

    # --- the server ------------------------------------------------------------------------------------------

    @rule(steps=st.integers(0, 4), view=st.sampled_from(OUT), version=st.integers(0, 2))
    def publish(self, steps: int, view: str, version: int) -> None:
        """The mesh may change in the middle of a refresh."""
        work = self.inventory.refresh()
        for _ in range(steps):
            if next(work, self) is self:
                break
        else:
            if steps:
                self.put_service(view, "a", version, version, True, "", False)
        self.finish_publishing(work)

    def finish_publishing(self, work: Iterator[None]) -> None:
        for _ in work:
            pass
        moved = self.inventory.publish()
        assert moved <= {self.session}
        assert not self.inventory.is_behind
        if not self.removes_routes:
            self.client.unsaid = {"r1", "r2"} - self.mesh.state(PROXY.id, RDS).keys()
        for _ in moved:
            self.advance()

    @rule(steps=st.integers(1, 6))
    def exchange(self, steps: int) -> None:
        for _ in range(steps):
            self.deliver()
            self.receive()

    @rule()
    def receive(self) -> None:
        if self.client.up:
            self.session.receive(self.client.up.popleft())
            self.advance()

    @rule()
    def run_out_of_patience(self) -> None:
        self.now += PATIENCE
        self.advance()

    def advance(self) -> None:
        overdue = self.session.deadline is not None and self.now >= self.session.deadline
        unanswered = {t for t in TYPES if self.unanswered(t)}
        found = self.session.advance(self.now)
        responses = [self.response.FromString(data) for data in found]
        kinds = {ResourceType(response.type_url) for response in responses}
        if not overdue:
            assert not (unanswered & {CDS, EDS} and kinds & {LDS, RDS}), "sent before what it refers to is taken"
            assert not (unanswered & {LDS, RDS} and any(map(self.breaks, responses))), "removed before it is let go"
        self.client.down.extend(found)

    def breaks(self, response: Any) -> bool:
        """Whether it removes clusters that the client has not asked about."""
        return False

    def unanswered(self, type_: ResourceType) -> bool:
        return any(c.outstanding for c in self.session.conversations() if c.type is type_)

    # --- the client ------------------------------------------------------------------------------------------

    @rule()
    def deliver(self) -> None:
        if self.client.down:
            self.take_response(self.client.down.popleft())

    @initialize(chunk=st.sampled_from((60, 300, 4_000)), full=st.booleans())
    def start(self, chunk: int, full: bool) -> None:
        """With nothing or a lot, told already; responses have from one resource to all of them."""
        self.parcels = Parcels(limit=2_000, chunk=chunk)
        if full:
            for version, view in enumerate(OUT):
                for name in SERVICES[version:]:
                    self.put_service(view, name, version, version, True, "", False)
                self.put_route(view, "r1", {"a", "b"}, "", version, False)
                self.put_route(view, "r2", {"b", "c"}, "", version, False)
            self.client.names[EDS] |= set(SERVICES)
            self.client.names[RDS] |= {"r1", "r2"}
        self.reconnect()
        for _ in range(8 if full else 0):
            self.exchange(4)
            self.changed(True)

    def connect(self) -> None:
        self.client.begin()
        self.first_requests()

    @rule()
    def reconnect(self) -> None:
        self.session.close()
        self.session = self.new_session()
        self.connect()

    def teardown(self) -> None:
        """Everything is delivered: the client has exactly what there is."""
        for _ in range(100):
            before = (self.session.pushes, len(self.client.up), len(self.client.down), self.inventory.is_behind)
            self.finish_publishing(self.inventory.refresh())
            while self.client.down or self.client.up:
                self.deliver()
                self.receive()
            after = (self.session.pushes, len(self.client.up), len(self.client.down), self.inventory.is_behind)
            if before == after:
                break
        else:
            raise AssertionError("it never ends")
        assert self.session.deadline is None, "it waits for something"
        for type_ in TYPES:
            self.check_state(type_)
        assert not self.client.cold & self.expected(EDS).keys(), "clusters are left without endpoints"
        assert not any(feed.collection.remembered for feed in self.inventory.feeds()), "the past is kept for nobody"
        self.session.close()
        for _ in self.inventory.refresh():
            pass
        self.inventory.publish()
        assert self.inventory.shared_resources == 0
        assert not list(self.inventory.feeds())
        assert self.mesh.engine.statistics().observed == 0

    def check_state(self, type_: ResourceType) -> None:
        raise NotImplementedError

    def first_requests(self) -> None:
        raise NotImplementedError

    def take_response(self, data: bytes) -> None:
        raise NotImplementedError

    def expected(self, type_: ResourceType) -> dict[str, bytes]:
        state = self.mesh.state(PROXY.id, type_)
        return {name: r.body for name, r in state.items() if self.client.wants(type_, name)}

    def held(self, type_: ResourceType) -> dict[str, bytes]:
        return self.client.held[type_]


class DeltaMachine(SessionMachine):
    protocol = DeltaProtocol()
    response = discovery_pb2.DeltaDiscoveryResponse

    def first_requests(self) -> None:
        client = self.client
        for type_ in TYPES:
            if type_ not in WILDCARD and not client.names[type_]:
                continue
            names = sorted(client.names[type_])
            if type_ in WILDCARD and names:
                names.append("*")
            versions = {name: version_of(body) for name, body in client.held[type_].items()}
            client.owed[type_].update(name for name in names if name not in versions)
            client.up.append(DeltaRequest(type_, subscribe=tuple(names), initial_versions=versions))

    @rule(data=st.data(), type_=st.sampled_from(TYPES))
    def subscribe(self, data: st.DataObject, type_: ResourceType) -> None:
        names = data.draw(st.sets(st.sampled_from(NAMED[type_]), min_size=1))
        self.client.names[type_] |= names
        self.client.owed[type_].update(names)
        self.client.up.append(DeltaRequest(type_, subscribe=tuple(sorted(names))))

    @rule(data=st.data(), type_=st.sampled_from(TYPES))
    def unsubscribe(self, data: st.DataObject, type_: ResourceType) -> None:
        names = data.draw(st.sets(st.sampled_from(NAMED[type_]), min_size=1)) & self.client.names[type_]
        if not names:
            return
        self.client.names[type_] -= names
        if type_ in WILDCARD:
            self.client.owed[type_].update(names)
        else:
            for name in names:
                self.client.told[type_].pop(name, None)
                self.client.held[type_].pop(name, None)
        self.client.up.append(DeltaRequest(type_, unsubscribe=tuple(sorted(names))))

    def breaks(self, response: Any) -> bool:
        return response.type_url == CDS.value and any(
            name in self.client.told[CDS] and not self.client.owed[CDS][name] for name in response.removed_resources
        )

    def take_response(self, data: bytes) -> None:
        client = self.client
        response = self.response.FromString(data)
        type_ = ResourceType(response.type_url)
        resources = {resource.name: resource.resource.value for resource in response.resources}
        assert all(resource.resource.type_url == type_.value for resource in response.resources)
        assert all(resource.version == version_of(resource.resource.value) for resource in response.resources)
        names = {*resources, *response.removed_resources}
        client.under.setdefault(response.nonce, set()).update(names)
        client.owed[type_].update(dict.fromkeys(names, client.refusals[response.nonce]))
        again = {name: client.told[type_].get(name) == body for name, body in resources.items()}
        if refusal := self.refusal(type_, resources):
            for name, body in resources.items():
                if client.wants(type_, name):
                    client.hear(type_, name, body, again[name])
            client.refuse(type_, response.nonce)
            client.up.append(DeltaRequest(type_, nonce=response.nonce, error=refusal))
            return
        errors = [client.take(type_, name, body, again[name]) for name, body in resources.items()]
        for name in response.removed_resources:
            if client.wants(type_, name) and name not in client.told[type_]:
                assert client.owed[type_][name] > 0, f"{type_.name} {name} is removed again"
                client.owed[type_][name] -= 1
            client.lose(type_, name)
        said = ", ".join(error for error in errors if error)
        client.up.append(
            DeltaRequest(type_, nonce=response.nonce, error=f"Error adding/updating {said}" if said else None)
        )

    def refusal(self, type_: ResourceType, resources: dict[str, bytes]) -> str | None:
        """Why Envoy takes nothing of a response, if so: it cannot read one of its resources, or stops at one."""
        wanted = {name: body for name, body in resources.items() if self.client.wants(type_, name)}
        if any(map(is_malformed, wanted.values())):
            return "malformed"
        if type_ not in WILDCARD:
            return next((f"{name}: no good" for name, body in wanted.items() if is_bad(body)), None)
        return None

    def check_state(self, type_: ResourceType) -> None:
        expected, held = self.expected(type_), self.held(type_)
        assert held.keys() - expected.keys() == set()
        for name, body in expected.items():
            if is_bad(body):
                assert self.client.told[type_][name] == body
            else:
                assert held[name] == body


class SotwMachine(SessionMachine):
    protocol = SotwProtocol()
    response = discovery_pb2.DiscoveryResponse
    removes_routes = False

    def __init__(self) -> None:
        self.last: dict[ResourceType, tuple[str, str]] = {}
        """(nonce, accepted version) of each type."""
        super().__init__()

    def first_requests(self) -> None:
        self.client.brought = set(self.client.told[RDS])
        self.last = {type_: ("", version) for type_, (_, version) in self.last.items()}
        for type_ in TYPES:
            if type_ in WILDCARD or self.client.names[type_]:
                # A state that is not the present one is sent wholly: one version stands for all of it.
                self.client.owed[type_].update(self.client.names[type_])
                self.request(type_)

    def request(self, type_: ResourceType, error: str | None = None) -> None:
        nonce, version = self.last.get(type_, ("", ""))
        self.client.up.append(SotwRequest(type_, tuple(sorted(self.client.names[type_])), version, nonce, error))

    @rule(type_=st.sampled_from((EDS, RDS)), data=st.data())
    def subscribe(self, type_: ResourceType, data: st.DataObject) -> None:
        names = data.draw(st.sets(st.sampled_from(NAMED[type_])))
        # What is dropped stays in a cache: the server cannot know, of two crossing requests, that one dropped it.
        self.client.owed[type_].update(names - self.client.names[type_])
        self.client.names[type_] = set(names)
        self.request(type_)

    def take_response(self, data: bytes) -> None:
        client = self.client
        response = self.response.FromString(data)
        type_ = ResourceType(response.type_url)
        found = {r.value.decode().partition("=")[0]: r.value for r in response.resources}
        assert all(r.type_url == type_.value for r in response.resources)
        errors = []
        for name, body in found.items():
            again = type_ not in WILDCARD and client.told[type_].get(name) == body
            errors.append(client.take(type_, name, body, again))
        if type_ in WILDCARD:
            for name in set(client.told[type_]) - found.keys():
                client.lose(type_, name)
        said = "; ".join(error for error in errors if error)
        self.last[type_] = (response.nonce, self.last.get(type_, ("", ""))[1] if said else response.version_info)
        self.request(type_, said or None)

    def check_state(self, type_: ResourceType) -> None:
        expected, held = self.expected(type_), self.held(type_)
        for name, body in expected.items():
            if not is_bad(body):
                assert held[name] == body
        if type_ in WILDCARD:
            assert held.keys() - expected.keys() == set()


TestDelta = DeltaMachine.TestCase
TestDelta.settings = settings(max_examples=250, stateful_step_count=60, deadline=None)
TestSotw = SotwMachine.TestCase
TestSotw.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
