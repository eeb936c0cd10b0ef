"""AuthorizationPolicies as the RBAC filters of gRPC servers: those of a sidecar, without what gRPC cannot evaluate.

The outcome is then the one that lets less through, as everywhere: an ALLOW rule that has such an attribute is left out,
in a DENY rule the attribute counts as matched.
"""

from __future__ import annotations

from typing import Any, Final

from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2

from lateen.engine import Reader
from lateen.model.authorization import Authorization
from lateen.translate.filters.rbac import HTTP_RBAC, http_rbac

_KNOWN: Final = frozenset({
    # Of a Permission and of a Principal.
    "any", "header", "url_path", "destination_ip", "destination_port", "requested_server_name",
    "authenticated", "direct_remote_ip", "remote_ip",
})  # fmt: skip
_SETS: Final = {"and_rules": "rules", "or_rules": "rules", "and_ids": "ids", "or_ids": "ids"}
_INVERTED: Final = frozenset({"not_rule", "not_id"})


def add_authorization(db: Reader, manager: Any, authorization: Authorization) -> None:
    """Appends the filters to an `HttpConnectionManager`. No two may have the same name."""
    for index, each in enumerate(http_rbac(db, authorization)):
        found = http_rbac_pb2.RBAC.FromString(each.body)
        # What is on trial is tried by proxies alone.
        found.ClearField("shadow_rules")
        found.ClearField("shadow_rules_stat_prefix")
        if not found.HasField("rules"):
            continue
        for name in sorted(found.rules.policies):
            if not _reduce(found.rules.policies[name], is_strict=found.rules.action == rbac_pb2.RBAC.ALLOW):
                del found.rules.policies[name]
        added = manager.http_filters.add(name=f"{HTTP_RBAC}.{index}")
        added.typed_config.Pack(found, deterministic=True)


def add_refusal(manager: Any) -> None:
    """Appends a filter that lets nothing through to an `HttpConnectionManager`."""
    nothing = http_rbac_pb2.RBAC()
    nothing.rules.action = rbac_pb2.RBAC.ALLOW
    manager.http_filters.add(name=HTTP_RBAC).typed_config.Pack(nothing)


def _reduce(policy: Any, *, is_strict: bool) -> bool:
    """Leaves out what cannot be evaluated; whether the policy stays."""
    for alternative, member in [
        *((each, "rules") for each in policy.permissions),
        *((each, "ids") for each in policy.principals),
    ]:
        terms = getattr(getattr(alternative, f"and_{member}"), member)
        known = [each for each in terms if _is_known(each)]
        if len(known) == len(terms):
            continue
        if is_strict:
            return False
        kept = [type(each).FromString(each.SerializeToString()) for each in known]
        del terms[:]
        terms.extend(kept)
        if not kept:
            terms.add().any = True
    return True


def _is_known(term: Any) -> bool:
    """Whether gRPC evaluates a `Permission` or `Principal`."""
    kind = term.WhichOneof("rule") if isinstance(term, rbac_pb2.Permission) else term.WhichOneof("identifier")
    if kind in _SETS:
        return all(_is_known(each) for each in getattr(getattr(term, kind), _SETS[kind]))
    if kind in _INVERTED:
        return _is_known(getattr(term, kind))
    if kind == "header" and (term.header.name == ":scheme" or term.header.name.startswith("grpc-")):
        # These gRPC keeps to itself: it refuses all of a listener that asks for one.
        return False
    return kind in _KNOWN
