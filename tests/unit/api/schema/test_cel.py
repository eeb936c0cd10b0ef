"""Our evaluator of CEL, with cel-cpp (as the local cluster's API server uses it) as its judge."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.api.kinds import MESH_KINDS
from lateen.api.schema.cel import compile_rule, is_url
from lateen.api.schema.cel_syntax import CelSyntaxError
from lateen.api.schema.message import Rule
from lateen.api.schema.shape import Entries, Items, MessageShape, Shape
from lateen.cluster.apiserver.schema.cel import Environment, ExpressionError, Type
from lateen.cluster.apiserver.schema.formats import is_uri


def judged(expression: str, value: Any) -> bool:
    """By cel-cpp; an error counts as no, as it does for Kubernetes."""
    try:
        return Environment({"self": Type.DYN}).compile(expression).evaluate({"self": value}) is True
    except ExpressionError:
        return False


def rules_of(shape: Shape) -> list[Rule]:
    found = list(shape.rules)
    match shape:
        case MessageShape():
            for field in shape.fields:
                found += rules_of(field.shape)
        case Items():
            found += rules_of(shape.item)
        case Entries():
            found += [*rules_of(shape.value), *rules_of(shape.key)]
    return found


EVERY_RULE = sorted({rule.expression for kind in MESH_KINDS for rule in rules_of(kind.spec_decoder.shape)})

TEXTS = [
    "", "*", "a", "a*", "0s", "1ms", "999us", "1h", "http://a", "https://a:80/b", "ftp://a", "a/b:v1", "oci://r/i@sha256:0",
    "unix:///a", "unix://a", "unix://@a", "unix:///a/", "unix://", "HTTP", "STATIC", "NONE", "DNS", "1.1.1.1",
    "1.1.1.1/8", "::1", "~/*", "./*", "ns/host", "a.b.c", "http://[::1]:80/", "http://a b", "//a", "80",
]  # fmt: skip
NUMBERS = [-1, 0, 1, 80, 65535, 65536, 1.5]
FIELDS = [
    "selector", "targetRef", "targetRefs", "workloadSelector", "endpoints", "resolution", "addresses", "address",
    "ports", "network", "weight", "wasm", "lua", "operation", "value", "valueFrom", "jwks", "jwksUri",
    "serviceAccounts", "principals", "notNamespaces", "hosts", "exec", "httpGet", "tcpSocket", "number", "host",
    "credentialName", "credentialNames", "tlsCertificates", "mode", "portLevelMtls",
]  # fmt: skip


def samples() -> list[Any]:
    found: list[Any] = [*TEXTS, *NUMBERS, True, [], {}]
    for field in FIELDS:
        given: tuple[Any, ...] = ("UPSERT", "HOST", "unix:///a", {}, [], 80)
        found += [{field: each} for each in given]
        found.append({field: "REMOVE", "operation": "REMOVE", "value": "a"})
    found += [{a: {}, b: {}} for a in FIELDS for b in FIELDS[:6] if a != b]
    found += [{"resolution": r, "endpoints": [{}], "addresses": ["1.1.1.1/8"]} for r in ("NONE", "STATIC", "DNS")]
    found += [[{"number": a}, {"number": b}] for a in (1, 2) for b in (1, 2)]
    found += [
        {"80": {}},
        {"0": {}},
        {"x": {}},
        {"70000": {}},
        {"a*": "b"},
        {"": "b"},
        ["*"],
        ["a", "*"],
        ["a/b", "a/b"],
    ]
    return found


@pytest.mark.parametrize("expression", EVERY_RULE)
def test_every_rule_of_ours_is_judged_as_cel_cpp_judges_it(expression: str) -> None:
    compiled = Environment({"self": Type.DYN}).compile(expression)
    holds = compile_rule(expression)
    verdicts = set()
    for sample in samples():
        try:
            expected = compiled.evaluate({"self": sample}) is True
        except ExpressionError:
            expected = False
        assert holds(sample) == expected, sample
        verdicts.add(expected)
    assert verdicts == {True, False}, "no sample tells this rule from a constant: add one"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3 == 7", None),
        ("(1 + 2) * 3 == 9", None),
        ("-7 / 2 == -3 && -7 % 2 == -1", None),
        ("0 < self && self <= 65535", 80),
        ("self.a == 1 || self.b == 2", {"b": 2}),
        ("self.a == 1 && self.b == 2", {"b": 3}),
        ("has(self.a) ? self.a == 1 : true", {}),
        ("has(self.a.b)", {"a": {"b": 1}}),
        ("has(self.a.b)", {}),
        ("self in ['a', \"b\"]", "b"),
        ("!(self in [1, 2])", 3),
        ("self.all(k, k.startsWith('a'))", {"ab": 1, "ac": 2}),
        ("self.exists(i, i == 2)", [1, 2]),
        ("self.exists_one(i, i == 2)", [2, 2]),
        ("self.filter(i, i > 1).size() == 1", [1, 2]),
        ("self.map(i, i * 2) == [2, 4]", [1, 2]),
        ("self.all(a, self.exists_one(b, a == b))", [1, 2]),
        ("self[0] == 'a' && self.size() == 1", ["a"]),
        ("self['a'] == 1", {"a": 1}),
        (r"self.matches('^[a-z]+\\.$')", "abc."),
        (r"self == r'\d'", r"\d"),
        ("duration(self) > duration('1m')", "61s"),
        ("self.substring(2) == 'c' && self.substring(0, 1) == 'a'", "abc"),
        ("self.split('/').size() == 2", "a/b"),
        ("self == true", 1),
        ("self < 5", "a"),
        ("int(self) > 5", "6"),
        ("self.sum() == 6", [1, 2, 3]),
        ("url(self).getHost() == 'a:80' && url(self).getHostname() == 'a' && url(self).getPort() == '80'", "http://a:80/x"),
        ("1.5 > 1", None),
        ("self.endsWith('c') && self.contains('b') && self.indexOf('c') == 2", "abc"),
        ("self.lowerAscii() == 'abc'", "ABC"),
    ],
)  # fmt: skip
def test_the_language_means_what_it_means_for_cel_cpp(expression: str, value: Any) -> None:
    assert compile_rule(expression)(value) == judged(expression, value)


@pytest.mark.parametrize(
    "expression",
    [
        "self ==",
        "self = 1",
        "(self",
        "nosuch(self)",
        "self.nosuch()",
        "self..a",
        "'a",
        "self ? 1",
        "1 1",
        "",
        "1 / 0 > self",
    ],
)
def test_what_is_no_rule_is_refused_when_it_is_loaded(expression: str) -> None:
    with pytest.raises(CelSyntaxError):
        compile_rule(expression)


def test_null_counts_as_absent() -> None:
    assert not compile_rule("has(self.a)")({"a": None})


@pytest.mark.parametrize("text", [*TEXTS, "http:", "a:b", "/", "http://a/%41", "http://a:b/", "?a", "mailto:x@y"])
def test_urls_are_what_kubernetes_takes_for_them(text: str) -> None:
    assert is_url(text) == is_uri(text)


@pytest.mark.parametrize("text", ["http://%zz", "http://a/%zz", "/%z"])
def test_a_url_with_a_broken_escape_is_none(text: str) -> None:
    assert not is_url(text)
