"""What is wrong with a RequestAuthentication beyond its types (Istio: pkg/config/validation)."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator

from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error
from lateen.api.security.json_web_keys import wrong_key_set
from lateen.api.security.request_authentication import JWTRule, RequestAuthentication
from lateen.api.type.selector_validation import validate_selector, validate_targets


def validate(obj: Object[RequestAuthentication]) -> Iterator[Fault]:
    spec = obj.spec
    yield from validate_selector(spec.selector)
    yield from validate_targets(spec.target_ref, spec.target_refs)
    for index, rule in enumerate(spec.jwt_rules):
        yield from _rule(rule, f"spec.jwtRules[{index}]")


def _rule(rule: JWTRule, path: str) -> Iterator[Fault]:
    if not rule.issuer and not rule.jwks_uri:
        yield error(f"{path}.issuer", "missing: issuer or jwksUri is required")
    if rule.jwks_uri:
        wrong = _wrong_url(rule.jwks_uri)
        if wrong:
            yield error(f"{path}.jwksUri", wrong)
    if rule.jwks:
        wrong = wrong_key_set(rule.jwks)
        if wrong:
            yield error(f"{path}.jwks", wrong)


def _wrong_url(text: str) -> str:
    try:
        parts = urllib.parse.urlsplit(text)
        _ = parts.port
    except ValueError as problem:
        return f"expected an http:// or https:// URL, got {text!r}: {problem}"
    return "" if parts.hostname else f"expected an http:// or https:// URL with a host, got {text!r}"
