"""One value of one attribute of an AuthorizationPolicy as Envoy's RBAC matches it.

Values match exactly, by `prefix*`, by `*suffix`, or, `*` alone, anything that is there. Peer identities are matched
with their scheme `spiffe://`: Envoy goes on to host names and the subject of a certificate where no URI matches, and
those say nothing of an identity in the mesh. Source: Istio's pilot/pkg/security/authz/{model,matcher}; Envoy's
rbac.proto.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Final

import re2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.path.match.uri_template.v3 import uri_template_match_pb2
from envoy.type.matcher.v3 import string_pb2

from lateen.api.security.authorization_attributes import ANY_REST, ANY_SEGMENT, is_template

_SCHEME: Final = "spiffe://"
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_TEMPLATE: Final = "envoy.path.match.uri_template.uri_template_matcher"

Match = Callable[[str], Any]
"""Makes a `Permission` or a `Principal` of a value."""


def text(value: str, *, ignore_case: bool = False) -> Any:
    """The `StringMatcher` of a value."""
    if value == "*":
        return _regex(".+")
    if value.startswith("*"):
        return string_pb2.StringMatcher(suffix=value[1:], ignore_case=ignore_case)
    if value.endswith("*"):
        return string_pb2.StringMatcher(prefix=value[:-1], ignore_case=ignore_case)
    return string_pb2.StringMatcher(exact=value, ignore_case=ignore_case)


# --- permissions: what is asked ---------------------------------------------------------------------------------------


def host(value: str) -> Any:
    """`:authority`, in any case."""
    found = rbac_pb2.Permission()
    _header(found.header, ":authority", value, ignore_case=True)
    return found


def method(value: str) -> Any:
    found = rbac_pb2.Permission()
    _header(found.header, ":method", value)
    return found


def path(value: str) -> Any:
    """The path without the query, as it was normalized."""
    found = rbac_pb2.Permission()
    if is_template(value):
        pattern = value.replace(ANY_REST, "**").replace(ANY_SEGMENT, "*")
        found.uri_template.name = _TEMPLATE
        found.uri_template.typed_config.Pack(uri_template_match_pb2.UriTemplateMatchConfig(path_template=pattern))
    else:
        found.url_path.path.CopyFrom(text(value))
    return found


def destination_port(value: str) -> Any:
    return rbac_pb2.Permission(destination_port=int(value))


def destination_ip(value: str) -> Any:
    found = rbac_pb2.Permission()
    _range(found.destination_ip, value)
    return found


def server_name(value: str) -> Any:
    """SNI, which Envoy has in lower case."""
    return rbac_pb2.Permission(requested_server_name=text(value, ignore_case=True))


def filter_metadata(filter_name: str, key: str) -> Match:
    """What another filter found, `[value]` in a list."""

    def matched(value: str) -> Any:
        found = rbac_pb2.Permission()
        found.metadata.filter = filter_name
        found.metadata.path.add(key=key)
        if value.startswith("[") and value.endswith("]") and len(value) > 2:
            found.metadata.value.list_match.one_of.string_match.CopyFrom(text(value[1:-1]))
        else:
            found.metadata.value.string_match.CopyFrom(text(value))
        return found

    return matched


# --- principals: who asks ---------------------------------------------------------------------------------------------


def peer(value: str) -> Any:
    """`TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT` of the peer's certificate."""
    if value.startswith("*"):
        return _peer(_regex(f"{_SCHEME}{'.+' if value == '*' else '.*' + re2.escape(value[1:])}"))
    if value.endswith("*"):
        return _peer(string_pb2.StringMatcher(prefix=_SCHEME + value[:-1]))
    return _peer(string_pb2.StringMatcher(exact=_SCHEME + value))


def peer_namespace(value: str) -> Any:
    """`*` in it stands for any characters of a namespace."""
    return _peer(_regex(f"{_SCHEME}.+/ns/{_globbed(value)}/.*"))


def peer_trust_domain(value: str) -> Any:
    return _peer(_regex(f"{_SCHEME}{_globbed(value)}/.*"))


def peer_service_account(policy_namespace: str) -> Match:
    """`NAMESPACE/NAME`, or `NAME` in the policy's own namespace."""

    def matched(value: str) -> Any:
        namespace, slash, name = value.partition("/")
        if not slash:
            namespace, name = policy_namespace, value
        return _peer(_regex(f"{_SCHEME}.+/ns/{re2.escape(namespace)}/(.+/)?sa/{re2.escape(name)}(/.+)?"))

    return matched


def source_ip(value: str) -> Any:
    """Of the connection."""
    found = rbac_pb2.Principal()
    _range(found.direct_remote_ip, value)
    return found


def remote_ip(value: str) -> Any:
    """Of the first client, as X-Forwarded-For or the PROXY protocol tell it."""
    found = rbac_pb2.Principal()
    _range(found.remote_ip, value)
    return found


def request_header(name: str) -> Match:
    def matched(value: str) -> Any:
        found = rbac_pb2.Principal()
        _header(found.header, name, value)
        return found

    return matched


def _peer(matcher: Any) -> Any:
    return rbac_pb2.Principal(authenticated=rbac_pb2.Principal.Authenticated(principal_name=matcher))


def _regex(expression: str) -> Any:
    found = string_pb2.StringMatcher()
    found.safe_regex.regex = expression
    return found


def _globbed(value: str) -> str:
    return "[^/]*".join(re2.escape(piece) for piece in value.split("*"))


def _header(message: Any, name: str, value: str, *, ignore_case: bool = False) -> None:
    message.name = name
    if value == "*":
        message.present_match = True
    else:
        message.string_match.CopyFrom(text(value, ignore_case=ignore_case))


def _range(message: Any, value: str) -> None:
    """IPv4 addresses within IPv6 are IPv4 addresses: so Envoy sees those of its peers."""
    network = ipaddress.ip_interface(value).network
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        low = ipaddress.IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        network = ipaddress.IPv4Network((low, network.prefixlen - 96))
    message.address_prefix = str(network.network_address)
    message.prefix_len.value = network.prefixlen
