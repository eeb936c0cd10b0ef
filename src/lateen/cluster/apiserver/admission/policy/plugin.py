"""The admission plugin of ValidatingAdmissionPolicies.

Source: kubernetes apiserver/pkg/admission/plugin/policy/validating/dispatcher.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.admission.attributes import Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.admission.policy.definition import (
    Binding,
    MatchResources,
    Policy,
    read_binding,
    read_policy,
)
from lateen.cluster.apiserver.admission.policy.evaluate import Finding, findings
from lateen.cluster.apiserver.admission.webhook.configuration import GROUP
from lateen.cluster.apiserver.admission.webhook.matching import Matcher, seen
from lateen.cluster.apiserver.admission.webhook.review import admission_request
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store_changes import StoreChanges
from lateen.cluster.objects import GVK, Key, Obj, labels_of, name_of, split_api_version
from lateen.cluster.selectors import from_label_selector
from lateen.cluster.status import Cause, StatusError

_POLICIES = (GROUP, "validatingadmissionpolicies")
_BINDINGS = (GROUP, "validatingadmissionpolicybindings")
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}


class ValidatingPolicies(Plugin):
    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._matcher = Matcher(store, registry)
        self._changes = StoreChanges(store, [_POLICIES, _BINDINGS])
        self._bound: Sequence[tuple[Policy, Binding]] = ()

    async def validate(self, attributes: Attributes) -> None:
        for policy, binding in self._bindings():
            kind = self._selected(policy.matches, attributes)
            if kind is None or (binding.matches is not None and self._selected(binding.matches, attributes) is None):
                continue
            for params in self._params(policy, binding, attributes):
                for finding in findings(policy, self._variables(attributes, kind, params)):
                    _act(policy, binding, finding, attributes)

    def _bindings(self) -> Sequence[tuple[Policy, Binding]]:
        if self._changes.take():
            policies = {name_of(p): read_policy(p) for p in self._store.list(_POLICIES).items}
            bindings = [read_binding(b) for b in self._store.list(_BINDINGS).items]
            self._bound = [(policies[b.policy], b) for b in bindings if b.policy in policies]
        return self._bound

    def _selected(self, criteria: MatchResources, attributes: Attributes) -> Kind | None:
        kind = self._matcher.seen_as(criteria, attributes)
        if kind is None:
            return None
        asked = (attributes.operation, kind.resource.gvr, attributes.subresource, bool(attributes.namespace))
        if any(rule.matches(*asked) for rule in criteria.excluded):
            return None
        named = [names for rule, names in criteria.names if rule.matches(*asked)]
        return kind if not named or any(attributes.name in names for names in named) else None

    def _variables(self, attributes: Attributes, kind: Kind, params: Obj | None) -> dict[str, Any]:
        obj, old = (seen(o, attributes.kind, kind) for o in (attributes.obj, attributes.old))
        request = admission_request(attributes, kind, None, None)
        namespace = self._store.get(("", "namespaces"), Key("", attributes.namespace)) if attributes.namespace else None
        return {
            "object": obj,
            "oldObject": old,
            "request": {key: value for key, value in request.items() if key not in ("object", "oldObject", "uid")},
            "params": params,
            "namespaceObject": namespace,
        }

    def _params(self, policy: Policy, binding: Binding, attributes: Attributes) -> list[Obj | None]:
        """The parameter objects, each of which the request is checked with."""
        reference = binding.param_ref
        if policy.param_kind is None or reference is None:
            return [None]
        kind = self._registry.by_gvk(GVK(*split_api_version(policy.param_kind[0]), policy.param_kind[1]))
        found: list[Obj] = []
        if kind is not None:
            namespace = (reference.get("namespace") or attributes.namespace) if kind.resource.namespaced else ""
            if reference.get("name"):
                one = self._store.get(kind.storage, Key(namespace, str(reference["name"])))
                found = [kind.from_storage(one)] if one is not None else []
            else:
                selector = from_label_selector(reference.get("selector"))
                stored = self._store.list(kind.storage, namespace).items
                found = [kind.from_storage(o) for o in stored if selector.matches(labels_of(o))]
        if found or reference.get("parameterNotFoundAction") == "Allow":
            return list(found)
        if policy.fails_closed:
            problem = "no params found for policy binding with `Deny` parameterNotFoundAction"
            _act(policy, binding, Finding(f"failed to configure binding: {problem}", "Invalid"), attributes)
        return []


def _act(policy: Policy, binding: Binding, finding: Finding, attributes: Attributes) -> None:
    named = f"ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}' denied request: {finding.message}"
    if "Warn" in binding.actions:
        attributes.ctx.warn(f"Validation failed for {named.replace(' denied request:', ':')}")
    if "Deny" in binding.actions:
        raise _denial(named, finding.reason, attributes)


def _denial(message: str, reason: str, attributes: Attributes) -> StatusError:
    refusal = attributes.refuse(message)
    refusal.code, refusal.reason = _CODES.get(reason, 422), reason
    refusal.causes = (Cause("", message, ""),)
    return refusal
