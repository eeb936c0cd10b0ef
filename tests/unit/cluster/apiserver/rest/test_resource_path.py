from __future__ import annotations

import pytest

from lateen.cluster.apiserver.request import RequestInfo
from lateen.cluster.apiserver.rest.resource_path import parse_target


def seen(info: RequestInfo) -> tuple[str, ...]:
    return info.verb, info.group, info.version, info.plural, info.namespace, info.name, info.subresource


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/d/pods/p", ("get", "", "v1", "pods", "d", "p", "")),
        ("PUT", "/api/v1/namespaces/d/status", ("update", "", "v1", "namespaces", "d", "d", "status")),
        ("GET", "/api/v1/namespaces/d", ("get", "", "v1", "namespaces", "d", "d", "")),
        ("POST", "/apis/apps/v1/namespaces/d/deployments", ("create", "apps", "v1", "deployments", "d", "", "")),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/d/deployments",
            ("deletecollection", "apps", "v1", "deployments", "d", "", ""),
        ),
        ("GET", "/api/v1/watch/pods", ("watch", "", "v1", "pods", "", "", "")),
    ],
)
def test_resources(method: str, path: str, expected: tuple[str, ...]) -> None:
    assert seen(parse_target(method, path, {}).info) == expected


def test_a_selected_name_counts_for_authorization() -> None:
    info = parse_target("GET", "/api/v1/pods", {"watch": "1", "fieldSelector": "metadata.name=p"}).info
    assert (info.verb, info.name) == ("watch", "p")


def test_the_tail_of_a_proxied_path_keeps_its_slash() -> None:
    assert parse_target("GET", "/api/v1/namespaces/proxy/pods/p/proxy/a/b/", {}).tail == "/a/b/"


@pytest.mark.parametrize("path", ["/", "/healthz", "/apis/apps/v1", "/api/v1", "/openapi/v2"])
def test_other_paths_are_no_resources(path: str) -> None:
    assert not parse_target("GET", path, {}).info.is_resource
