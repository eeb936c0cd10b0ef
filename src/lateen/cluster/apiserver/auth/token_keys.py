"""The key pair behind ServiceAccount tokens: signing, verifying, and publishing as JWKS.

Source: kubernetes pkg/serviceaccount (`kid` is the SHA-256 of the public key's DER) and RFC 7517.
"""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lateen.cluster.objects import Obj

ALGORITHM = "RS256"
MAX_TOKEN_LENGTH = 16 * 1024
"""Characters. A longer bearer token is refused unread."""

_REMEMBERED = 2048


class InvalidTokenError(Exception):
    """A token that proves nothing; the message says why."""


class TokenKeys:
    """Signs and verifies compact JWTs. Verified signatures are remembered, claims must be checked on each use."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self._public_key = key.public_key()
        self.key_id = key_id(self._public_key)
        self._verified: OrderedDict[bytes, Obj] = OrderedDict()

    @classmethod
    def load(cls, path: Path) -> TokenKeys:
        """Reads a PEM private key. Raises OSError or ValueError."""
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{path}: not an RSA key")
        return cls(key)

    def sign(self, claims: Obj) -> str:
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self.key_id})

    def verify(self, token: str) -> Obj:
        """The claims of a token that we signed (shared: do not mutate). Nothing but the signature has been checked.

        Raises InvalidTokenError.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidTokenError("token is too long")
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        claims = self._verified.get(digest)
        if claims is not None:
            self._verified.move_to_end(digest)
            return claims
        checks = ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
        options: Any = {f"verify_{claim}": False for claim in checks}
        try:
            claims = jwt.decode(token, self._public_key, algorithms=[ALGORITHM], options=options)
        except (jwt.PyJWTError, ValueError) as error:
            raise InvalidTokenError(str(error)) from None
        self._verified[digest] = claims
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
        return claims

    def jwks(self) -> Obj:
        """The public key as a JSON Web Key Set."""
        numbers = self._public_key.public_numbers()
        key = {
            "use": "sig",
            "kty": "RSA",
            "kid": self.key_id,
            "alg": ALGORITHM,
            "n": _base64url_integer(numbers.n),
            "e": _base64url_integer(numbers.e),
        }
        return {"keys": [key]}


def key_id(public_key: rsa.RSAPublicKey) -> str:
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def _base64url_integer(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
