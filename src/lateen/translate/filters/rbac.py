"""AuthorizationPolicies as Envoy's RBAC filters: of HTTP requests, and of connections that carry anything else.

One filter for each action that some policy has: CUSTOM (refused, no extension is asked), DENY, ALLOW, in this order.
The names of rules, prefixes of statistics, and results of trial policies (`istio.io/dry-run`) are Istio's
(pilot/pkg/security/authz/builder).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2

from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.authorization import Authorization
from lateen.translate.filters.rbac_rules import policy_rules

HTTP_RBAC: Final = "envoy.filters.http.rbac"
NETWORK_RBAC: Final = "envoy.filters.network.rbac"
_NETWORK_PREFIX: Final = "tcp."
_CUSTOM_SUFFIX: Final = "-deny-due-to-bad-CUSTOM-action"
_DENY: Final = rbac_pb2.RBAC.DENY
_ALLOW: Final = rbac_pb2.RBAC.ALLOW
_TRIALS: Final = {_DENY: "istio_dry_run_deny_", _ALLOW: "istio_dry_run_allow_"}


class Filter(NamedTuple):
    """A filter, serialised once for all chains that have it."""

    name: str
    type_url: str
    body: bytes

    def add_to(self, filters: Any) -> None:
        """Appends it to the filters of a chain or of an HTTP connection manager."""
        added = filters.add(name=self.name)
        added.typed_config.type_url = self.type_url
        added.typed_config.value = self.body


Filters = tuple[Filter, ...]


@query
def http_rbac(db: Reader, authorization: Authorization) -> Filters:
    """The filters that a connection manager begins with."""
    return tuple(
        _filter(HTTP_RBAC, _filled(http_rbac_pb2.RBAC(), each)) for each in _rules(db, authorization, over_tcp=False)
    )


@query
def network_rbac(db: Reader, authorization: Authorization) -> Filters:
    """The filters that a chain begins with whose connections carry no HTTP, or none that can be seen."""
    return tuple(
        _filter(NETWORK_RBAC, _filled(network_rbac_pb2.RBAC(stat_prefix=_NETWORK_PREFIX), each))
        for each in _rules(db, authorization, over_tcp=True)
    )


class _Rules(NamedTuple):
    """All policies of one action; None where there are none."""

    action: Any
    enforced: Any
    tried: Any


def _rules(db: Reader, authorization: Authorization, *, over_tcp: bool) -> tuple[_Rules, ...]:
    found = (
        (_DENY, authorization.custom, _CUSTOM_SUFFIX),
        (_DENY, authorization.deny, ""),
        (_ALLOW, authorization.allow, ""),
    )
    return tuple(_joined(db, action, keys, suffix, over_tcp) for action, keys, suffix in found if keys)


def _joined(db: Reader, action: Any, keys: tuple[Key, ...], suffix: str, over_tcp: bool) -> _Rules:
    enforced, tried = None, None
    for key in keys:
        policy = policy_rules(db, key, over_tcp)
        if policy.dry_run:
            into = tried = rbac_pb2.RBAC(action=action) if tried is None else tried
        else:
            into = enforced = rbac_pb2.RBAC(action=action) if enforced is None else enforced
        for name, body in policy.rules:
            into.policies[name + suffix].MergeFromString(body)
    return _Rules(action, enforced, tried)


def _filled(message: Any, rules: _Rules) -> Any:
    if rules.enforced is not None:
        # Without rules ALLOW is an empty message: it must be there all the same, to refuse everything.
        message.rules.SetInParent()
        message.rules.MergeFrom(rules.enforced)
    if rules.tried is not None:
        message.shadow_rules.SetInParent()
        message.shadow_rules.MergeFrom(rules.tried)
        message.shadow_rules_stat_prefix = _TRIALS[rules.action]
    return message


def _filter(name: str, message: Any) -> Filter:
    body = message.SerializeToString(deterministic=True)
    return Filter(name, f"type.googleapis.com/{message.DESCRIPTOR.full_name}", body)
