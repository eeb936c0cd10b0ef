"""The law of authorization: a real Envoy decides as AuthorizationPolicies say, evaluated by the words of their
documentation, for random policies, callers, requests and connections."""

from __future__ import annotations

import http.client
import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lateen.testing.guarded_workload import WITHOUT_METRICS, Ask, Caller, Guards, answer
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.static_bootstrap import static_bootstrap

Policy = Mapping[str, Any]
TRUST_DOMAINS = ("cluster.local", "old")
CONFIG = f"{WITHOUT_METRICS}trustDomainAliases: [old]\n"


# --- what policies mean -----------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """All that can be known of a request or of a connection."""

    caller: Caller
    destination: str
    port: int
    ask: Ask | None
    """None: a byte stream."""

    @property
    def peer(self) -> tuple[str, str, str]:
        """Trust domain, namespace, account."""
        _, _, domain, _, namespace, _, account = self.caller.identity.split("/")
        return domain, namespace, account

    def header(self, name: str) -> list[str]:
        assert self.ask is not None
        return [value for key, value in self.ask.headers if key.lower() == name.lower()]

    @property
    def remote(self) -> str:
        forwarded = self.header("x-forwarded-for") if self.ask is not None else []
        return forwarded[-1].rpartition(",")[2].strip() if forwarded else self.caller.address


class HttpOnly(Exception):
    """The rule asks of a byte stream what only requests have."""


def allowed(policies: Sequence[Policy], seen: Seen) -> bool:
    """DENY first, then ALLOW if there is any; policies on trial decide nothing."""
    real = [
        {**p["spec"], "rules": [qualified(rule, p["metadata"]["namespace"]) for rule in p["spec"].get("rules", ())]}
        for p in policies
        if p["metadata"].get("annotations", {}).get("istio.io/dry-run") != "true"
    ]
    if any(matches(rule, seen, deny=True) for p in real if p.get("action") == "DENY" for rule in p["rules"]):
        return False
    allowing = [p for p in real if p.get("action", "ALLOW") == "ALLOW"]
    return not allowing or any(matches(rule, seen, deny=False) for p in allowing for rule in p["rules"])


def matches(rule: Mapping[str, Any], seen: Seen, *, deny: bool) -> bool:
    """An ALLOW rule with attributes of HTTP never matches a byte stream; in a DENY rule they count as matched."""
    try:
        conditions = [condition(each, seen, deny) for each in rule.get("when", ())]
        sources = [source(each["source"], seen) for each in rule.get("from", ())]
        operations = [operation(each["operation"], seen, deny) for each in rule.get("to", ())]
    except HttpOnly:
        return False
    return all(conditions) and (not sources or any(sources)) and (not operations or any(operations))


def attribute(values: Sequence[str], unless: Sequence[str], match: Any) -> bool:
    return (not values or any(map(match, values))) and not any(map(match, unless))


def source(given: Mapping[str, Any], seen: Seen) -> bool:
    return all(
        attribute(given.get(name, ()), given.get(f"not{name[0].upper()}{name[1:]}", ()), lambda v, m=match: m(v, seen))
        for name, match in SOURCES.items()
    )


def operation(given: Mapping[str, Any], seen: Seen, deny: bool) -> bool:
    ports = attribute(given.get("ports", ()), given.get("notPorts", ()), lambda value: int(value) == seen.port)
    names = [n for n in OPERATIONS if n in given or f"not{n.capitalize()}" in given]
    if seen.ask is None and names:
        if not deny:
            raise HttpOnly
        return ports
    ask = seen.ask
    return ports and all(
        attribute(given.get(n, ()), given.get(f"not{n.capitalize()}", ()), lambda v, m=OPERATIONS[n]: m(v, ask))
        for n in names
    )


def condition(given: Mapping[str, Any], seen: Seen, deny: bool) -> bool:
    key, values, unless = given["key"], given.get("values", ()), given.get("notValues", ())
    if key.startswith("request.headers["):
        if seen.ask is None:
            if not deny:
                raise HttpOnly
            return True
        found = seen.header(key.removeprefix("request.headers[").removesuffix("]"))
        return attribute(values, unless, lambda v: any(v == "*" or text(v, value) for value in found))
    return attribute(values, unless, lambda value: CONDITIONS[key](value, seen))


def text(pattern: str, value: str) -> bool:
    if pattern == "*":
        return bool(value)
    if pattern.startswith("*"):
        return value.endswith(pattern[1:])
    if pattern.endswith("*"):
        return value.startswith(pattern[:-1])
    return value == pattern


def path(pattern: str, ask: Ask) -> bool:
    asked = ask.path.partition("?")[0]
    if "{" not in pattern:
        return text(pattern, asked)
    return template(pattern.split("/")[1:], asked.split("/")[1:])


def template(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    """`{*}` is one segment that is not empty, `{**}` any number of them, or none, after its slash."""
    if not pattern:
        return not segments
    if pattern[0] == "{**}":
        return any(template(pattern[1:], segments[taken:]) for taken in range(1, len(segments) + 1))
    if not segments or (pattern[0] != "{*}" and pattern[0] != segments[0]) or (pattern[0] == "{*}" and not segments[0]):
        return False
    return template(pattern[1:], segments[1:])


def within(block: str, address: str) -> bool:
    """An IPv4 address within IPv6 is that IPv4 address."""
    if block.startswith("::ffff:"):
        plain, _, length = block.removeprefix("::ffff:").partition("/")
        block = f"{plain}/{int(length) - 96}"
    return ipaddress.ip_address(address) in ipaddress.ip_interface(block).network


def principal(pattern: str, seen: Seen) -> bool:
    """Under each name of the mesh's own trust domain."""
    if not seen.caller.identity:
        return False
    domain, namespace, account = seen.peer
    parts = pattern.split("/")
    names = {domain, *TRUST_DOMAINS} if domain in TRUST_DOMAINS and parts[0] in TRUST_DOMAINS else {domain}
    whole = len(parts) == 5
    return any(text(pattern, f"{name}/ns/{namespace}/sa/{account}") for name in (names if whole else {domain}))


def namespace(pattern: str, seen: Seen) -> bool:
    return bool(seen.caller.identity) and text(pattern, seen.peer[1])


def account(pattern: str, seen: Seen) -> bool:
    where, _, name = pattern.rpartition("/")
    return bool(seen.caller.identity) and seen.peer[1:] == (where, name)


def qualified(given: Any, policy_namespace: str) -> Any:
    """With the policy's own namespace before the names of accounts that have none."""
    if isinstance(given, Mapping):
        accounts = {"serviceAccounts", "notServiceAccounts"} | (
            {"values", "notValues"} if given.get("key") == "source.serviceAccount" else set()
        )
        return {
            key: [value if "/" in value else f"{policy_namespace}/{value}" for value in each]
            if key in accounts
            else qualified(each, policy_namespace)
            for key, each in given.items()
        }
    return [qualified(each, policy_namespace) for each in given] if isinstance(given, list) else given


SOURCES: dict[str, Any] = {
    "principals": principal,
    "namespaces": namespace,
    "serviceAccounts": account,
    "trustDomains": lambda v, seen: (
        bool(seen.caller.identity) and (seen.peer[0] in TRUST_DOMAINS if v in TRUST_DOMAINS else text(v, seen.peer[0]))
    ),
    "ipBlocks": lambda v, seen: within(v, seen.caller.address),
    "remoteIpBlocks": lambda v, seen: within(v, seen.remote),
}
OPERATIONS: dict[str, Any] = {
    "hosts": lambda v, ask: text(v.lower(), ask.host.lower()),
    "methods": lambda v, ask: text(v, ask.method),
    "paths": path,
}
CONDITIONS: dict[str, Any] = {
    "source.ip": SOURCES["ipBlocks"],
    "remote.ip": SOURCES["remoteIpBlocks"],
    "source.namespace": namespace,
    "source.principal": principal,
    "source.serviceAccount": account,
    "destination.ip": lambda v, seen: within(v, seen.destination),
    "destination.port": lambda v, seen: int(v) == seen.port,
    "connection.sni": lambda v, seen: text(v.lower(), seen.caller.server_name.lower()),
}

# --- what there is ----------------------------------------------------------------------------------------------------

IDENTITIES = [
    f"spiffe://{domain}/ns/{namespace}/sa/{account}"
    for domain, namespace, account in (
        ("cluster.local", "default", "web"),
        ("cluster.local", "default", "web-2"),
        ("old", "default", "web"),
        ("cluster.local", "other", "web"),
        ("cluster.local", "other-2", "db"),
    )
]
ADDRESSES = ("127.0.0.1", "127.0.0.9", "127.9.0.1")
NAMES = ("", "a.example.com", "b.example.com", "A.Example.com")
PATHS = ("/", "/admin", "/admin/", "/admin/users", "/admin/users/1", "/public?q=/admin", "/ADMIN", "/a.b/c")
HOSTS = ("web", "WEB", "web.default", "api.example.com", "web:8080")
HEADERS = (("x-tenant", "blue"), ("X-Tenant", "blue-2"), ("x-tenant", ""), ("x-forwarded-for", "10.1.2.3"))
callers = st.builds(
    Caller, st.one_of(st.just(""), st.sampled_from(IDENTITIES)), st.sampled_from(ADDRESSES), st.sampled_from(NAMES)
).map(lambda caller: caller if caller.identity else caller._replace(server_name=""))
asks = st.builds(
    Ask,
    st.sampled_from(("GET", "POST", "DELETE", "OPTIONS")),
    st.sampled_from(PATHS),
    st.sampled_from(HOSTS),
    st.lists(st.sampled_from(HEADERS), max_size=3).map(tuple),
)

BLOCKS = ("127.0.0.0/16", "127.0.0.9", "127.0.0.0/8", "10.1.0.0/16", "::ffff:127.0.0.0/112", "::1")
PRINCIPALS = (
    "cluster.local/ns/default/sa/web",
    "old/ns/other/sa/web",
    "cluster.local/ns/default/*",
    "*/sa/web",
    "*/ns/other/sa/web",
    "*",
    "cluster.local/ns/default/sa/web*",
)
VALUES = {
    "principals": PRINCIPALS,
    "namespaces": ("default", "other", "other*", "*-2", "*", "def"),
    "serviceAccounts": ("web", "other/web", "other-2/db"),
    "trustDomains": ("cluster.local", "old", "cluster*", "*", "foreign"),
    "ipBlocks": BLOCKS,
    "remoteIpBlocks": BLOCKS,
    "hosts": ("web", "Web", "*.example.com", "web*", "*", "*:8080"),
    "methods": ("GET", "get", "*", "P*", "*TE"),
    "paths": (
        "/admin",
        "/admin*",
        "*/users",
        "*",
        "/admin/{*}",
        "/{**}",
        "/admin/{**}",
        "/{*}/users/{*}",
        "/{**}/users",
    ),
}
KEYS = {
    "source.ip": BLOCKS,
    "remote.ip": BLOCKS,
    "source.namespace": VALUES["namespaces"],
    "source.principal": PRINCIPALS,
    "source.serviceAccount": VALUES["serviceAccounts"],
    "destination.ip": ("127.0.0.0/8", "127.0.200.1", "127.0.200.0/31"),
    "connection.sni": ("a.example.com", "*.Example.com", "A*", "*"),
    "request.headers[x-tenant]": ("blue", "blue*", "*-2", "*"),
    "request.headers[X-Tenant]": ("blue", "*"),
}


def some(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


def fields(ports: Sequence[str], *names: str) -> st.SearchStrategy[dict[str, list[str]]]:
    """One to three fields, of either sense."""
    known = {**VALUES, "ports": ports}
    optional = {name: some(known[name]) for name in names}
    optional |= {f"not{name[0].upper()}{name[1:]}": some(known[name]) for name in names}
    return st.lists(st.sampled_from(sorted(optional)), min_size=1, max_size=3, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: optional[name] for name in chosen})
    )


def without_clashes(found: dict[str, list[str]]) -> bool:
    """Accounts stand in the place of principals and namespaces."""
    names = {name.removeprefix("not").lower() for name in found}
    return "serviceaccounts" not in names or not names & {"principals", "namespaces"}


def rules(ports: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    sources = fields(ports, "principals", "namespaces", "serviceAccounts", "trustDomains", "ipBlocks", "remoteIpBlocks")
    operations = fields(ports, "hosts", "methods", "paths", "ports")
    known = {**KEYS, "destination.port": ports}
    conditions = st.sampled_from(sorted(known)).flatmap(
        lambda key: st.one_of(
            st.fixed_dictionaries({"key": st.just(key), "values": some(known[key])}),
            st.fixed_dictionaries({"key": st.just(key), "notValues": some(known[key])}),
        )
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "from": st.lists(sources.filter(without_clashes).map(lambda s: {"source": s}), min_size=1, max_size=2),
            "to": st.lists(operations.map(lambda o: {"operation": o}), min_size=1, max_size=2),
            "when": st.lists(conditions, min_size=1, max_size=2),
        },
    )


def policies(ports: Sequence[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    def policy(number: int, action: str, found: list[Any], trial: bool) -> dict[str, Any]:
        namespace = "default" if number % 2 else "istio-system"
        metadata: dict[str, Any] = {"name": f"p{number}", "namespace": namespace}
        metadata |= {"annotations": {"istio.io/dry-run": "true"}} if trial else {}
        rules = found if found or action == "ALLOW" else [{}]
        return {"kind": "AuthorizationPolicy", "metadata": metadata, "spec": {"action": action, "rules": rules}}

    one = st.tuples(st.sampled_from(("ALLOW", "DENY")), st.lists(rules(ports), max_size=2), st.integers(0, 7))
    return st.lists(one, min_size=1, max_size=3).map(
        lambda found: [policy(n, action, given, trial == 0) for n, (action, given, trial) in enumerate(found)]
    )


@pytest.fixture(scope="module")
def guards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guards]:
    with Guards(tmp_path_factory.mktemp("guards")) as found:
        yield found


# Nothing is shrunk: a failure names one policy set and one request.
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(data=st.data())
def test_envoy_decides_as_policies_say(guards: Guards, data: st.DataObject) -> None:
    ports = (str(guards.http_port), str(guards.tcp_port), "1")
    worlds = data.draw(st.lists(policies(ports), min_size=8, max_size=8))
    addresses = [f"127.0.200.{number + 1}" for number in range(len(worlds))]
    held = [guards.workload(world, at, config=CONFIG) for world, at in zip(worlds, addresses, strict=True)]
    with RunningEnvoy(static_bootstrap(*held)) as envoy:
        envoy.until(lambda: len(envoy.addresses()) >= 2 * len(worlds), "all listeners listen")
        for world, address in zip(worlds, addresses, strict=True):
            for caller in data.draw(st.lists(callers, min_size=3, max_size=3)):
                judge(guards, world, address, caller, data.draw(st.lists(asks, min_size=6, max_size=6)))


def judge(guards: Guards, world: Sequence[Policy], address: str, caller: Caller, requests: Sequence[Ask]) -> None:
    told = "\n".join(["under", *(json.dumps(policy) for policy in world), "of"])
    stream = Seen(caller, address, guards.tcp_port, None)
    assert guards.echoes(address, caller) == allowed(world, stream), f"{told} {stream}"
    with guards.connection(address, caller) as connection:
        for ask in requests:
            seen = Seen(caller, address, guards.http_port, ask)
            try:
                status = answer(connection, ask).status
            except (http.client.HTTPException, OSError) as error:
                raise AssertionError(f"{told} {seen}: {error!r}") from error
            assert status == (200 if allowed(world, seen) else 403), f"{told} {seen}"
