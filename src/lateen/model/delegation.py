"""Merging the routes of a delegate into the route that delegates to it.

Every match of the delegate must be narrower than some match of the root, else its route is left out; what the delegate
leaves open, the root decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from lateen.api.networking.virtual_service import HTTPMatchRequest, HTTPRoute, StringMatch

T = TypeVar("T")


def merged(root: HTTPRoute, delegate: HTTPRoute) -> HTTPRoute | None:
    """The delegate's route within the root's; None when their matches conflict."""
    match = merged_matches(root.match, delegate.match)
    if match is None:
        return None
    mirrored = delegate.mirror is not None or bool(delegate.mirrors)
    return msgspec.structs.replace(
        delegate,
        name=_joined(root.name, delegate.name),
        match=match,
        rewrite=_first(delegate.rewrite, root.rewrite) if delegate.route else delegate.rewrite,
        timeout=_first(delegate.timeout, root.timeout),
        retries=_first(delegate.retries, root.retries),
        fault=_first(delegate.fault, root.fault) if delegate.route else delegate.fault,
        mirror=delegate.mirror if mirrored else root.mirror,
        mirrors=delegate.mirrors if mirrored else root.mirrors,
        mirror_percent=_first(delegate.mirror_percent, root.mirror_percent),
        mirror_percentage=_first(delegate.mirror_percentage, root.mirror_percentage),
        cors_policy=_first(delegate.cors_policy, root.cors_policy),
        headers=_first(delegate.headers, root.headers),
    )


def merged_matches(
    root: tuple[HTTPMatchRequest, ...], delegate: tuple[HTTPMatchRequest, ...]
) -> tuple[HTTPMatchRequest, ...] | None:
    """The conjunctions of each match of the delegate with those of the root it is narrower than; None when one of the
    delegate's is narrower than none."""
    if not root or not delegate:
        return root or delegate
    found: list[HTTPMatchRequest] = []
    for narrow in delegate:
        within = [merged_match(wide, narrow) for wide in root if not conflict(wide, narrow)]
        if not within:
            return None
        found += within
    return tuple(found)


def merged_match(root: HTTPMatchRequest, delegate: HTTPMatchRequest) -> HTTPMatchRequest:
    """Both at once, where they do not conflict: the delegate's word counts where both have one."""
    return HTTPMatchRequest(
        name=_joined(root.name, delegate.name),
        uri=_first(delegate.uri, root.uri),
        scheme=_first(delegate.scheme, root.scheme),
        method=_first(delegate.method, root.method),
        authority=_first(delegate.authority, root.authority),
        headers={**root.headers, **delegate.headers},
        port=delegate.port or root.port,
        source_labels={**root.source_labels, **delegate.source_labels},
        gateways=delegate.gateways or root.gateways,
        query_params={**root.query_params, **delegate.query_params},
        ignore_uri_case=delegate.ignore_uri_case,
        without_headers={**root.without_headers, **delegate.without_headers},
        source_namespace=delegate.source_namespace or root.source_namespace,
        stat_prefix=delegate.stat_prefix or root.stat_prefix,
    )


def conflict(root: HTTPMatchRequest, delegate: HTTPMatchRequest) -> bool:
    """Whether the delegate's match is not narrower than the root's."""
    return bool(
        any(
            string_conflict(wide, narrow)
            for wide, narrow in (
                (root.uri, delegate.uri),
                (root.scheme, delegate.scheme),
                (root.method, delegate.method),
                (root.authority, delegate.authority),
                *_pairs(root.headers, delegate.headers),
                *_pairs(root.without_headers, delegate.without_headers),
                *_pairs(root.query_params, delegate.query_params),
            )
        )
        or root.ignore_uri_case != delegate.ignore_uri_case
        or (root.port and delegate.port and root.port != delegate.port)
        or (root.source_namespace and root.source_namespace != delegate.source_namespace)
        or any(root.source_labels.get(key, value) != value for key, value in delegate.source_labels.items())
        or (bool(root.gateways and delegate.gateways) and not set(delegate.gateways) <= set(root.gateways))
    )


def string_conflict(root: StringMatch | None, delegate: StringMatch | None) -> bool:
    """Whether a condition of the delegate is not narrower than the root's; no condition conflicts with nothing.

    Expressions cannot be compared: one conflicts with any other condition.
    """
    if root is None or delegate is None:
        return False
    if root.regex or delegate.regex:
        return True
    if root.exact:
        return delegate.exact != root.exact
    if root.prefix:
        return not (delegate.prefix or delegate.exact or "").startswith(root.prefix)
    return True


def _pairs(
    root: Mapping[str, StringMatch], delegate: Mapping[str, StringMatch]
) -> Iterable[tuple[StringMatch | None, StringMatch | None]]:
    return ((root.get(name), narrow) for name, narrow in delegate.items())


def _joined(root: str, delegate: str) -> str:
    return f"{root}-{delegate}" if root and delegate else root or delegate


def _first(delegate: T | None, root: T | None) -> T | None:
    return delegate if delegate is not None else root
