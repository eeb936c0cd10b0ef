"""Judges values by CEL rules, the same rules that the CRDs carry.

Rules become plain Python closures: one costs about a microsecond, where cel-cpp with its conversion of the whole value
costs forty, which thousands of objects at start cannot afford. Tests hold both against each other.

Values are those of JSON as decoded. `has(x.f)` is whether the field is there and not null.
"""

from __future__ import annotations

import operator
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Final

import re2

from lateen.api.schema import cel_syntax
from lateen.api.schema.cel_syntax import Call, CelSyntaxError, Condition, Constant, Index, ListLiteral, Name, Select
from lateen.api.schema.duration import parse_duration

Bindings = dict[str, Any]
Evaluate = Callable[[Bindings], Any]


class CelError(Exception):
    """An evaluation that has no value; Kubernetes takes it as a violation."""


def compile_rule(expression: str) -> Callable[[Any], bool]:
    """Whether a value satisfies the rule (an evaluation without a value counts as no).

    Raises CelSyntaxError for what this subset of CEL does not have.
    """
    evaluate = _compile(cel_syntax.read(expression))

    def holds(value: Any) -> bool:
        try:
            return evaluate({"self": value}) is True
        except (CelError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, re2.error):
            return False

    return holds


def _compile(node: cel_syntax.Node) -> Evaluate:
    match node:
        case Constant(value):
            return lambda env: value
        case Name(name):
            return lambda env: env[name]
        case ListLiteral(items):
            parts = [_compile(item) for item in items]
            return lambda env: [part(env) for part in parts]
        case Select(operand, field):
            inner = _compile(operand)
            return lambda env: inner(env)[field]
        case Index(operand, index):
            inner, at = _compile(operand), _compile(index)
            return lambda env: inner(env)[at(env)]
        case Condition(test, then, otherwise):
            return _condition(_compile(test), _compile(then), _compile(otherwise))
        case Call():
            return _call(node)


def _condition(test: Evaluate, then: Evaluate, otherwise: Evaluate) -> Evaluate:
    def choose(env: Bindings) -> Any:
        return then(env) if _boolean(test(env)) else otherwise(env)

    return choose


def _call(node: Call) -> Evaluate:
    if node.target is None:
        match node.function, node.arguments:
            case "has", (Select(operand, field),):
                return _has(_compile(operand), field)
            case "&&", (left, right):
                return _both(_compile(left), _compile(right), stop=False)
            case "||", (left, right):
                return _both(_compile(left), _compile(right), stop=True)
    elif node.function in _MACROS and len(node.arguments) == 2 and isinstance(node.arguments[0], Name):
        return _MACROS[node.function](_compile(node.target), node.arguments[0].name, _compile(node.arguments[1]))
    table = _FUNCTIONS if node.target is None else _METHODS
    implementation = table.get(node.function)
    if implementation is None:
        raise CelSyntaxError(f"unknown {'function' if node.target is None else 'method'} {node.function}")
    given = (*(() if node.target is None else (node.target,)), *node.arguments)
    constants = [argument.value for argument in given if isinstance(argument, Constant)]
    if len(constants) == len(given):
        return _folded(node.function, implementation, constants)
    return _applied(implementation, [_compile(argument) for argument in given])


def _folded(name: str, implementation: Callable[..., Any], arguments: list[Any]) -> Evaluate:
    """A call that is always the same, made once: `duration('1ms')`."""
    try:
        value = implementation(*arguments)
    except (CelError, ArithmeticError, TypeError, ValueError) as problem:
        raise CelSyntaxError(f"{name} of {arguments} has no value: {problem}") from problem
    return lambda env: value


def _applied(implementation: Callable[..., Any], arguments: list[Evaluate]) -> Evaluate:
    if len(arguments) == 1:
        only = arguments[0]
        return lambda env: implementation(only(env))
    if len(arguments) == 2:
        first, second = arguments
        return lambda env: implementation(first(env), second(env))
    return lambda env: implementation(*(argument(env) for argument in arguments))


def _has(operand: Evaluate, field: str) -> Evaluate:
    def present(env: Bindings) -> bool:
        value = operand(env)
        if not isinstance(value, Mapping):
            raise CelError("has() is about a field of an object")
        return value.get(field) is not None

    return present


def _both(left: Evaluate, right: Evaluate, *, stop: bool) -> Evaluate:
    """`&&` (stops at false) and `||` (stops at true). As in CEL, a side that decides wins over one without a value."""

    def decide(env: Bindings) -> bool:
        try:
            first = _boolean(left(env))
        except (CelError, ArithmeticError, LookupError, TypeError, ValueError):
            if _boolean(right(env)) is stop:
                return stop
            raise
        return stop if first is stop else _boolean(right(env))

    return decide


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise CelError("not a boolean")


Macro = Callable[[Evaluate, str, Evaluate], Evaluate]


def _quantifier(combine: Callable[[Any], Any]) -> Macro:
    """A macro over what the predicate says of each item (of a list) or key (of a map)."""

    def macro(target: Evaluate, name: str, predicate: Evaluate) -> Evaluate:
        return lambda env: combine(_boolean(predicate({**env, name: item})) for item in _collection(target(env)))

    return macro


def _collection(value: Any) -> Any:
    if isinstance(value, (list, tuple, dict)):
        return value
    raise CelError("neither a list nor a map")


def _filter(target: Evaluate, name: str, predicate: Evaluate) -> Evaluate:
    return lambda env: [item for item in _collection(target(env)) if _boolean(predicate({**env, name: item}))]


def _map(target: Evaluate, name: str, transform: Evaluate) -> Evaluate:
    return lambda env: [transform({**env, name: item}) for item in _collection(target(env))]


_MACROS: Final[dict[str, Macro]] = {
    "all": _quantifier(all),
    "exists": _quantifier(any),
    "exists_one": _quantifier(lambda found: sum(found) == 1),
    "filter": _filter,
    "map": _map,
}


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, bool) is not isinstance(b, bool):
        return False
    return bool(a == b)


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def judge(a: Any, b: Any) -> bool:
        if isinstance(a, bool) is not isinstance(b, bool):
            raise CelError("no such overload")
        return compare(a, b)

    return judge


def _divide(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return int(a / b) if abs(a) < 2**53 else a // b
    return a / b


def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= last <= len(text):
        raise CelError(f"no characters {start} to {last}")
    return text[start:last]


def _split_url(text: str) -> urllib.parse.SplitResult:
    if not is_url(text):
        raise CelError(f"not a URL: {text}")
    return urllib.parse.urlsplit(text)


_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def is_url(text: str) -> bool:
    """What Go's `url.ParseRequestURI` takes, which is Kubernetes' judge: a scheme or a leading slash, sane escapes."""
    if not text or _CONTROL.search(text):
        return False
    if text.startswith("/"):
        return not _ESCAPE.search(text.partition("?")[0])
    scheme = _SCHEME.match(text)
    if scheme is None:
        return False
    rest = text[scheme.end() :].partition("?")[0]
    if not rest.startswith("/"):
        return True
    try:
        parts = urllib.parse.urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return not _ESCAPE.search(rest)


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "==": _equal,
    "!=": lambda a, b: not _equal(a, b),
    "<": _comparison(operator.lt),
    "<=": _comparison(operator.le),
    ">": _comparison(operator.gt),
    ">=": _comparison(operator.ge),
    "in": lambda item, items: any(_equal(item, each) for each in items),
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": lambda a, b: a - b * _divide(a, b),
    "unary !": lambda value: not _boolean(value),
    "unary -": operator.neg,
    "size": len,
    "int": int,
    "string": str,
    "duration": parse_duration,
    "isURL": is_url,
    "url": _split_url,
}

_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "size": len,
    "contains": str.__contains__,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "matches": lambda text, pattern: re2.search(pattern, text) is not None,
    "substring": _substring,
    "split": str.split,
    "indexOf": str.find,
    "lowerAscii": lambda text: "".join(char.lower() if char.isascii() else char for char in text),
    "sum": sum,
    "getScheme": lambda url: url.scheme,
    "getHost": lambda url: url.netloc.rpartition("@")[2],
    "getHostname": lambda url: url.hostname or "",
    "getPort": lambda url: "" if url.port is None else str(url.port),
}
