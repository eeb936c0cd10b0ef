"""The rules of an AuthorizationPolicy as Envoy's RBAC policies, once for HTTP and once for byte streams.

Attributes of HTTP mean nothing to a byte stream, and some attributes cannot be evaluated by this version
(`api/security/authorization_support.py`). Either way the outcome is the one that lets less through: an ALLOW rule that
has such an attribute anywhere is left out, in a DENY rule the attribute counts as matched. As Istio does for byte
streams (pilot/pkg/security/authz/model).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from envoy.config.rbac.v3 import rbac_pb2

from lateen.api.objects import Key
from lateen.api.security.authorization_policy import Action, Condition, Operation, Rule, Source
from lateen.engine import Reader, query
from lateen.model.authorization import is_dry_run
from lateen.model.inputs import AUTHORIZATION_POLICIES
from lateen.model.mesh import trust_domain, trust_domain_aliases
from lateen.model.trust_domains import under_aliases, with_aliases_of
from lateen.translate.filters import rbac_matches as matches

_HEADERS: Final = "request.headers["
_FILTERS: Final = "experimental.envoy.filters."


class PolicyRules(NamedTuple):
    """A policy as Envoy has it."""

    dry_run: bool
    rules: tuple[tuple[str, bytes], ...]
    """Names, `ns[NAMESPACE]-policy[NAME]-rule[INDEX]`, and serialised `Policy` messages."""


class _Clause(NamedTuple):
    """An attribute, of which one of `values` must match and none of `not_values`."""

    match: matches.Match | None
    """None: it cannot be evaluated."""
    values: Sequence[str]
    not_values: Sequence[str]


class _CannotEvaluate(Exception):
    """A rule has an attribute that cannot be evaluated."""


@query
def policy_rules(db: Reader, key: Key, over_tcp: bool) -> PolicyRules:
    """The rules of a policy that is there."""
    policy = AUTHORIZATION_POLICIES.get(db, key)
    if policy is None:
        return PolicyRules(False, ())
    rules = policy.spec.rules_
    form = _Form(key.namespace, (trust_domain(db), *trust_domain_aliases(db)), over_tcp, policy.spec.action)
    made = [(_name(key, index), form.policy(rule)) for index, rule in enumerate(rules)]
    if not rules:
        made = [(_name(key, 0), _never())]
    found = ((name, message.SerializeToString(deterministic=True)) for name, message in made if message is not None)
    return PolicyRules(is_dry_run(policy), tuple(found))


def _name(key: Key, index: int) -> str:
    return f"ns[{key.namespace}]-policy[{key.name}]-rule[{index}]"


def _never() -> Any:
    """Matches nothing."""
    found = rbac_pb2.Policy()
    found.permissions.add().not_rule.any = True
    found.principals.add().not_id.any = True
    return found


class _Form:
    """Makes Envoy's form of the rules of one policy."""

    def __init__(self, namespace: str, trust_domains: tuple[str, ...], over_tcp: bool, action: Action) -> None:
        self._namespace = namespace
        self._trust_domains = trust_domains
        self._over_tcp = over_tcp
        self._strict = action is Action.ALLOW

    def policy(self, rule: Rule) -> Any:
        """The `Policy` of a rule; None for an ALLOW rule that cannot be evaluated."""
        asked, asking = self._conditions(rule.when)
        found = rbac_pb2.Policy()
        try:
            for operation in [each.operation for each in rule.to] or [None]:
                clauses = [*(self._operation(operation) if operation is not None else ()), *asked]
                _all_of(found.permissions.add(), "rules", self._terms(clauses, _PERMISSIONS))
            for source in [each.source for each in rule.from_] or [None]:
                clauses = [*(self._source(source) if source is not None else ()), *asking]
                _all_of(found.principals.add(), "ids", self._terms(clauses, _PRINCIPALS))
        except _CannotEvaluate:
            return None
        return found

    def _terms(self, clauses: Sequence[_Clause], kind: _Kind) -> Iterator[Any]:
        """What must all hold."""
        for clause in clauses:
            if not clause.values and not clause.not_values:
                continue
            if clause.match is None:
                if self._strict:
                    raise _CannotEvaluate
                continue
            if clause.values:
                yield kind.one_of(map(clause.match, clause.values))
            if clause.not_values:
                yield kind.none_of(map(clause.match, clause.not_values))

    def _operation(self, of: Operation) -> tuple[_Clause, ...]:
        return (
            _Clause(self._http(matches.host), of.hosts, of.not_hosts),
            _Clause(self._http(matches.method), of.methods, of.not_methods),
            _Clause(self._http(matches.path), of.paths, of.not_paths),
            _Clause(matches.destination_port, of.ports, of.not_ports),
        )

    def _source(self, of: Source) -> tuple[_Clause, ...]:
        return (
            self._peers(of.principals, of.not_principals),
            _Clause(None, of.request_principals, of.not_request_principals),
            _Clause(matches.peer_namespace, of.namespaces, of.not_namespaces),
            _Clause(
                matches.peer_trust_domain,
                with_aliases_of(of.trust_domains, self._trust_domains),
                with_aliases_of(of.not_trust_domains, self._trust_domains),
            ),
            self._accounts(of.service_accounts, of.not_service_accounts),
            _Clause(matches.remote_ip, of.remote_ip_blocks, of.not_remote_ip_blocks),
            _Clause(matches.source_ip, of.ip_blocks, of.not_ip_blocks),
        )

    def _conditions(self, conditions: Sequence[Condition]) -> tuple[list[_Clause], list[_Clause]]:
        """Those about what is asked, and those about who asks."""
        asked, asking = [], []
        for each in conditions:
            values, not_values = each.values, each.not_values
            match each.key:
                case "destination.ip":
                    asked.append(_Clause(matches.destination_ip, values, not_values))
                case "destination.port":
                    asked.append(_Clause(matches.destination_port, values, not_values))
                case "connection.sni":
                    asked.append(_Clause(matches.server_name, values, not_values))
                case "source.ip":
                    asking.append(_Clause(matches.source_ip, values, not_values))
                case "remote.ip":
                    asking.append(_Clause(matches.remote_ip, values, not_values))
                case "source.namespace":
                    asking.append(_Clause(matches.peer_namespace, values, not_values))
                case "source.principal":
                    asking.append(self._peers(values, not_values))
                case "source.serviceAccount":
                    asking.append(self._accounts(values, not_values))
                case key if key.startswith(_HEADERS):
                    name = key.removeprefix(_HEADERS).removesuffix("]")
                    asking.append(_Clause(self._http(matches.request_header(name)), values, not_values))
                case key if key.startswith(_FILTERS):
                    name, _, inner = key.removeprefix("experimental.").removesuffix("]").partition("[")
                    asked.append(_Clause(matches.filter_metadata(name, inner), values, not_values))
                case _:
                    asking.append(_Clause(None, values, not_values))
        return asked, asking

    def _http(self, match: matches.Match) -> matches.Match | None:
        return None if self._over_tcp else match

    def _peers(self, values: Sequence[str], not_values: Sequence[str]) -> _Clause:
        domains = self._trust_domains
        return _Clause(matches.peer, under_aliases(values, domains), under_aliases(not_values, domains))

    def _accounts(self, values: Sequence[str], not_values: Sequence[str]) -> _Clause:
        return _Clause(matches.peer_service_account(self._namespace), values, not_values)


class _Kind(NamedTuple):
    """`Permission` or `Principal`: they are built alike."""

    message: Callable[[], Any]
    either: str
    neither: str
    """Fields of the message."""
    members: str
    """The field of a set."""

    def one_of(self, found: Iterator[Any]) -> Any:
        term = self.message()
        getattr(getattr(term, self.either), self.members).extend(found)
        return term

    def none_of(self, found: Iterator[Any]) -> Any:
        term = self.message()
        getattr(term, self.neither).CopyFrom(self.one_of(found))
        return term


_PERMISSIONS: Final = _Kind(rbac_pb2.Permission, "or_rules", "not_rule", "rules")
_PRINCIPALS: Final = _Kind(rbac_pb2.Principal, "or_ids", "not_id", "ids")


def _all_of(message: Any, members: str, terms: Iterator[Any]) -> None:
    """Fills a `Permission` or `Principal`: all terms must hold; anything matches where there are none."""
    into = getattr(getattr(message, f"and_{members}"), members)
    into.extend(terms)
    if not into:
        into.add().any = True
