"""CorsPolicy to the per-route configuration of Envoy's CORS filter."""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.http.cors.v3 import cors_pb2

from lateen.api.networking.virtual_service import CorsPolicy, StringMatch, UnmatchedPreflights
from lateen.translate.routes.match import string_matcher
from lateen.translate.routes.percent import set_whole_percent

CORS_FILTER = "envoy.filters.http.cors"
_SECOND = 1_000_000_000


def cors_policy(policy: CorsPolicy) -> Any:
    """What `typed_per_filter_config` has for the filter `envoy.filters.http.cors`."""
    out = cors_pb2.CorsPolicy(
        allow_methods=",".join(policy.allow_methods),
        allow_headers=",".join(policy.allow_headers),
        expose_headers=",".join(policy.expose_headers),
    )
    set_whole_percent(out.filter_enabled.default_value, 100)
    out.forward_not_matching_preflights.value = policy.unmatched_preflights is not UnmatchedPreflights.IGNORE
    if policy.allow_origins:
        out.allow_origin_string_match.extend(string_matcher(origin) for origin in policy.allow_origins)
    else:
        # Envoy takes an exact star for any origin.
        out.allow_origin_string_match.extend(string_matcher(StringMatch(exact=each)) for each in policy.allow_origin)
    if policy.allow_credentials is not None:
        out.allow_credentials.value = policy.allow_credentials
    if policy.max_age is not None:
        out.max_age = str(policy.max_age.nanoseconds // _SECOND)
    return out
