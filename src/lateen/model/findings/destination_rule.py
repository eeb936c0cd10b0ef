"""Findings on DestinationRules: services, ports and endpoints that are not there, and what other resources say against
them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lateen.api.networking.destination_rule import (
    ClientTLSSettings,
    DestinationRule,
    TLSmode,
    TrafficPolicy,
)
from lateen.api.objects import Key, Object
from lateen.api.schema.fault import Fault, Severity
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.credentials import wrong_scheme
from lateen.model.destination_rules import RuleOutline, namespace_rules, rule_outline
from lateen.model.endpoints import endpoints_by_port, matching
from lateen.model.inputs import DESTINATION_RULES
from lateen.model.peer_authentication import peer_policies
from lateen.model.service import Resolution, Service, ServicePort
from lateen.model.services import service, service_keys, services_of_host
from lateen.model.traffic_policy import at_port, declared_policies, declared_tls

NOT_FOUND: Final = "IST0101"
MUTUAL_TLS_CONFLICT: Final = "IST0113"
EMPTY_SUBSET: Final = "IST0173"

_ORIGINATED = frozenset({TLSmode.SIMPLE, TLSmode.MUTUAL})
_LISTED = frozenset({Resolution.EDS, Resolution.DNS, Resolution.DNS_ROUND_ROBIN})
"""Services whose endpoints the mesh knows."""


@query
def destination_rule_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """Everything about a DestinationRule that its author should know and that it alone does not tell."""
    rule = DESTINATION_RULES.get(db, key)
    outline = rule_outline(db, key)
    if rule is None or outline is None:
        return ()
    return (*_services(db, rule, outline), *_others(db, rule, outline), *_credentials(rule))


def _warning(path: str, message: str, code: str = "") -> Fault:
    return Fault(path, message, Severity.WARNING, code)


# --- the services it is for -----------------------------------------------------------------------------------------


def _services(db: Reader, rule: Object[DestinationRule], outline: RuleOutline) -> Iterator[Fault]:
    if hosts.is_wildcard(outline.host):
        if not any(hosts.covers(outline.host, key.hostname) for key in service_keys(db)):
            yield _warning("spec.host", f"no service's host is covered by {outline.host}", NOT_FOUND)
        return
    found = [each for key in services_of_host(db, outline.host) if (each := service(db, key)) is not None]
    if not found:
        yield _warning("spec.host", f"there is no service with host {outline.host}", NOT_FOUND)
        return
    yield from _ports(rule.spec, found)
    yield from _subsets(db, rule.spec, found)
    for each in found:
        yield from _mutual_tls(db, rule.spec, each)


def _ports(spec: DestinationRule, found: list[Service]) -> Iterator[Fault]:
    """Settings for ports that the service does not have."""
    known = {port.port for each in found for port in each.ports}
    for path, policy in declared_policies(spec):
        for index, settings in enumerate(policy.port_level_settings):
            number = settings.port.number if settings.port is not None else 0
            if number not in known:
                where = f"{path}.portLevelSettings[{index}].port.number"
                yield _warning(where, f"{found[0].hostname} has no port {number}", NOT_FOUND)


def _subsets(db: Reader, spec: DestinationRule, found: list[Service]) -> Iterator[Fault]:
    """Subsets without endpoints, of services that have some: what is not deployed yet, or scaled to zero, is no mistake
    of the rule. This alone depends on endpoints."""
    if not any(subset.labels for subset in spec.subsets) or any(each.resolution not in _LISTED for each in found):
        return
    listed = tuple(end for each in found for ends in endpoints_by_port(db, each.key).values() for end in ends)
    if not listed:
        return
    for index, subset in enumerate(spec.subsets):
        labels = tuple(sorted(subset.labels.items()))
        if labels and not matching(listed, labels):
            shown = ", ".join(f"{name}={value}" for name, value in labels)
            yield _warning(f"spec.subsets[{index}]", f"no endpoint has the labels {shown}", EMPTY_SUBSET)


def _mutual_tls(db: Reader, spec: DestinationRule, found: Service) -> Iterator[Fault]:
    """TLS that the service's workloads refuse: their namespace's policies against what the rule has clients do."""
    if found.mesh_external or not found.selects:
        return
    policies = peer_policies(db, found.namespace)
    for path, policy in declared_policies(spec):
        for port in found.ports:
            settings, is_port_level = at_port(policy, port.port)
            if settings.tls is None:
                continue
            wanted = policies.of_port(found.selector, port.target_port)
            if wrong := _refused(settings.tls, wanted):
                where = f"{path}{_port_path(policy, port) if is_port_level else ''}.tls.mode"
                message = f"{found.hostname}:{port.port} {wrong}: PeerAuthentication asks for {wanted.value}"
                yield _warning(where, message, MUTUAL_TLS_CONFLICT)


def _refused(tls: ClientTLSSettings, wanted: MutualTLSMode) -> str:
    if wanted is MutualTLSMode.STRICT and tls.mode is TLSmode.DISABLE:
        return "takes no plain text"
    if wanted is MutualTLSMode.DISABLE and tls.mode is TLSmode.ISTIO_MUTUAL:
        return "does not take the mesh's TLS"
    return ""


def _port_path(policy: TrafficPolicy, port: ServicePort) -> str:
    settings = policy.port_level_settings
    numbers = [each.port.number if each.port is not None else 0 for each in settings]
    return f".portLevelSettings[{numbers.index(port.port)}]"


# --- other rules ----------------------------------------------------------------------------------------------------


def _others(db: Reader, rule: Object[DestinationRule], outline: RuleOutline) -> Iterator[Fault]:
    """What older rules of the same namespace for the same host take from it."""
    same = namespace_rules(db, rule.metadata.namespace).named.get(outline.host, ())
    older = [each.key for each in same if each.age < outline.age and each.selector == outline.selector]
    for key in older:
        other = DESTINATION_RULES.get(db, key)
        if other is None:
            continue
        if rule.spec.traffic_policy is not None and other.spec.traffic_policy is not None:
            yield _warning(
                "spec.trafficPolicy", f"has no effect: {key} is older and for {outline.host} too; put them together"
            )
        names = {subset.name for subset in other.spec.subsets}
        for index, subset in enumerate(rule.spec.subsets):
            if subset.name in names:
                yield _warning(f"spec.subsets[{index}]", f"has no effect: {key} is older and has {subset.name!r} too")


# --- credentials ----------------------------------------------------------------------------------------------------


def _credentials(rule: Object[DestinationRule]) -> Iterator[Fault]:
    """Credentials are for gateways, and for sidecars that the rule selects: all others speak plain text."""
    for path, tls in declared_tls(rule.spec):
        if tls.mode not in _ORIGINATED or not tls.credential_name:
            continue
        if wrong := wrong_scheme(tls.credential_name):
            yield _warning(f"{path}.credentialName", f"is not served: {wrong}")
        elif rule.spec.workload_selector is None:
            message = "is for gateways alone: sidecars originate no TLS unless workloadSelector selects them"
            yield _warning(f"{path}.credentialName", message)
