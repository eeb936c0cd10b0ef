"""What is wrong with an AuthorizationPolicy beyond its types (Istio: pkg/config/validation)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.security.authorization_attributes import (
    Judge,
    judge_of,
    nothing_wrong,
    wrong_address_or_range,
    wrong_path,
    wrong_port,
    wrong_service_account,
)
from lateen.api.security.authorization_policy import Action, AuthorizationPolicy, Condition, Operation, Rule, Source
from lateen.api.type.selector_validation import validate_selector, validate_targets

_Fields = tuple[tuple[str, tuple[str, ...], Judge], ...]

_LONGEST: Final = 2048
"""Characters of a value: as many as a SPIFFE ID may have. Some become regular expressions, whose size Envoys limit."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""What YAML can say and no message can carry."""
_PEER_CONDITIONS: Final = ("source.namespace", "source.serviceAccount", "source.principal")


def validate(obj: Object[AuthorizationPolicy]) -> Iterator[Fault]:
    spec = obj.spec
    yield from validate_selector(spec.selector)
    yield from validate_targets(spec.target_ref, spec.target_refs)
    yield from _action(spec)
    for index, rule in enumerate(spec.rules_):
        path = f"spec.rules[{index}]"
        yield from _rule(rule, path)
        if spec.action is Action.CUSTOM:
            yield from _custom_rule(rule, path)
        if spec.action is Action.DENY and _denies_all_tcp(rule):
            yield warning(
                path,
                "denies all traffic to TCP ports: attributes of HTTP alone count as matched there; name the ports in "
                "to.operation.ports",
            )


def _action(spec: AuthorizationPolicy) -> Iterator[Fault]:
    if spec.action in (Action.CUSTOM, Action.DENY) and not spec.rules_:
        yield error(
            "spec.rules",
            f"missing: {spec.action.value} without rules never matches; an empty rule `{{}}` matches every request",
        )
    if spec.action is Action.CUSTOM:
        if spec.rules_ and (spec.provider is None or not spec.provider.name):
            yield error("spec.provider.name", "missing: CUSTOM asks an extension, by its name in MeshConfig")
    elif spec.provider is not None:
        yield error("spec.provider", f"may be set only when action is CUSTOM, not {spec.action.value}")


def _rule(rule: Rule, path: str) -> Iterator[Fault]:
    for index, item in enumerate(rule.from_):
        where = f"{path}.from[{index}].source"
        if item.source is None:
            yield error(where, "missing: a source is required")
        else:
            yield from _fields(_source_fields(item.source), where, "source")
    for index, each in enumerate(rule.to):
        where = f"{path}.to[{index}].operation"
        if each.operation is None:
            yield error(where, "missing: an operation is required")
        else:
            yield from _fields(_operation_fields(each.operation), where, "operation")
    for index, condition in enumerate(rule.when):
        yield from _condition(condition, f"{path}.when[{index}]")


def _source_fields(source: Source) -> _Fields:
    return (
        ("principals", source.principals, nothing_wrong),
        ("notPrincipals", source.not_principals, nothing_wrong),
        ("requestPrincipals", source.request_principals, nothing_wrong),
        ("notRequestPrincipals", source.not_request_principals, nothing_wrong),
        ("namespaces", source.namespaces, nothing_wrong),
        ("notNamespaces", source.not_namespaces, nothing_wrong),
        ("trustDomains", source.trust_domains, nothing_wrong),
        ("notTrustDomains", source.not_trust_domains, nothing_wrong),
        ("serviceAccounts", source.service_accounts, wrong_service_account),
        ("notServiceAccounts", source.not_service_accounts, wrong_service_account),
        ("ipBlocks", source.ip_blocks, wrong_address_or_range),
        ("notIpBlocks", source.not_ip_blocks, wrong_address_or_range),
        ("remoteIpBlocks", source.remote_ip_blocks, wrong_address_or_range),
        ("notRemoteIpBlocks", source.not_remote_ip_blocks, wrong_address_or_range),
    )


def _operation_fields(operation: Operation) -> _Fields:
    return (
        ("hosts", operation.hosts, nothing_wrong),
        ("notHosts", operation.not_hosts, nothing_wrong),
        ("ports", operation.ports, wrong_port),
        ("notPorts", operation.not_ports, wrong_port),
        ("methods", operation.methods, nothing_wrong),
        ("notMethods", operation.not_methods, nothing_wrong),
        ("paths", operation.paths, wrong_path),
        ("notPaths", operation.not_paths, wrong_path),
    )


def _fields(fields: _Fields, path: str, what: str) -> Iterator[Fault]:
    if not any(values for _, values, _ in fields):
        yield error(path, f"the {what} is empty: set one of its fields, or leave it out to match any")
    for name, values, judge in fields:
        yield from _values(values, judge, f"{path}.{name}")


def _values(values: Sequence[str], judge: Judge, path: str) -> Iterator[Fault]:
    for index, value in enumerate(values):
        wrong = judge(value) if value else "expected a value, got an empty string"
        if len(value) > _LONGEST:
            wrong = f"expected a value of at most {_LONGEST} characters, got {len(value)}"
        if _SURROGATE.search(value):
            wrong = f"expected characters of Unicode, got {value!r}"
        if wrong:
            yield error(f"{path}[{index}]", wrong)


def _condition(condition: Condition, path: str) -> Iterator[Fault]:
    if not condition.key:
        yield error(f"{path}.key", "expected the name of an attribute, got an empty string")
        return
    if _SURROGATE.search(condition.key):
        yield error(f"{path}.key", f"expected characters of Unicode, got {condition.key!r}")
        return
    if not condition.values and not condition.not_values:
        yield error(path, f"values or notValues must be set for {condition.key}")
    judge = judge_of(condition.key)
    if isinstance(judge, str):
        yield error(f"{path}.key", judge)
        return
    yield from _values(condition.values, judge, f"{path}.values")
    yield from _values(condition.not_values, judge, f"{path}.notValues")


def _custom_rule(rule: Rule, path: str) -> Iterator[Fault]:
    """The extension is asked before peers and tokens are known."""
    for index, item in enumerate(rule.from_):
        if item.source is not None:
            for name, values, _ in _source_fields(item.source):
                if values and not name.lower().endswith("ipblocks"):
                    yield error(f"{path}.from[{index}].source.{name}", "not supported with the action CUSTOM")
    for index, condition in enumerate(rule.when):
        if condition.key in _PEER_CONDITIONS or condition.key.startswith("request.auth."):
            yield error(f"{path}.when[{index}].key", f"{condition.key} is not supported with the action CUSTOM")


def _denies_all_tcp(rule: Rule) -> bool:
    """Whether a DENY rule, left with what is known of plain connections, matches all of them."""
    sources = [item.source for item in rule.from_ if item.source is not None]
    operations = [item.operation for item in rule.to if item.operation is not None]
    if operations:
        return not any(operation.ports or operation.not_ports for operation in operations)
    return bool(sources) and not any(
        values
        for source in sources
        for name, values, _ in _source_fields(source)
        if name not in ("requestPrincipals", "notRequestPrincipals")
    )
