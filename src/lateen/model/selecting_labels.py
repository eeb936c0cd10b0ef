"""Which labels of a workload matter to its configuration: those that some selector asks for.

Each is a union of small facts about single resources, so that editing a resource without touching its selectors changes
nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lateen.api.networking.destination_rule import DestinationRule, LocalityLoadBalancerSetting
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.authorization import attachments
from lateen.model.inputs import DESTINATION_RULES, GATEWAYS, MESH_CONFIG, PEER_AUTHENTICATIONS, VIRTUAL_SERVICES
from lateen.model.mesh import root_namespace
from lateen.model.proxy import Labels
from lateen.model.traffic_policy import declared_policies

Names = frozenset[str]
NONE: Names = frozenset()


def projected(labels: Labels, *asked: Names) -> Labels:
    """The labels that are asked for."""
    return tuple(pair for pair in labels if any(pair[0] in names for names in asked))


@query
def source_labels(db: Reader) -> Names:
    """Labels of clients that VirtualServices match (`sourceLabels`)."""
    return _union(_virtual_service_labels(db, key) for key in VIRTUAL_SERVICES.where(db, "asks_for_clients", True))


@query
def rule_labels(db: Reader, namespace: str) -> Names:
    """Labels of clients by which DestinationRules of their namespace choose (`workloadSelector`)."""
    return _union(_rule_selector(db, key) for key in DESTINATION_RULES.where(db, "namespace", namespace))


@query
def priority_labels(db: Reader) -> Names:
    """Labels of clients that failover priorities compare with those of endpoints."""
    setting = MESH_CONFIG.get(db).locality_lb_setting
    rules = DESTINATION_RULES.where(db, "nearness", "locality")
    return _union(_rule_priorities(db, key) for key in rules) | _priorities(setting)


@query
def gateway_labels(db: Reader) -> Names:
    """Labels by which Gateways select proxies."""
    return _union(_gateway_selector(db, key) for key in GATEWAYS.keys(db))


@query
def authentication_labels(db: Reader, namespace: str) -> Names:
    """Labels by which PeerAuthentications that reach a namespace select workloads."""
    return _union(
        _authentication_selector(db, key)
        for wide in dict.fromkeys((root_namespace(db), namespace))
        for key in PEER_AUTHENTICATIONS.where(db, "namespace", wide)
    )


@query
def authorization_labels(db: Reader, namespace: str) -> Names:
    """Labels by which AuthorizationPolicies that reach a namespace select workloads."""
    return _union(
        policy.names() for wide in dict.fromkeys((root_namespace(db), namespace)) for policy in attachments(db, wide)
    )


@query
def _virtual_service_labels(db: Reader, key: Key) -> Names:
    found = VIRTUAL_SERVICES.get(db, key)
    if found is None:
        return NONE
    spec = found.spec
    return frozenset(
        (
            *(name for http in spec.http for match in http.match for name in match.source_labels),
            *(name for tls in spec.tls for match in tls.match for name in match.source_labels),
            *(name for tcp in spec.tcp for match in tcp.match for name in match.source_labels),
        )
    )


@query
def _rule_selector(db: Reader, key: Key) -> Names:
    found = DESTINATION_RULES.get(db, key)
    selector = found.spec.workload_selector if found is not None else None
    return frozenset(selector.match_labels) if selector is not None else NONE


@query
def _rule_priorities(db: Reader, key: Key) -> Names:
    found = DESTINATION_RULES.get(db, key)
    return _union(map(_priorities, locality_settings(found.spec))) if found is not None else NONE


@query
def _gateway_selector(db: Reader, key: Key) -> Names:
    found = GATEWAYS.get(db, key)
    return frozenset(found.spec.selector) if found is not None else NONE


@query
def _authentication_selector(db: Reader, key: Key) -> Names:
    found = PEER_AUTHENTICATIONS.get(db, key)
    selector = found.spec.selector if found is not None else None
    return frozenset(selector.match_labels) if selector is not None else NONE


def locality_settings(rule: DestinationRule) -> Iterator[LocalityLoadBalancerSetting]:
    """Every locality setting anywhere in a rule."""
    for _, policy in declared_policies(rule):
        for balancer in (policy.load_balancer, *(each.load_balancer for each in policy.port_level_settings)):
            if balancer is not None and balancer.locality_lb_setting is not None:
                yield balancer.locality_lb_setting


def _priorities(setting: LocalityLoadBalancerSetting | None) -> Names:
    """`label` and `label=value` alike."""
    return frozenset(each.partition("=")[0] for each in setting.failover_priority) if setting is not None else NONE


def _union(parts: Iterable[Names]) -> Names:
    return NONE.union(*parts)
