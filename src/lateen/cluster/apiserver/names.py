"""What names may be. Each rule returns what is wrong in Kubernetes' words; nothing when the value is right.

Source: k8s.io/apimachinery `util/validation`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import TypeAlias

Rule: TypeAlias = Callable[[str], list[str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_WILDCARD = r"\*\." + _SUBDOMAIN
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_ENV = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"


def _used(pattern: str, what: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{what} (e.g. {shown}regex used for validation is '{pattern}')"


_LABEL_ERROR = _used(
    _LABEL,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    "my-name",
    "123-abc",
)
_SUBDOMAIN_ERROR = _used(
    _SUBDOMAIN,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    "example.com",
)
_WILDCARD_ERROR = _used(
    _WILDCARD,
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    "*.example.com",
)
_LABEL_1035_ERROR = _used(
    _LABEL_1035,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character",
    "my-name",
    "abc-123",
)
_QUALIFIED_ERROR = _used(
    _QUALIFIED,
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    "MyName",
    "my.name",
    "123-abc",
)
_LABEL_VALUE_ERROR = _used(
    f"({_QUALIFIED})?",
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_ERROR = _used(
    _CONFIG_KEY,
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    "key.name",
    "KEY_NAME",
    "key-name",
)


def _longer(limit: int) -> str:
    return f"must be no more than {limit} characters"


def _rule(pattern: str, error: str, limit: int) -> Rule:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> list[str]:
        found = [_longer(limit)] if len(value) > limit else []
        # The length is bounded before the pattern runs: patterns with nested repetition must not see long input.
        if not compiled.fullmatch(value[: limit + 1]):
            found.append(error)
        return found

    return check


dns_label: Rule = _rule(_LABEL, _LABEL_ERROR, 63)
dns_1035_label: Rule = _rule(_LABEL_1035, _LABEL_1035_ERROR, 63)
dns_subdomain: Rule = _rule(_SUBDOMAIN, _SUBDOMAIN_ERROR, 253)
wildcard_subdomain: Rule = _rule(_WILDCARD, _WILDCARD_ERROR, 253)
label_value: Rule = _rule(f"({_QUALIFIED})?", _LABEL_VALUE_ERROR, 63)
_qualified_part: Rule = _rule(_QUALIFIED, _QUALIFIED_ERROR, 63)


def path_segment(value: str) -> list[str]:
    """The loosest rule for names: RBAC objects use it, because their names have colons."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in value]


def qualified_name(value: str) -> list[str]:
    """Label and annotation keys, finalizers, condition types: an optional DNS prefix, a slash, a name."""
    prefix, slash, name = value.rpartition("/")
    if value.count("/") > 1:
        return [
            "a qualified name "
            + _QUALIFIED_ERROR
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    found: list[str] = []
    if slash:
        found += (
            ["prefix part must be non-empty"] if not prefix else [f"prefix part {e}" for e in dns_subdomain(prefix)]
        )
    if not name:
        found.append("name part must be non-empty")
        return found
    return found + [f"name part {error}" for error in _qualified_part(name)]


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret: it becomes a file name."""
    found = [_longer(253)] if len(value) > 253 else []
    if not re.fullmatch(_CONFIG_KEY, value, re.ASCII):
        found.append(_CONFIG_KEY_ERROR)
    if value == ".":
        found.append("must not be '.'")
    elif value == "..":
        found.append("must not be '..'")
    elif value.startswith(".."):
        found.append("must not start with '..'")
    return found


def env_name(value: str) -> list[str]:
    """An environment variable's name: printable ASCII without `=` (relaxed since Kubernetes 1.32)."""
    if not value:
        return ["environment variable name must be non-empty"]
    if any(not " " <= char <= "~" or char == "=" for char in value):
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    return []


def port_name(value: str) -> list[str]:
    """An IANA service name: a container port's name."""
    found = []
    if len(value) > 15:
        found.append("must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]+", value, re.ASCII):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def port_number(value: int) -> list[str]:
    return [] if 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]


def ip_address(value: str) -> list[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def cidr(value: str) -> list[str]:
    try:
        if "/" in value:
            ipaddress.ip_network(value, strict=False)
            return []
    except ValueError:
        pass
    return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


HTTP_HEADER = re.compile(r"[-A-Za-z0-9]+", re.ASCII)
HTTP_HEADER_ERROR = _used(
    "[-A-Za-z0-9]+",
    "a valid HTTP header must consist of alphanumeric characters or '-'",
    "X-Header-Name",
)
