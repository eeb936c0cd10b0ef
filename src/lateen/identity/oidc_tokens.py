"""Authentication by a JWT of an OpenID Connect issuer, for a control plane outside of the cluster that made the token.

Its subject is a service account as Kubernetes writes it: `system:serviceaccount:NAMESPACE:NAME`. Whether the pod that
it is bound to still exists cannot be known here, so it proves the account alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from lateen.identity.caller import Caller, Evidence, Refused, service_account
from lateen.identity.key_set import KeySet
from lateen.identity.kubernetes_tokens import AUDIENCES, LARGEST_TOKEN

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric ones alone: a public key must never be taken for a shared secret."""
_SKEW: Final = 10.0
"""Seconds that clocks may differ by."""


class OidcTokens:
    """Of one issuer (Istio: JWT_RULE)."""

    def __init__(
        self, issuer: str, keys: KeySet, trust_domain: Callable[[], str], *, audiences: tuple[str, ...] = AUDIENCES
    ) -> None:
        """`trust_domain`: the mesh's, as it is now. A token must be for one of `audiences`."""
        self._issuer = issuer
        self._keys = keys
        self._trust_domain = trust_domain
        self._audiences = audiences

    async def authenticate(self, evidence: Evidence) -> Caller:
        if not evidence.token:
            raise Refused("no bearer token")
        if len(evidence.token) > LARGEST_TOKEN:
            raise Refused("the bearer token is too long")
        try:
            header = jwt.get_unverified_header(evidence.token)
        except jwt.InvalidTokenError:
            raise Refused("the bearer token is not a JWT") from None
        algorithm = str(header.get("alg"))
        if algorithm not in ALGORITHMS:
            raise Refused(f"the token is signed by {algorithm!r}")
        if not self._from_issuer(evidence.token):
            # Nobody can make us ask for keys with tokens of others.
            raise Refused(f"the token is not of {self._issuer}")
        reason = "its key is not one of its issuer's"
        for key in await self._keys.find(str(header.get("kid") or "")):
            try:
                claims = self._verified(evidence.token, key, algorithm)
            except jwt.PyJWTError as error:
                reason = str(error)
                continue
            return Caller(service_account(str(claims["sub"]), self._trust_domain()))
        raise Refused(f"the token is not good: {reason}")

    def _from_issuer(self, token: str) -> bool:
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return False
        return bool(claims.get("iss") == self._issuer)

    def _verified(self, token: str, key: Mapping[str, Any], algorithm: str) -> Mapping[str, Any]:
        """The claims. Raises PyJWTError."""
        if key.get("alg", algorithm) != algorithm:
            raise jwt.InvalidKeyError(f"its key is for {key['alg']}")
        claims: Mapping[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(dict(key), algorithm),
            algorithms=[algorithm],
            audience=list(self._audiences),
            issuer=self._issuer,
            leeway=_SKEW,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        return claims
