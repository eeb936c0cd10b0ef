"""Which EnvoyFilters apply to a proxy, and in what order.

The root namespace's come first, then those of the proxy's own namespace; within a namespace by priority, age and name
(Istio: push_context.go). What a proxy's views hold are the filters and which of their patches are not for it; what the
patches say is read by whoever applies them, so that editing a patch changes no view.
"""

from __future__ import annotations

import msgspec
import re2

from lateen.api.networking.envoy_filter import EnvoyFilter, PatchContext, ProxyMatch
from lateen.api.objects import Key, Object
from lateen.api.type.selector import PolicyTargetReference
from lateen.engine import Reader, query
from lateen.model.inputs import ENVOY_FILTERS
from lateen.model.mesh import root_namespace
from lateen.model.proxy import Labels, PatchSet, Proxy, Role

GATEWAY_NAME_LABEL = "gateway.networking.k8s.io/gateway-name"
"""On the pods of a gateway that was made from a Gateway API Gateway: its name."""
VERSION = "ISTIO_VERSION"
"""Node metadata that holds a proxy's version."""


class Selector(msgspec.Struct, frozen=True):
    """Whom an EnvoyFilter is for."""

    key: Key
    labels: Labels
    """A workload must have all of them."""
    targets: tuple[PolicyTargetReference, ...]
    """In place of labels."""
    contexts: frozenset[PatchContext]
    """Those of its patches."""
    proxies: tuple[tuple[int, ProxyMatch], ...]
    """The patches that are for some proxies only."""


def selected_filters(db: Reader, proxy: Proxy, labels: Labels, context: PatchContext) -> tuple[PatchSet, ...]:
    """The EnvoyFilters that apply to a proxy of a workload with these labels in a context, in order of application.

    Those without a patch for the context are left out, so that views do not differ by what does not matter to them.
    """
    carried = dict(labels)
    root = root_namespace(db)
    namespaces = (root,) if proxy.namespace == root else (root, proxy.namespace)
    return tuple(
        PatchSet(each.key, _excluded(each, proxy))
        for namespace in namespaces
        if namespace
        for each in _selectors(db, namespace)
        if _concerns(each, context) and _selects(each, proxy, carried)
    )


@query
def _selectors(db: Reader, namespace: str) -> tuple[Selector, ...]:
    found = (ENVOY_FILTERS.get(db, key) for key in ENVOY_FILTERS.where(db, "namespace", namespace))
    return tuple(_selector(each) for each in sorted((each for each in found if each is not None), key=_order))


def _order(obj: Object[EnvoyFilter]) -> tuple[int, str, str]:
    return (obj.spec.priority, obj.metadata.creation_timestamp or "", obj.metadata.name)


def _selector(obj: Object[EnvoyFilter]) -> Selector:
    spec = obj.spec
    matches = tuple((index, each.match) for index, each in enumerate(spec.config_patches))
    return Selector(
        key=obj.key,
        labels=tuple(sorted(spec.workload_selector.labels.items())) if spec.workload_selector is not None else (),
        targets=spec.target_refs,
        contexts=frozenset(match.context if match is not None else PatchContext.ANY for _, match in matches),
        proxies=tuple(
            (index, match.proxy) for index, match in matches if match is not None and match.proxy is not None
        ),
    )


def _concerns(selector: Selector, context: PatchContext) -> bool:
    return context in selector.contexts or PatchContext.ANY in selector.contexts


def _selects(selector: Selector, proxy: Proxy, labels: dict[str, str]) -> bool:
    if selector.targets:
        return proxy.role is not Role.SIDECAR and any(_targets(each, labels) for each in selector.targets)
    return all(labels.get(name) == value for name, value in selector.labels)


def _targets(target: PolicyTargetReference, labels: dict[str, str]) -> bool:
    return target.kind == "Gateway" and labels.get(GATEWAY_NAME_LABEL) == target.name


def _excluded(selector: Selector, proxy: Proxy) -> tuple[int, ...]:
    if not selector.proxies:
        return ()
    metadata = dict(proxy.metadata)
    return tuple(index for index, match in selector.proxies if not _matches(match, metadata))


def _matches(match: ProxyMatch, metadata: dict[str, str]) -> bool:
    if match.proxy_version:
        version = metadata.get(VERSION)
        if not version or re2.search(match.proxy_version, version) is None:
            return False
    return all(metadata.get(name) == value for name, value in match.metadata.items())
