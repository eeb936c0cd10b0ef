from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.auth.rule import Rule, missing_rules
from lateen.cluster.apiserver.request import RequestInfo


def rule(verbs: str = "", groups: str = "", resources: str = "", names: str = "", urls: str = "") -> Rule:
    split = [frozenset(part.split()) for part in (verbs, resources, names, urls)]
    return Rule(split[0], frozenset(groups.split(",")), split[1], split[2], split[3])


def info(verb: str, resource: str, group: str = "", name: str = "") -> RequestInfo:
    plural, _, subresource = resource.partition("/")
    return RequestInfo("", verb, group, "v1", plural, "ns", name, subresource)


@pytest.mark.parametrize(
    ("given_rule", "asked", "allowed"),
    [
        (rule("get", "", "pods"), info("get", "pods"), True),
        (rule("get", "", "pods"), info("list", "pods"), False),
        (rule("get", "", "pods"), info("get", "pods", "apps"), False),
        (rule("get", "", "pods"), info("get", "pods/log"), False),
        (rule("get", "", "pods/log"), info("get", "pods/log"), True),
        (rule("get", "", "pods/log"), info("get", "pods"), False),
        (rule("update", "apps", "*/scale"), info("update", "deployments/scale", "apps"), True),
        (rule("update", "apps", "*/scale"), info("update", "deployments/status", "apps"), False),
        (rule("*", "*", "*"), info("patch", "anything/below", "some.group"), True),
        (rule("get", "", "secrets", "a b"), info("get", "secrets", name="b"), True),
        (rule("get", "", "secrets", "a b"), info("get", "secrets", name="c"), False),
        (rule("list", "", "secrets", "a"), info("list", "secrets"), False),
        (rule("get", urls="/healthz"), RequestInfo("/healthz", "get"), True),
        (rule("get", urls="/healthz"), RequestInfo("/healthz/x", "get"), False),
        (rule("get", urls="/apis/*"), RequestInfo("/apis/apps/v1", "get"), True),
        (rule("get", urls="/apis/*"), RequestInfo("/api", "get"), False),
        (rule("*", urls="*"), RequestInfo("/metrics", "post"), True),
        (rule("*", "*", "*"), RequestInfo("/metrics", "get"), False),
    ],
)
def test_allows(given_rule: Rule, asked: RequestInfo, allowed: bool) -> None:
    assert given_rule.allows(asked) is allowed


VERBS, GROUPS, RESOURCES, NAMES = ["get", "list"], ["", "apps"], ["pods", "pods/log", "jobs/log"], ["a", "b"]


def some(values: list[str], wild: list[str], least: int = 1) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from([*values, *wild]), min_size=least, max_size=3)


rules = st.builds(
    Rule,
    verbs=some(VERBS, ["*"]),
    groups=some(GROUPS, ["*"]),
    resources=some(RESOURCES, ["*", "*/log"]),
    names=some(NAMES, [], least=0),
)
requests = st.builds(
    info,
    st.sampled_from([*VERBS, "delete"]),
    st.sampled_from([*RESOURCES, "nodes"]),
    st.sampled_from([*GROUPS, "batch"]),
    st.sampled_from([*NAMES, "c", ""]),
)


@given(rules, rules, requests)
def test_what_is_covered_is_allowed(held: Rule, wanted: Rule, asked: RequestInfo) -> None:
    if held.covers(wanted) and wanted.allows(asked):
        assert held.allows(asked)


@given(rules)
def test_every_rule_covers_itself_and_its_parts(held: Rule) -> None:
    assert held.covers(held)
    assert all(held.covers(part) for part in held.parts())
    assert missing_rules([held], [held]) == []


@given(st.lists(rules, max_size=3), st.lists(rules, max_size=3), requests)
def test_nothing_is_granted_beyond_what_is_held(held: list[Rule], wanted: list[Rule], asked: RequestInfo) -> None:
    if not missing_rules(held, wanted) and any(r.allows(asked) for r in wanted):
        assert any(r.allows(asked) for r in held)


def test_missing_rules_name_what_is_missing() -> None:
    missing = missing_rules([rule("get", "", "pods")], [rule("get list watch", "", "pods secrets")])
    assert sorted(map(str, missing)) == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "watch"]}',
    ]
