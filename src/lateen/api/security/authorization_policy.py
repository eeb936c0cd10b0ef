"""security.istio.io AuthorizationPolicy (istio.security.v1beta1)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from lateen.api.schema.message import Message
from lateen.api.schema.message import Rule as CelRule
from lateen.api.type.selector import PolicyTargetReference, TargetReferences, WorkloadSelector

ServiceAccounts = Annotated[tuple[Annotated[str, Meta(max_length=320)], ...], Meta(max_length=16)]


class Action(Enum):
    """What is done with a request that a rule matches."""

    ALLOW = "ALLOW"
    """It is let through; what no ALLOW policy matches is refused, where there is one."""
    DENY = "DENY"
    """It is refused, whatever ALLOW policies say."""
    AUDIT = "AUDIT"
    """It is marked for the audit log."""
    CUSTOM = "CUSTOM"
    """An extension decides; it is asked before DENY and ALLOW."""


class ExtensionProvider(Message):
    """The extension that decides."""

    name: str = ""
    """Its name in MeshConfig `extensionProviders`."""


class Source(Message):
    """Who sends: all fields must match. Values match exactly, by `prefix*`, by `*suffix`, or by presence (`*`)."""

    principals: tuple[str, ...] = ()
    """Peer identities, `TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT`. Needs mutual TLS."""
    not_principals: tuple[str, ...] = ()
    """Peer identities that do not match."""
    request_principals: tuple[str, ...] = ()
    """Identities of tokens, `ISSUER/SUBJECT`. Needs a RequestAuthentication."""
    not_request_principals: tuple[str, ...] = ()
    """Identities of tokens that do not match."""
    namespaces: tuple[str, ...] = ()
    """Namespaces of peers. Needs mutual TLS."""
    not_namespaces: tuple[str, ...] = ()
    """Namespaces of peers that do not match."""
    trust_domains: tuple[str, ...] = ()
    """Trust domains of peers. Needs mutual TLS."""
    not_trust_domains: tuple[str, ...] = ()
    """Trust domains of peers that do not match."""
    service_accounts: ServiceAccounts = ()
    """Service accounts of peers, `NAMESPACE/NAME` or `NAME` in the policy's namespace. Needs mutual TLS."""
    not_service_accounts: ServiceAccounts = ()
    """Service accounts of peers that do not match."""
    ip_blocks: tuple[str, ...] = ()
    """Addresses or CIDR ranges of the connection's source."""
    not_ip_blocks: tuple[str, ...] = ()
    """Addresses or ranges of the connection's source that do not match."""
    remote_ip_blocks: tuple[str, ...] = ()
    """Addresses or ranges of the original client (X-Forwarded-For or proxy protocol)."""
    not_remote_ip_blocks: tuple[str, ...] = ()
    """Addresses or ranges of the original client that do not match."""

    rules: ClassVar = (
        CelRule(
            "has(self.serviceAccounts) || has(self.notServiceAccounts) ? !has(self.principals)"
            " && !has(self.notPrincipals) && !has(self.namespaces) && !has(self.notNamespaces) : true",
            "serviceAccounts and notServiceAccounts cannot be combined with namespaces or principals",
        ),
    )


class Operation(Message):
    """What is asked: all fields must match. Values match exactly, by `prefix*`, by `*suffix`, or by presence (`*`)."""

    hosts: tuple[str, ...] = ()
    """Hosts of the request, in any case. HTTP only."""
    not_hosts: tuple[str, ...] = ()
    """Hosts that do not match. HTTP only."""
    ports: tuple[str, ...] = ()
    """Destination ports."""
    not_ports: tuple[str, ...] = ()
    """Destination ports that do not match."""
    methods: tuple[str, ...] = ()
    """HTTP methods. HTTP only; `POST` for gRPC."""
    not_methods: tuple[str, ...] = ()
    """HTTP methods that do not match. HTTP only."""
    paths: tuple[str, ...] = ()
    """Paths, also as templates with `{*}` and `{**}`. HTTP only; `/package.Service/Method` for gRPC."""
    not_paths: tuple[str, ...] = ()
    """Paths that do not match. HTTP only."""


class Condition(Message):
    """A condition on an attribute of the request; `values` or `notValues` must be set."""

    key: str
    """The attribute, such as `request.headers[x-tenant]`."""
    values: tuple[str, ...] = ()
    """Values that match."""
    not_values: tuple[str, ...] = ()
    """Values that do not match."""


class From(Message):
    """One source."""

    source: Source | None = None
    """The source."""


class To(Message):
    """One operation."""

    operation: Operation | None = None
    """The operation."""


class Rule(Message):
    """Matches a request from one of the sources, of one of the operations, under all conditions."""

    from_: Annotated[tuple[From, ...], Meta(max_length=512)] = msgspec.field(name="from", default=())
    """The sources; any if empty."""
    to: tuple[To, ...] = ()
    """The operations; any if empty."""
    when: tuple[Condition, ...] = ()
    """Further conditions."""


class AuthorizationPolicy(Message):
    """Which requests workloads accept.

    CUSTOM policies are asked first, then DENY, then ALLOW: a request passes that no CUSTOM or DENY policy refuses and
    that, if any ALLOW policy applies to the workload, one of them matches.
    """

    selector: WorkloadSelector | None = None
    """The workloads; all of the namespace if not set, all of the mesh in the root namespace."""
    target_ref: PolicyTargetReference | None = None
    """Deprecated form of `targetRefs` with one element."""
    target_refs: TargetReferences = ()
    """The Gateways or Services whose proxies this is about."""
    rules_: Annotated[tuple[Rule, ...], Meta(max_length=512)] = msgspec.field(name="rules", default=())
    """The rules, any of which matches a request. None matches nothing: with ALLOW, all is refused."""
    action: Action = Action.ALLOW
    """What is done with a request that a rule matches."""
    provider: ExtensionProvider | None = None
    """The extension that decides, with `CUSTOM`."""

    oneofs: ClassVar = (("provider",),)
    rules: ClassVar = (
        CelRule(
            "(has(self.selector) ? 1 : 0) + (has(self.targetRef) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1",
            "only one of selector, targetRef and targetRefs may be set",
        ),
    )
