"""The policy of one port of one subset: what DestinationRules say in several places, put together.

- A port-level policy stands in for the whole policy it is in: what it leaves out is default, not inherited.
- A subset's policy overrides the rule's setting by setting (load balancer, connection pool, outlier detection, TLS,
  tunnel, PROXY protocol, retry budget); settings are never merged with one another.
- A port-level policy of a subset overrides the first four even where it leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.destination_rule import ClientTLSSettings, DestinationRule, TrafficPolicy
from lateen.engine import Reader, query
from lateen.model.destination_rules import MergedRule, Rules, merged_rule

NO_POLICY = TrafficPolicy()


def declared_policies(spec: DestinationRule) -> Iterator[tuple[str, TrafficPolicy]]:
    """Every policy of a rule, and where it is."""
    if spec.traffic_policy is not None:
        yield "spec.trafficPolicy", spec.traffic_policy
    for index, subset in enumerate(spec.subsets):
        if subset.traffic_policy is not None:
            yield f"spec.subsets[{index}].trafficPolicy", subset.traffic_policy


def declared_tls(spec: DestinationRule) -> Iterator[tuple[str, ClientTLSSettings]]:
    """All that a rule says of TLS, of ports too, and where."""
    for path, policy in declared_policies(spec):
        if policy.tls is not None:
            yield f"{path}.tls", policy.tls
        for index, port in enumerate(policy.port_level_settings):
            if port.tls is not None:
                yield f"{path}.portLevelSettings[{index}].tls", port.tls


@query
def effective_policy(db: Reader, rules: Rules, port: int, subset: str) -> TrafficPolicy:
    """What rules say of a port (of the service) and a subset ("" for all endpoints). Without port-level settings."""
    return policy_of(merged_rule(db, rules), port, subset) if rules else NO_POLICY


def policy_of(rule: MergedRule, port: int, subset: str) -> TrafficPolicy:
    """What a rule says of a port and a subset; of a subset it does not have, what it says of all."""
    general, _ = at_port(rule.policy, port)
    found = rule.subset(subset) if subset else None
    if found is None or found.traffic_policy is None:
        return general
    special, is_port_level = at_port(found.traffic_policy, port)
    return overridden(general, special, is_port_level)


def at_port(policy: TrafficPolicy | None, port: int) -> tuple[TrafficPolicy, bool]:
    """The policy of a port, and whether it is port-level."""
    if policy is None:
        return NO_POLICY, False
    if not policy.port_level_settings:
        return policy, False
    for settings in policy.port_level_settings:
        if settings.port is not None and settings.port.number == port:
            found = TrafficPolicy(
                load_balancer=settings.load_balancer,
                connection_pool=settings.connection_pool,
                outlier_detection=settings.outlier_detection,
                tls=settings.tls,
            )
            return found, True
    return _without_ports(policy), False


def overridden(general: TrafficPolicy, special: TrafficPolicy, is_port_level: bool) -> TrafficPolicy:
    """A rule's policy with what a subset's says instead."""
    if is_port_level:
        load_balancer, connection_pool = special.load_balancer, special.connection_pool
        outlier_detection, tls = special.outlier_detection, special.tls
    else:
        load_balancer = special.load_balancer or general.load_balancer
        connection_pool = special.connection_pool or general.connection_pool
        outlier_detection = special.outlier_detection or general.outlier_detection
        tls = special.tls or general.tls
    return TrafficPolicy(
        load_balancer=load_balancer,
        connection_pool=connection_pool,
        outlier_detection=outlier_detection,
        tls=tls,
        tunnel=special.tunnel or general.tunnel,
        proxy_protocol=special.proxy_protocol or general.proxy_protocol,
        retry_budget=special.retry_budget or general.retry_budget,
    )


def _without_ports(policy: TrafficPolicy) -> TrafficPolicy:
    return TrafficPolicy(
        load_balancer=policy.load_balancer,
        connection_pool=policy.connection_pool,
        outlier_detection=policy.outlier_detection,
        tls=policy.tls,
        tunnel=policy.tunnel,
        proxy_protocol=policy.proxy_protocol,
        retry_budget=policy.retry_budget,
    )
