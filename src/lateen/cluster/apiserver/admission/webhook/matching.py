"""Decides whether a webhook is called for an operation, and in which version it sees the object.

Source: kubernetes apiserver/pkg/admission/plugin/webhook (generic/webhook.go, predicates).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lateen.cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from lateen.cluster.apiserver.admission.webhook.configuration import GROUP, Webhook
from lateen.cluster.apiserver.admission.webhook.match_condition import ConditionError
from lateen.cluster.apiserver.admission.webhook.review import admission_request
from lateen.cluster.apiserver.admission.webhook.rule import Rule
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj, labels_of
from lateen.cluster.selectors import Selector
from lateen.cluster.status import internal_error, not_found

_EXEMPT = frozenset(
    {
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    }
)
"""No webhook may keep an administrator from removing webhooks."""


class Criteria(Protocol):
    """What webhooks and policies alike select by."""

    @property
    def rules(self) -> Sequence[Rule]: ...

    @property
    def namespaces(self) -> Selector: ...

    @property
    def objects(self) -> Selector: ...

    @property
    def equivalent(self) -> bool: ...


@dataclass(slots=True)
class Match:
    """A webhook to call, with the request for it."""

    webhook: Webhook
    seen_as: Kind
    request: Obj


class Matcher:
    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def match(self, webhook: Webhook, attributes: Attributes) -> Match | None:
        """Raises StatusError when a match condition fails and the webhook's policy is to fail."""
        seen_as = self.seen_as(webhook, attributes)
        if seen_as is None:
            return None
        obj, old = (seen(o, attributes.kind, seen_as) for o in (attributes.obj, attributes.old))
        request = admission_request(attributes, seen_as, obj, old)
        variables = {"object": obj, "oldObject": old}
        asked = {key: value for key, value in request.items() if key not in ("object", "oldObject")}
        try:
            if not webhook.conditions.match({**variables, "request": asked}):
                return None
        except ConditionError as error:
            if not webhook.fails_closed:
                return None
            raise internal_error(f'failed calling webhook "{webhook.name}": {error}') from None
        return Match(webhook, seen_as, request)

    def seen_as(self, criteria: Criteria, attributes: Attributes) -> Kind | None:
        """In which version the criteria select the operation; None when they do not. Raises StatusError 404."""
        if attributes.kind.resource.gvr.group == GROUP and attributes.kind.resource.gvr.plural in _EXEMPT:
            return None
        kind = self._kind_for(criteria, attributes)
        if kind is None or not self._namespace_matches(criteria.namespaces, attributes):
            return None
        return kind if _object_matches(criteria.objects, attributes) else None

    def _kind_for(self, criteria: Criteria, attributes: Attributes) -> Kind | None:
        """The version of the resource by which the rules match: the requested one, or an equivalent."""
        resource = attributes.kind.resource
        namespaced = resource.namespaced and bool(attributes.namespace)
        candidates = [attributes.kind]
        if criteria.equivalent:
            candidates += [
                other
                for other in self._registry.kinds()
                if other.storage == attributes.kind.storage and other.resource.gvr != resource.gvr
            ]
        for kind in candidates:
            for rule in criteria.rules:
                if rule.matches(attributes.operation, kind.resource.gvr, attributes.subresource, namespaced):
                    return kind
        return None

    def _namespace_matches(self, selector: Selector, attributes: Attributes) -> bool:
        if selector.empty:
            return True
        if attributes.group_resource == ("", "namespaces"):
            if attributes.operation in (CREATE, UPDATE) and not attributes.subresource and attributes.obj is not None:
                return selector.matches(labels_of(attributes.obj))
            name = attributes.name
        elif attributes.namespace:
            name = attributes.namespace
        else:
            # What is in no namespace is never exempt by namespace.
            return True
        namespace = self._store.get(("", "namespaces"), Key("", name))
        if namespace is None:
            raise not_found("", "namespaces", name)
        return selector.matches(labels_of(namespace))


def _object_matches(selector: Selector, attributes: Attributes) -> bool:
    if selector.empty:
        return True
    candidates = (o for o in (attributes.obj, attributes.old) if o is not None and isinstance(o.get("metadata"), dict))
    return any(selector.matches(labels_of(o)) for o in candidates)


def seen(obj: Obj | None, kind: Kind, seen_as: Kind) -> Obj | None:
    """An object of one version as another version of its resource shows it."""
    return obj if obj is None or kind is seen_as else seen_as.from_storage(kind.to_storage(obj))
