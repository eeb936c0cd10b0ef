"""Which AuthorizationPolicies apply to a workload, and in what order.

Those of the root namespace come first, then those of the workload's own; within a namespace the oldest first. A
selector chooses workloads by labels, in the root namespace those of all namespaces. A policy with targets
(`targetRefs`) is only for gateways that were made from the Gateway it names, in its own namespace (Istio:
pilot/pkg/model/policyattachment.go).

What views hold are names alone: editing a policy's rules changes no view and no listing, only what is made of the
rules.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lateen.api.objects import Key, Object
from lateen.api.security.authorization_policy import Action, AuthorizationPolicy
from lateen.engine import Reader, query
from lateen.model.envoy_filters import GATEWAY_NAME_LABEL
from lateen.model.inputs import AUTHORIZATION_POLICIES
from lateen.model.mesh import root_namespace
from lateen.model.proxy import GatewayView, InboundView, Labels

DRY_RUN: Final = "istio.io/dry-run"
TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
"""As Istio reads its annotation."""


class Authorization(msgspec.Struct, frozen=True, cache_hash=True):
    """The policies of a workload by action, in order."""

    custom: tuple[Key, ...] = ()
    deny: tuple[Key, ...] = ()
    allow: tuple[Key, ...] = ()


class Attachment(msgspec.Struct, frozen=True):
    """What a policy is for and does, without its rules."""

    key: Key
    action: Action
    labels: Labels
    """A workload must have all of them."""
    targeted: bool
    """It is for targets, not for workloads with labels."""
    gateways: frozenset[str]
    """Names of the Gateways that are its targets."""

    def names(self) -> frozenset[str]:
        """The labels that it looks at."""
        return frozenset((GATEWAY_NAME_LABEL,)) if self.targeted else frozenset(name for name, _ in self.labels)


def authorization_of(db: Reader, view: InboundView | GatewayView) -> Authorization:
    """The policies that apply to what a view is of."""
    carried = dict(view.labels)
    is_gateway = isinstance(view, GatewayView)
    found: dict[Action, list[Key]] = {action: [] for action in Action}
    for namespace in dict.fromkeys((root_namespace(db), view.namespace)):
        for each in attachments(db, namespace):
            if _applies(each, carried, is_gateway=is_gateway, own_namespace=namespace == view.namespace):
                found[each.action].append(each.key)
    return Authorization(tuple(found[Action.CUSTOM]), tuple(found[Action.DENY]), tuple(found[Action.ALLOW]))


def is_dry_run(policy: Object[AuthorizationPolicy]) -> bool:
    """Whether a policy is on trial: what it would decide is told, and not done (annotation `istio.io/dry-run`)."""
    return policy.metadata.annotations.get(DRY_RUN, "") in TRUE


@query
def attachments(db: Reader, namespace: str) -> tuple[Attachment, ...]:
    """What the policies of a namespace are for, the oldest policy first. Empty for the empty name."""
    if not namespace:
        return ()
    found = (AUTHORIZATION_POLICIES.get(db, key) for key in AUTHORIZATION_POLICIES.where(db, "namespace", namespace))
    return tuple(
        _attachment(policy)
        for policy in sorted((each for each in found if each is not None), key=lambda each: each.age)
    )


def _attachment(policy: Object[AuthorizationPolicy]) -> Attachment:
    spec = policy.spec
    targets = (*([spec.target_ref] if spec.target_ref is not None else ()), *spec.target_refs)
    return Attachment(
        policy.key,
        spec.action,
        tuple(sorted(spec.selector.match_labels.items())) if spec.selector is not None else (),
        bool(targets),
        frozenset(target.name for target in targets if target.kind == "Gateway"),
    )


def _applies(policy: Attachment, labels: dict[str, str], *, is_gateway: bool, own_namespace: bool) -> bool:
    if policy.targeted:
        return is_gateway and own_namespace and labels.get(GATEWAY_NAME_LABEL) in policy.gateways
    return all(labels.get(name) == value for name, value in policy.labels)
