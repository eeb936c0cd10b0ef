"""What all tests have in common: whatever a test makes for proxies, the real Envoy judges in the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from lateen.testing.envoy import accepts
from lateen.testing.mesh import Mesh
from lateen.translate.resource import Resource, ResourceType

# No test asserts a time, those that hypothesis drives included: a busy machine is no fault.
settings.register_profile("lateen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lateen")


@pytest.fixture(scope="session", autouse=True)
def envoy_accepts_all() -> Iterator[None]:
    """Collects every resource that any test of this worker gets from a `Mesh`, and validates them in bulk."""
    made: dict[ResourceType, dict[tuple[str, str], Resource]] = {type_: {} for type_ in ResourceType}

    def witness(type_: ResourceType, resource: Resource) -> None:
        made[type_][resource.name, resource.version] = resource

    Mesh.witness = witness
    yield
    Mesh.witness = None
    if any(made.values()):
        accepts({type_: resources.values() for type_, resources in made.items()})
