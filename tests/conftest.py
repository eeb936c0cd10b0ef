"""What all tests have in common: whatever a test makes for proxies, the real Envoy judges in the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from lateen.testing.envoy import accepts
from lateen.testing.mesh import Mesh
from lateen.translate.resource import Resource, ResourceType

# No test asserts a time, those that hypothesis drives included: a busy machine is no fault. The examples of a test are
# the same until it changes, so that a failure is that of the change at hand; scripts/fuzz looks for what nobody saw.
settings.register_profile(
    "lateen", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None
)
settings.register_profile("fuzz", settings.get_profile("lateen"), derandomize=False, print_blob=True)
if "LATEEN_FUZZ" in os.environ:
    settings.load_profile("fuzz")
else:
    settings.load_profile("lateen")
    # Now and then hypothesis draws a constant of the modules of this project that are loaded by then. Which those are
    # depends on the tests that ran before in the same worker, and what is in them on any change to them.
    none = Constants()
    providers._get_local_constants = lambda: none


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
