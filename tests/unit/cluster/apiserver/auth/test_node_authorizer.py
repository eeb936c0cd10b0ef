from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.request import RequestInfo, User
from lateen.cluster.apiserver.store.store import Store

NODE = User("system:node:one", groups=("system:nodes", "system:authenticated"))


def get(plural: str, name: str, verb: str = "get", subresource: str = "") -> RequestInfo:
    return RequestInfo("", verb, "", "v1", plural, "ns", name, subresource)


@pytest.fixture
async def authorizer(store: Store, create: Any) -> Authorizer:
    spec = {
        "nodeName": "one",
        "serviceAccountName": "app",
        "imagePullSecrets": [{"name": "pull"}],
        "volumes": [
            {"name": "a", "secret": {"secretName": "mounted"}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "projected"}}]}},
        ],
        "containers": [
            {
                "envFrom": [{"configMapRef": {"name": "whole"}}],
                "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}],
            }
        ],
    }
    await create("", "pods", "ns", "mine", spec=spec)
    other = {"nodeName": "two", "volumes": [{"name": "a", "secret": {"secretName": "theirs"}}]}
    await create("", "pods", "ns", "other", spec=other)
    return Authorizer(store)


@pytest.mark.parametrize(
    ("info", "allowed"),
    [
        (get("secrets", "mounted"), True),
        (get("secrets", "mounted", "watch"), True),
        (get("secrets", "pull"), True),
        (get("secrets", "key"), True),
        (get("secrets", "theirs"), False),
        (get("secrets", ""), False),
        (get("secrets", "mounted", "delete"), False),
        (get("configmaps", "projected"), True),
        (get("configmaps", "whole"), True),
        (get("configmaps", "mounted"), False),
        (get("serviceaccounts", "app", "create", "token"), True),
        (get("serviceaccounts", "default", "create", "token"), False),
        (get("pods", "mine", "patch", "status"), True),
        (RequestInfo("", "patch", "", "v1", "nodes", "", "one", "status"), True),
        (RequestInfo("", "patch", "", "v1", "nodes", "", "two", "status"), False),
        (RequestInfo("", "list", "discovery.k8s.io", "v1", "endpointslices"), True),
        (RequestInfo("", "create", "apps", "v1", "deployments", "ns"), False),
    ],
)
async def test_a_node_reads_what_its_pods_refer_to(authorizer: Authorizer, info: RequestInfo, allowed: bool) -> None:
    assert authorizer.authorize(NODE, info).allowed is allowed


async def test_only_nodes_are_nodes(authorizer: Authorizer) -> None:
    assert not authorizer.authorize(User("system:node:one"), get("secrets", "mounted")).allowed
    assert not authorizer.authorize(User("one", groups=("system:nodes",)), get("secrets", "mounted")).allowed


async def test_the_refusal_says_why(authorizer: Authorizer) -> None:
    reason = authorizer.authorize(NODE, get("secrets", "theirs")).reason
    assert reason == "no relationship found between node 'one' and this object"
