"""The law of sessions over real translations: whatever happens to the mesh and in whatever order proxies answer, each
ends with exactly what it is to hold, and is never told of anything before what that refers to.

Random meshes change at random. Sidecars and a gateway follow over delta sessions: their acknowledgements are delayed,
they reject some of what comes, and they reconnect.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from lateen.model.fault import ConfigError
from lateen.model.proxy import Proxy
from lateen.testing.held_resources import References, assignment_of, references
from lateen.testing.mesh import Mesh, Rejected
from lateen.testing.random_meshes import Identity, identity_of, objects, proxies
from lateen.translate import catalog
from lateen.translate.resource import Resource, ResourceType
from lateen.xds.catalog import Catalog
from lateen.xds.delta import DeltaProtocol
from lateen.xds.inventory import Inventory
from lateen.xds.limits import Limits
from lateen.xds.parcel import Parcels
from lateen.xds.request import DeltaRequest
from lateen.xds.session import Session

CDS, EDS, LDS, RDS = ResourceType.CDS, ResourceType.EDS, ResourceType.LDS, ResourceType.RDS
TYPES = (CDS, EDS, LDS, RDS)
Told = dict[str, Resource]


class Client:
    """A proxy that follows the references of what it holds, as Envoy does."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.told: dict[ResourceType, Told] = {type_: {} for type_ in TYPES}
        """What it was last told of each name that it is subscribed to, accepted or not."""
        self.held: dict[ResourceType, Told] = {type_: {} for type_ in TYPES}
        """What it has accepted."""
        self.refused: set[tuple[ResourceType, str]] = set()
        """What it was last told of these it has not accepted."""
        self.outdated: set[tuple[ResourceType, str]] = set()
        """Those that it has come with, and whose references are not the server's to keep: it was told of something
        newer and refused, or it refused what they refer to."""
        self.names: dict[ResourceType, set[str]] = {EDS: set(), RDS: set()}
        self.up: deque[DeltaRequest] = deque()
        self.down: deque[bytes] = deque()
        self._references: dict[tuple[str, str], References] = {}

    def connect(self) -> None:
        """Begins a stream with what it holds."""
        self.told = {type_: dict(self.held[type_]) for type_ in TYPES}
        self.outdated = self.refused | {(type_, name) for type_ in (LDS, RDS) for name in self.lacking(type_)}
        self.up.clear()
        self.down.clear()
        for type_ in TYPES:
            versions = {name: each.version for name, each in self.held[type_].items()}
            if type_ in (CDS, LDS):
                self.up.append(DeltaRequest(type_, initial_versions=versions))
            elif self.names[type_]:
                self.up.append(DeltaRequest(type_, tuple(sorted(self.names[type_])), initial_versions=versions))

    def take(self, data: bytes, rejects: int) -> None:
        """One response, of which every `rejects`th resource is rejected (0: none)."""
        response = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
        type_ = ResourceType(response.type_url)
        if type_ not in TYPES:
            self.up.append(DeltaRequest(type_, nonce=response.nonce))
            return
        errors = [each.name for number, each in enumerate(response.resources, 1) if rejects and number % rejects == 0]
        # Of clusters and listeners each counts by itself; else none is taken where one is rejected.
        by_itself = type_ in (CDS, LDS) or not errors
        for each in response.resources:
            if not self.wants(type_, each.name):
                continue
            resource = Resource(each.name, each.version, each.resource.value)
            self.told[type_][each.name] = resource
            self.outdated.discard((type_, each.name))
            if by_itself and each.name not in errors:
                self.held[type_][each.name] = resource
                self.refused.discard((type_, each.name))
            else:
                self.refused.add((type_, each.name))
        for name in response.removed_resources if by_itself else ():
            self.told[type_].pop(name, None)
            self.held[type_].pop(name, None)
        self.check(type_)
        self._follow(type_)
        message = ", ".join(f"{name}: not this one" for name in errors)
        said = f"Error adding/updating {message}" if by_itself else message
        self.up.append(DeltaRequest(type_, nonce=response.nonce, error=said if errors else None))

    def wants(self, type_: ResourceType, name: str) -> bool:
        return type_ in (CDS, LDS) or name in self.names[type_]

    def check(self, changed: ResourceType) -> None:
        """Nothing that it was told refers to a cluster that it was not told of, or was told to be gone."""
        if changed is EDS:
            return
        for type_ in (LDS, RDS):
            for name, missing in self.lacking(type_).items():
                if (type_, name) not in self.outdated:
                    raise AssertionError(f"{self.proxy.id}: after {changed.name}, {type_.name} {name} lacks {missing}")

    def lacking(self, type_: ResourceType) -> dict[str, frozenset[str]]:
        """What it was told that refers to clusters that it was not told of, and to which."""
        known = self.told[CDS].keys()
        found = {name: self.references(type_, resource).clusters - known for name, resource in self.told[type_].items()}
        return {name: missing for name, missing in found.items() if missing}

    def references(self, type_: ResourceType, resource: Resource) -> References:
        key = resource.name, resource.version
        found = self._references.get(key)
        if found is None:
            found = self._references[key] = references(type_, resource)
        return found

    def _follow(self, type_: ResourceType) -> None:
        if type_ is CDS:
            self._want(EDS, {assignment_of(each) for each in self.held[CDS].values()} - {""})
        elif type_ is LDS:
            named = (self.references(LDS, each).routes for each in self.held[LDS].values())
            self._want(RDS, {name for routes in named for name in routes})

    def _want(self, type_: ResourceType, wanted: set[str]) -> None:
        known = self.names[type_]
        if wanted == known:
            return
        self.names[type_] = wanted
        for name in known - wanted:
            self.told[type_].pop(name, None)
            self.held[type_].pop(name, None)
        self.up.append(DeltaRequest(type_, tuple(sorted(wanted - known)), tuple(sorted(known - wanted))))


class SessionsMachine(RuleBasedStateMachine):
    """A mesh, what is published of it, and the streams of proxies. The clock stands still: patience never ends."""

    def __init__(self) -> None:
        super().__init__()
        self.mesh = Mesh()
        self.objects: dict[Identity, dict[str, Any]] = {}
        self.inventory = Inventory(self.mesh.engine, Catalog(catalog.views, catalog.listing))
        self.parcels = Parcels(limit=100_000, chunk=4_000)
        self.clients = [Client(proxy) for proxy in proxies()]
        self.sessions = [self.new_session(client) for client in self.clients]

    def new_session(self, client: Client) -> Session:
        client.connect()
        return Session(client.proxy, DeltaProtocol(), self.inventory, self.parcels, Limits())

    # --- the mesh --------------------------------------------------------------------------------------------

    @initialize(found=st.lists(objects, min_size=10, max_size=30))
    def start(self, found: list[dict[str, Any]]) -> None:
        """Everybody has all of it."""
        self.apply(found)
        self.settle()

    @rule(items=st.lists(objects, min_size=1, max_size=4), at_once=st.booleans())
    def change(self, items: list[dict[str, Any]], at_once: bool) -> None:
        self.apply(items)
        if at_once:
            self.publish()

    @rule(which=st.lists(st.integers(min_value=0), min_size=1, max_size=3), at_once=st.booleans())
    def delete(self, which: list[int], at_once: bool) -> None:
        for number in which:
            if self.objects:
                identity = sorted(self.objects)[number % len(self.objects)]
                del self.objects[identity]
                self.mesh.delete(*identity)
        if at_once:
            self.publish()

    def apply(self, items: list[dict[str, Any]]) -> None:
        for item in items:
            with contextlib.suppress(Rejected):
                self.mesh.apply(item)
                self.objects[identity_of(item)] = item

    # --- the server ------------------------------------------------------------------------------------------

    @rule()
    def publish(self) -> None:
        for _ in self.inventory.refresh():
            pass
        moved = self.inventory.publish()
        for session, client in zip(self.sessions, self.clients, strict=True):
            if session in moved:
                client.down.extend(session.advance(0.0))

    @rule(which=st.integers(0, 3), turns=st.integers(1, 4), rejects=st.sampled_from((0, 0, 1, 2, 3)))
    def exchange(self, which: int, turns: int, rejects: int) -> None:
        for _ in range(turns):
            self.deliver(which, 1, rejects)
            self.hear(which, 1)

    @rule(which=st.integers(0, 3), steps=st.integers(1, 5))
    def hear(self, which: int, steps: int) -> None:
        """The server takes what a proxy has said."""
        client, session = self.clients[which], self.sessions[which]
        for _ in range(min(steps, len(client.up))):
            session.receive(client.up.popleft())
            client.down.extend(session.advance(0.0))

    @rule(which=st.integers(0, 3), steps=st.integers(1, 5), rejects=st.sampled_from((0, 0, 0, 1, 2, 3)))
    def deliver(self, which: int, steps: int, rejects: int) -> None:
        """A proxy takes what it was sent."""
        client = self.clients[which]
        for _ in range(min(steps, len(client.down))):
            client.take(client.down.popleft(), rejects)

    @rule(which=st.integers(0, 3))
    def reconnect(self, which: int) -> None:
        self.sessions[which].close()
        self.sessions[which] = self.new_session(self.clients[which])

    # --- the end ---------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """All that is under way arrives."""
        for _ in range(200):
            self.publish()
            for which in range(len(self.clients)):
                self.hear(which, 1_000)
                self.deliver(which, 1_000, 0)
            if not (self.inventory.is_behind or any(client.up or client.down for client in self.clients)):
                break
        else:
            raise AssertionError("it never ends")

    def teardown(self) -> None:
        self.settle()
        for client in self.clients:
            for type_ in TYPES:
                self.check_state(client, type_)
        for session in self.sessions:
            session.close()
        for _ in self.inventory.refresh():
            pass
        self.inventory.publish()
        assert self.inventory.shared_resources == 0
        assert self.mesh.engine.statistics().observed == 0

    def check_state(self, client: Client, type_: ResourceType) -> None:
        """What it was told is what there is; what cannot be made at present may be there as it was."""
        expected, unmade = {}, set()
        for name, recipe in self.mesh.recipes(type_, client.proxy).items():
            if client.wants(type_, name):
                try:
                    expected[name] = self.mesh.make(recipe).version
                except ConfigError:
                    unmade.add(name)
        told = {name: each.version for name, each in client.told[type_].items() if name not in unmade}
        assert told == expected, f"{client.proxy.id} {type_.name}"


TestMeshSessions = pytest.mark.timeout(600)(SessionsMachine.TestCase)
TestMeshSessions.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
