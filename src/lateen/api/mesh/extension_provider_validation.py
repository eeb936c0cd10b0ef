"""What is wrong with extension providers. All of it is a warning: a provider that no policy names does no harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from lateen.api.mesh.extension_provider import (
    EnvoyExternalAuthorizationGrpcProvider,
    EnvoyExternalAuthorizationHttpProvider,
    ExtensionProvider,
    SDSProvider,
)
from lateen.api.schema.fault import Fault, warning
from lateen.api.schema.hostnames import is_dns_label, wrong_fqdn

_DEPRECATED = {"lightstep": "opentelemetry", "opencensus": "opentelemetry"}


def validate_extension_providers(providers: Sequence[ExtensionProvider], path: str) -> Iterator[Fault]:
    """Faults of every provider, by name (`extensionProviders[otel].opentelemetry.port`), whatever its place."""
    seen = set()
    for provider in providers:
        where = f"{path}[{provider.name}]"
        if not provider.name:
            yield warning(where, "a provider without a name cannot be referred to")
        elif provider.name in seen:
            yield warning(where, "another provider has the same name: the first one counts")
        seen.add(provider.name)
        yield from _provider(provider, where)


def _provider(provider: ExtensionProvider, path: str) -> Iterator[Fault]:
    chosen = [(name, getattr(provider, name)) for name in ExtensionProvider.oneofs[0]]
    chosen = [(name, value) for name, value in chosen if value is not None]
    if not chosen:
        yield warning(path, "no kind of provider is chosen")
        return
    wire = {field.name: field.encode_name for field in msgspec.structs.fields(ExtensionProvider)}
    for name, value in chosen:
        where = f"{path}.{wire[name]}"
        if name in _DEPRECATED:
            yield warning(where, f"deprecated: use {_DEPRECATED[name]}")
        yield from _service(value, where)
        if isinstance(value, EnvoyExternalAuthorizationHttpProvider | EnvoyExternalAuthorizationGrpcProvider):
            yield from _authorizer(value, where)


def _service(value: Any, path: str) -> Iterator[Fault]:
    if not hasattr(value, "service"):
        return
    namespace, slash, host = value.service.rpartition("/")
    if (slash and not is_dns_label(namespace)) or (wrong_fqdn(host) and not isinstance(value, SDSProvider)):
        yield warning(f"{path}.service", f"expected [namespace/]host, got {value.service!r}")
    if not 1 <= value.port <= 65535:
        yield warning(f"{path}.port", f"expected a port from 1 to 65535, got {value.port}")


def _authorizer(
    value: EnvoyExternalAuthorizationHttpProvider | EnvoyExternalAuthorizationGrpcProvider, path: str
) -> Iterator[Fault]:
    status = value.status_on_error
    if status and not (status.isascii() and status.isdigit() and 200 <= int(status) <= 599):
        yield warning(f"{path}.statusOnError", f"expected an HTTP status, got {status!r}")
    if isinstance(value, EnvoyExternalAuthorizationHttpProvider):
        if value.path_prefix and not value.path_prefix.startswith("/"):
            yield warning(f"{path}.pathPrefix", f"expected a path that starts with /, got {value.path_prefix!r}")
        for name, patterns in (
            ("includeRequestHeadersInCheck", value.include_request_headers_in_check),
            ("headersToUpstreamOnAllow", value.headers_to_upstream_on_allow),
            ("headersToDownstreamOnDeny", value.headers_to_downstream_on_deny),
            ("headersToDownstreamOnAllow", value.headers_to_downstream_on_allow),
        ):
            for index, pattern in enumerate(patterns):
                if pattern in ("", "*") or "*" in pattern[1:-1]:
                    yield warning(f"{path}.{name}[{index}]", f"expected abc, abc* or *abc, got {pattern!r}")
