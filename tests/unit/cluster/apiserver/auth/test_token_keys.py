from __future__ import annotations

import jwt

from lateen.cluster.apiserver.auth.openid import documents
from lateen.cluster.apiserver.auth.token_keys import TokenKeys


def test_the_published_keys_verify_what_we_sign(keys: TokenKeys) -> None:
    made = keys.sign({"sub": "x"})
    published = jwt.PyJWKSet.from_dict(keys.jwks())
    key = published[jwt.get_unverified_header(made)["kid"]]
    assert jwt.decode(made, key.key, algorithms=["RS256"]) == {"sub": "x"}


def test_discovery_leads_to_the_keys(keys: TokenKeys) -> None:
    found = documents(keys, "https://10.64.0.1:6443")
    content_type, body = found["/.well-known/openid-configuration"]
    assert content_type == "application/json"
    assert b'"issuer":"https://kubernetes.default.svc.cluster.local"' in body
    assert b'"jwks_uri":"https://10.64.0.1:6443/openid/v1/jwks"' in body
    assert found["/openid/v1/jwks"][0] == "application/jwk-set+json"
