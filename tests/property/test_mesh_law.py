"""Laws of the whole translation: increments equal computing from scratch, and no proxy is told of what it is not given.

Random meshes of every kind change at random. What each proxy would hold is compared, byte for byte, with what a new
engine makes of the same objects.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lateen.testing.envoy import accepts
from lateen.testing.held_resources import check_references, held
from lateen.testing.mesh import Mesh, Rejected
from lateen.testing.random_meshes import Identity, identity_of, mesh_configs, objects, proxies
from lateen.translate.resource import Resource, ResourceType


class MeshMachine(RuleBasedStateMachine):
    """An engine that lives through changes, beside a list of what is there now."""

    def __init__(self) -> None:
        super().__init__()
        self.mesh = Mesh()
        self.objects: dict[Identity, dict[str, Any]] = {}
        self.config = "{}"
        self.proxies = proxies()
        self.given: dict[ResourceType, dict[tuple[str, str], Resource]] = {type_: {} for type_ in ResourceType}

    @initialize(found=st.lists(objects, max_size=12))
    def start(self, found: list[dict[str, Any]]) -> None:
        for item in found:
            self.apply(item)

    @rule(item=objects)
    def apply(self, item: dict[str, Any]) -> None:
        with contextlib.suppress(Rejected):
            self.mesh.apply(item)
            self.objects[identity_of(item)] = item

    @rule(which=st.integers(min_value=0))
    def delete(self, which: int) -> None:
        if self.objects:
            identity = sorted(self.objects)[which % len(self.objects)]
            del self.objects[identity]
            self.mesh.delete(*identity)

    @rule(config=mesh_configs)
    def configure(self, config: str) -> None:
        self.mesh.mesh_config(config)
        self.config = config

    @rule(which=st.integers(0, 3))
    def look(self, which: int) -> None:
        """Results that are held between changes are what increments could get wrong."""
        held(self.mesh, self.proxies[which])

    def teardown(self) -> None:
        """Envoy accepts all that any proxy was given on the way."""
        accepts({type_: found.values() for type_, found in self.given.items()})

    @invariant()
    def increments_equal_scratch(self) -> None:
        scratch = Mesh()
        scratch.mesh_config(self.config)
        scratch.apply(*self.objects.values())
        for proxy in self.proxies:
            now = held(self.mesh, proxy)
            assert now == held(scratch, proxy), proxy.id
            check_references(now)
            for type_, resources in now.items():
                self.given[type_].update({(one.name, one.version): one for one in resources.values()})


TestMeshLaw = pytest.mark.timeout(600)(MeshMachine.TestCase)
TestMeshLaw.settings = settings(
    max_examples=40, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)
