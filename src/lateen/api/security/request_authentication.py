"""security.istio.io RequestAuthentication (istio.security.v1beta1)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

from msgspec import Meta

from lateen.api.schema.duration import Duration
from lateen.api.schema.message import Message, Rule, other_name, rules
from lateen.api.type.selector import PolicyTargetReference, TargetReferences, WorkloadSelector

NonEmpty = Annotated[str, Meta(min_length=1)]


class JWTHeader(Message):
    """A request header that carries a token."""

    name: NonEmpty
    """Name of the header."""
    prefix: str = ""
    """What comes before the token in the header's value, such as `Bearer ` with its space."""


class ClaimToHeader(Message):
    """A claim that is handed to the workload."""

    header: Annotated[str, Meta(min_length=1, pattern=r"^[-_A-Za-z0-9]+$")]
    """Name of the header that is set; one that the request brought is overwritten."""
    claim: NonEmpty
    """Name of the claim; nested claims with dots. Strings, integers and booleans are supported."""


class Presence(Enum):
    """Whether a request needs the token of a rule."""

    OPTIONAL = "OPTIONAL"
    """A request without it passes."""
    REQUIRED = "REQUIRED"
    """A request without it is refused."""


class JWTRule(Message):
    """Tokens of one issuer: where they are, how they are verified, what becomes of them."""

    issuer: NonEmpty = ""
    """Who made the token: its claim `iss`."""
    audiences: tuple[NonEmpty, ...] = ()
    """Values of the claim `aud` that are accepted; the service's own name if empty."""
    jwks_uri: Annotated[
        str,
        Meta(min_length=1, max_length=2048),
        rules(("url(self).getScheme() in ['http', 'https']", "must be an http:// or https:// URL")),
        other_name("jwks_uri"),
    ] = ""
    """URL of the issuer's public keys; found by OpenID discovery if neither this nor `jwks` is set."""
    jwks: str = ""
    """The issuer's public keys themselves (JSON Web Key Set)."""
    from_headers: tuple[JWTHeader, ...] = ()
    """Headers in which a token is looked for."""
    from_params: tuple[NonEmpty, ...] = ()
    """Query parameters in which a token is looked for."""
    from_cookies: tuple[NonEmpty, ...] = ()
    """Cookies in which a token is looked for."""
    output_payload_to_header: str = ""
    """Header that hands the verified payload, base64url-encoded, to the workload."""
    forward_original_token: bool = False
    """Leaves the token in the request."""
    output_claim_to_headers: tuple[ClaimToHeader, ...] = ()
    """Claims handed to the workload in headers."""
    timeout: (
        Annotated[Duration, rules(("duration(self) >= duration('1ms')", "must be a duration of at least 1ms"))] | None
    ) = None
    """How long a proxy waits for the keys. Default 5s."""
    space_delimited_claims: Annotated[tuple[NonEmpty, ...], Meta(max_length=64)] = ()
    """Claims that are lists written with spaces, besides `scope` and `permission`."""
    presence: Presence = Presence.OPTIONAL
    """Whether a request needs this token."""

    rules: ClassVar = (
        Rule(
            "(has(self.jwksUri) ? 1 : 0) + (has(self.jwks_uri) ? 1 : 0) + (has(self.jwks) ? 1 : 0) <= 1",
            "only one of jwks and jwksUri may be set",
        ),
    )


class RequestAuthentication(Message):
    """Which tokens (JWT) requests may carry.

    A request with an invalid token is refused; one without a token passes without an identity (AuthorizationPolicy
    decides about it).
    """

    selector: WorkloadSelector | None = None
    """The workloads; all of the namespace if not set, all of the mesh in the root namespace."""
    target_ref: PolicyTargetReference | None = None
    """Deprecated form of `targetRefs` with one element."""
    target_refs: TargetReferences = ()
    """The Gateways or Services whose proxies this is about."""
    jwt_rules: Annotated[tuple[JWTRule, ...], Meta(max_length=4096)] = ()
    """The accepted tokens, by issuer."""

    rules: ClassVar = (
        Rule(
            "(has(self.selector) ? 1 : 0) + (has(self.targetRef) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1",
            "only one of selector, targetRef and targetRefs may be set",
        ),
    )
