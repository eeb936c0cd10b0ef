"""Expressions: the language, its bounds, and Kubernetes' functions."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.schema.cel import BUDGET_EXCEEDED, Environment, ExpressionError, Type

SELF: dict[str, Any] = {
    "n": 3,
    "f": 1.5,
    "s": "Hello",
    "list": [3, 1, 2],
    "names": ["b", "a"],
    "map": {"k": "v"},
    "items": [{"name": "x", "v": 1}, {"name": "y", "v": 2}],
}


@pytest.fixture(scope="module")
def environment() -> Environment:
    return Environment({"self": Type.DYN, "oldSelf": Type.DYN}, frozenset({"oldSelf"}))


@pytest.mark.parametrize(
    "source",
    [
        "self.n == 3 && self.n < 3.5",
        "has(self.s) && !has(self.missing)",
        "self.?missing.orValue('d') == 'd'",
        "self.list[?9].hasValue() == false",
        "self.items.all(i, i.v > 0) && self.items.exists_one(i, i.name == 'x')",
        "self.items.map(i, i.name).join('-') == 'x-y'",
        "self.map.all(k, self.map[k] == 'v')",
        "self.s.matches('^H.*o$')",
        "size(self.list) == 3 && 2 in self.list",
        "cel.bind(x, self.n, x + x == 6)",
        "oldSelf.hasValue() == false && oldSelf.orValue(self) == self",
        "duration('1h') > duration('59m') && timestamp('2026-01-01T00:00:00Z').getFullYear() == 2026",
        "double('1.5') > 1",
        "type(self.n) == int",
        # strings
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']",
        "'abc'.split('') == ['a', 'b', 'c']",
        "' x '.trim() == 'x' && self.s.lowerAscii() == 'hello' && self.s.upperAscii() == 'HELLO'",
        "'hello'.replace('l', 'L') == 'heLLo' && 'hello'.replace('l', 'L', 1) == 'heLlo'",
        "'hello'.substring(1) == 'ello' && 'hello'.substring(1, 3) == 'el' && 'hello'.charAt(4) == 'o'",
        "'hello'.indexOf('l') == 2 && 'hello'.indexOf('l', 3) == 3 && 'hello'.lastIndexOf('l') == 3",
        "'hello'.lastIndexOf('l', 2) == 2 && 'abc'.reverse() == 'cba'",
        "'%s|%d|%.2f|%x|%b|%%'.format(['a', 5, 1.5, 255, 5]) == 'a|5|1.50|ff|101|%'",
        "'%s %s %s'.format([[1, 'a'], {'k': true}, null]) == '[1, a] {k: true} null'",
        "strings.quote('a\"b') == '\"a\\\\\"b\"'",
        # lists and sets
        "self.list.sum() == 6 && self.list.min() == 1 && self.list.max() == 3 && !self.list.isSorted()",
        "[1.5, 2.5].sum() == 4.0 && ['a', 'b'].isSorted() && [].isSorted()",
        "self.list.indexOf(1) == 1 && self.list.indexOf(9) == -1 && [1, 2, 1].lastIndexOf(1) == 2",
        "sets.contains([1, 2], [2]) && sets.equivalent([1, 2, 2], [2, 1]) && !sets.intersects([1], [2])",
        # regular expressions
        "'abc 123'.find('[0-9]+') == '123' && 'x'.find('y') == ''",
        "'a1b2'.findAll('[0-9]') == ['1', '2'] && 'a1b2'.findAll('[0-9]', 1) == ['1']",
        # URLs
        "url('https://u@example.com:8443/p?q=1').getHost() == 'example.com:8443'",
        "url('https://example.com:8443/p').getHostname() == 'example.com'",
        "url('https://[::1]:80/').getHostname() == '::1'",
        "url('https://a/p?q=1').getQuery() == {'q': ['1']}",
        "url('https://a/b c'.replace(' ', '%20')).getEscapedPath() == '/b%20c'",
        "isURL('https://a') && !isURL('a') && url('http://a').getPort() == '' && url('http://a').getScheme() == 'http'",
        # addresses
        "isIP('::1') && !isIP('1.2.3') && ip('10.0.0.1').family() == 4 && ip('127.0.0.1').isLoopback()",
        "ip('2001:DB8::1') == ip('2001:db8::1') && ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1')",
        "ip('192.168.0.1').isGlobalUnicast() && ip('169.254.1.1').isLinkLocalUnicast()",
        "ip('0.0.0.0').isUnspecified()",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
        "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8",
        "cidr('10.0.0.1/8').ip() == ip('10.0.0.1') && isCIDR('::/0') && !isCIDR('10.0.0.0')",
        # quantities
        "quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('1') == quantity('1000m')",
        "quantity('1').add(quantity('500m')).compareTo(quantity('1.5')) == 0 && quantity('2').sub(1).asInteger() == 1",
        "quantity('-1').sign() == -1 && !quantity('500m').isInteger() && quantity('500m').asApproximateFloat() == 0.5",
        "isQuantity('1Ki') && !isQuantity('1 Ki') && quantity('1').isLessThan(quantity('2'))",
    ],
)
def test_true(environment: Environment, source: str) -> None:
    assert environment.compile(source).evaluate({"self": SELF}) is True


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("self.missing == 1", "no such key: missing"),
        ("self.list[7] == 1", "index out of bounds: 7"),
        ("self.s > 1", "no such overload"),
        ("1 / (self.n - 3) == 1", "divide by zero"),
        ("quantity(self.s).sign() == 1", "quantities must match"),
        ("self.s.substring(9) == ''", "index out of range: 9"),
        ("[].max() == 1", "max called on empty list"),
        ("ip('x').family() == 4", "does not appear to be"),
    ],
)
def test_failures_read_as_in_kubernetes(environment: Environment, source: str, complaint: str) -> None:
    with pytest.raises(ExpressionError, match=complaint):
        environment.compile(source).evaluate({"self": SELF})


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("self.n ==", "Syntax error"),
        ("nothing == 1", r"^compilation failed: ERROR: <input>:1:1: undeclared reference to 'nothing'"),
        ("self.n.unheardOf()", "undeclared reference to 'unheardOf'"),
        ("1 + 'a'", "found no matching overload for '_\\+_'"),
        ("'a' == 1", "found no matching overload"),
        ("x" * 20000, "more than 10240 characters"),
    ],
)
def test_what_does_not_compile(environment: Environment, source: str, complaint: str) -> None:
    with pytest.raises(ExpressionError, match=complaint):
        environment.compile(source)


def test_a_hostile_expression_runs_out_of_budget() -> None:
    environment = Environment({"self": Type.List(Type.INT)})
    nested = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))"
    with pytest.raises(ExpressionError) as caught:
        environment.compile(nested).evaluate({"self": list(range(1000))})
    assert str(caught.value) == BUDGET_EXCEEDED
    with pytest.raises(ExpressionError, match="too long"):
        environment.compile("'%s'.format([self]).replace('1', 'x'.replace('x', '%s'.format([self])))").evaluate(
            {"self": list(range(9000))}
        )


def test_the_type_of_the_result_is_known() -> None:
    environment = Environment({"self": Type.STRING})
    assert environment.compile("self == 'a'").result_type == "BOOL"
    assert environment.compile("self + 'a'").result_type == "STRING"


def test_variables_of_an_admission_request() -> None:
    environment = Environment({"object": Type.DYN, "oldObject": Type.DYN, "request": Type.DYN})
    expression = environment.compile("request.operation == 'CREATE' && object.metadata.name.startsWith('a')")
    variables = {"object": {"metadata": {"name": "ab"}}, "oldObject": None, "request": {"operation": "CREATE"}}
    assert expression.evaluate(variables) is True
