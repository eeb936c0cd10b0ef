"""Which EnvoyFilters apply to a proxy, and in what order."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.api.networking.envoy_filter import PatchContext
from lateen.api.objects import Key
from lateen.engine import Engine, Reader, query
from lateen.model.envoy_filters import selected_filters
from lateen.model.inputs import ENVOY_FILTERS
from lateen.model.proxy import PatchSet, Proxy, Role
from lateen.testing.envoy_filters import envoy_filter, patch

OUT = PatchContext.SIDECAR_OUTBOUND
MARK = {"alt_stat_name": "x"}
ANY = patch("CLUSTER", "MERGE", MARK)


@query
def selected(db: Reader, proxy: Proxy, context: PatchContext) -> tuple[PatchSet, ...]:
    return selected_filters(db, proxy, proxy.labels, context)


def proxy(namespace: str = "default", role: Role = Role.SIDECAR, **fields: Any) -> Proxy:
    return Proxy(id=f"web.{namespace}", role=role, namespace=namespace, **fields)


def engine(*filters: Any) -> Engine:
    made = Engine()
    with made.change() as tx:
        for each in filters:
            tx.set(ENVOY_FILTERS, each.key, each)
    return made


def names(made: Engine, of: Proxy, context: PatchContext = OUT) -> list[str]:
    return [str(found.filter) for found in made.get(selected, of, context)]


def test_the_root_namespace_comes_first_then_priority_age_and_name() -> None:
    made = engine(
        envoy_filter(ANY, name="late", created="2026-01-02T00:00:00Z"),
        envoy_filter(ANY, name="b", created="2026-01-01T00:00:00Z"),
        envoy_filter(ANY, name="a", created="2026-01-01T00:00:00Z"),
        envoy_filter(ANY, name="first", created="2026-01-03T00:00:00Z", priority=-1),
        envoy_filter(ANY, name="last", created="2025-01-01T00:00:00Z", priority=1),
        envoy_filter(ANY, name="root", namespace="istio-system", created="2026-01-09T00:00:00Z", priority=7),
        envoy_filter(ANY, name="other", namespace="other"),
    )
    expected = ["istio-system/root", "default/first", "default/a", "default/b", "default/late", "default/last"]
    assert names(made, proxy()) == expected


def test_a_proxy_in_the_root_namespace_has_each_once() -> None:
    made = engine(envoy_filter(ANY, name="root", namespace="istio-system"))
    assert names(made, proxy("istio-system")) == ["istio-system/root"]


def test_workloads_are_selected_by_all_labels() -> None:
    made = engine(
        envoy_filter(ANY, name="both", workloadSelector={"labels": {"a": "1", "b": "2"}}),
        envoy_filter(ANY, name="one", workloadSelector={"labels": {"a": "1"}}),
        envoy_filter(ANY, name="none", workloadSelector={}),
    )
    assert names(made, proxy(labels=(("a", "1"),))) == ["default/none", "default/one"]
    assert names(made, proxy(labels=(("a", "1"), ("b", "2")))) == ["default/both", "default/none", "default/one"]
    assert names(made, proxy(labels=(("a", "2"),))) == ["default/none"]


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (PatchContext.SIDECAR_INBOUND, ["default/any", "default/in"]),
        (PatchContext.SIDECAR_OUTBOUND, ["default/any", "default/out"]),
        (PatchContext.GATEWAY, ["default/any"]),
    ],
)
def test_a_view_holds_only_filters_with_patches_for_it(context: PatchContext, expected: list[str]) -> None:
    made = engine(
        envoy_filter(ANY, patch("CLUSTER", "MERGE", MARK, context="SIDECAR_INBOUND"), name="any"),
        envoy_filter(patch("CLUSTER", "MERGE", MARK, context="SIDECAR_INBOUND"), name="in"),
        envoy_filter(patch("CLUSTER", "MERGE", MARK, context="SIDECAR_OUTBOUND"), name="out"),
    )
    assert names(made, proxy(), context) == expected


def test_targets_are_gateways_by_name() -> None:
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}
    made = engine(envoy_filter(ANY, name="edge", targetRefs=[target]))
    labels = (("gateway.networking.k8s.io/gateway-name", "edge"),)
    assert names(made, proxy(role=Role.ROUTER, labels=labels), PatchContext.GATEWAY) == ["default/edge"]
    assert names(made, proxy(role=Role.ROUTER), PatchContext.GATEWAY) == []
    assert names(made, proxy(labels=labels), PatchContext.GATEWAY) == []


@pytest.mark.parametrize(
    ("match", "metadata", "applies"),
    [
        ({"proxyVersion": r"^1\.2.*"}, {"ISTIO_VERSION": "1.28.0"}, True),
        ({"proxyVersion": r"28"}, {"ISTIO_VERSION": "1.28.0"}, True),
        ({"proxyVersion": r"^1\.3"}, {"ISTIO_VERSION": "1.28.0"}, False),
        ({"proxyVersion": r".*"}, {}, False),
        ({"metadata": {"A": "1"}}, {"A": "1", "B": "2"}, True),
        ({"metadata": {"A": "1", "B": "3"}}, {"A": "1", "B": "2"}, False),
        ({"metadata": {"A": "1"}}, {}, False),
        ({"proxyVersion": "1", "metadata": {"A": "1"}}, {"ISTIO_VERSION": "1", "A": "1"}, True),
        ({}, {}, True),
    ],
)
def test_patches_for_some_proxies(match: dict[str, Any], metadata: dict[str, str], applies: bool) -> None:
    made = engine(envoy_filter(ANY, patch("CLUSTER", "MERGE", MARK, proxy=match)))
    [found] = made.get(selected, proxy(metadata=tuple(sorted(metadata.items()))), OUT)
    assert found == PatchSet(Key("default", "patches"), () if applies else (1,))


def test_an_edited_patch_changes_no_selection() -> None:
    made = engine(envoy_filter(ANY))
    observation = made.observe(selected, proxy(), OUT)
    before = observation.get()
    changed = envoy_filter(patch("CLUSTER", "MERGE", {"alt_stat_name": "y"}))
    with made.change() as tx:
        tx.set(ENVOY_FILTERS, changed.key, changed)
    assert observation.get() is before
