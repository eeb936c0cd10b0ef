from __future__ import annotations

import json
from typing import Any

import pytest

from lateen.api.kinds import kind_of
from lateen.api.parse import parse_as

KIND = kind_of("security.istio.io/v1", "RequestAuthentication")
RSA = {"kty": "RSA", "n": "AQ", "e": "AQAB"}


def faults(**rule: Any) -> list[tuple[str, str]]:
    assert KIND is not None
    parsed = parse_as(KIND, {"metadata": {"name": "a"}, "spec": {"jwtRules": [rule]}})
    return [(fault.path.removeprefix("spec.jwtRules[0]"), fault.message) for fault in parsed.faults]


@pytest.mark.parametrize(
    "rule",
    [
        {"issuer": "a"},
        {"jwksUri": "https://a/keys"},
        {"issuer": "a", "jwks_uri": "http://a:8080/keys"},
        {"issuer": "a", "jwks": json.dumps({"keys": [RSA]})},
        {"issuer": "a", "jwks": json.dumps({"keys": []})},
        {"issuer": "a", "jwks": json.dumps(RSA)},
        {"issuer": "a", "presence": "REQUIRED"},
        {"issuer": "a", "fromHeaders": [{"name": "x", "prefix": "Bearer "}], "timeout": "5s"},
        {"issuer": "a", "outputClaimToHeaders": [{"header": "x-a", "claim": "b.c"}], "spaceDelimitedClaims": ["roles"]},
    ],
)
def test_good_rules_pass(rule: dict[str, Any]) -> None:
    assert faults(**rule) == []


@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        ({}, ".issuer", "missing: issuer or jwksUri is required"),
        ({"issuer": ""}, ".issuer", "expected at least 1 characters"),
        ({"issuer": "a", "jwksUri": "ftp://a"}, ".jwksUri", "must be an http:// or https:// URL"),
        ({"issuer": "a", "jwksUri": "https:///keys"}, ".jwksUri", "expected an http:// or https:// URL with a host"),
        ({"issuer": "a", "jwksUri": "https://a", "jwks": "{}"}, "", "only one of jwks and jwksUri may be set"),
        ({"issuer": "a", "jwks": "x"}, ".jwks", "expected a JSON Web Key Set, got what is not JSON"),
        ({"issuer": "a", "jwks": "[]"}, ".jwks", "expected a JSON Web Key Set, an object with `keys`"),
        ({"issuer": "a", "jwks": "{}"}, ".jwks", "expected a JSON Web Key Set, an object with `keys`"),
        ({"issuer": "a", "jwks": '{"keys":{}}'}, ".jwks", "keys: expected a list"),
        ({"issuer": "a", "jwks": '{"keys":[{"kty":"X"}]}'}, ".jwks", "keys[0]: expected a key whose `kty` is one of"),
        ({"issuer": "a", "jwks": '{"keys":[{"kty":"RSA","n":"a"}]}'}, ".jwks", "keys[0]: a key of type RSA needs 'e'"),
        ({"issuer": "a", "audiences": [""]}, ".audiences[0]", "expected at least 1"),
        ({"issuer": "a", "fromHeaders": [{}]}, ".fromHeaders[0].name", "missing"),
        ({"issuer": "a", "fromCookies": [""]}, ".fromCookies[0]", "expected at least 1"),
        ({"issuer": "a", "presence": "MANDATORY"}, ".presence", "expected one of OPTIONAL, REQUIRED"),
        ({"issuer": "a", "timeout": "0s"}, ".timeout", "must be a duration of at least 1ms"),
        (
            {"issuer": "a", "outputClaimToHeaders": [{"header": "a b", "claim": "c"}]},
            ".outputClaimToHeaders[0].header",
            "expected a string that matches",
        ),
    ],
)
def test_bad_rules_are_told_where(rule: dict[str, Any], path: str, message: str) -> None:
    ((where, what),) = faults(**rule)
    assert where == path
    assert what.startswith(message)
