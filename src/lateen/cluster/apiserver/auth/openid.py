"""OpenID discovery of the ServiceAccount issuer: who verifies our tokens offline starts here.

Source: kubernetes pkg/serviceaccount/openidmetadata.go.
"""

from __future__ import annotations

import json

from lateen.cluster.apiserver.auth.service_account import ISSUER
from lateen.cluster.apiserver.auth.token_keys import ALGORITHM, TokenKeys
from lateen.cluster.objects import Obj

CONFIGURATION_PATH = "/.well-known/openid-configuration"
JWKS_PATH = "/openid/v1/jwks"
JWKS_CONTENT_TYPE = "application/jwk-set+json"


def configuration(jwks_uri: str) -> Obj:
    """The discovery document; `jwks_uri` is absolute."""
    return {
        "issuer": ISSUER,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
    }


def documents(keys: TokenKeys, api_url: str) -> dict[str, tuple[str, bytes]]:
    """Path -> (content type, body) of the two documents."""
    return {
        CONFIGURATION_PATH: ("application/json", _encoded(configuration(f"{api_url}{JWKS_PATH}"))),
        JWKS_PATH: (JWKS_CONTENT_TYPE, _encoded(keys.jwks())),
    }


def _encoded(document: Obj) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
