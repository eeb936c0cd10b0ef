from __future__ import annotations

from lateen.cluster.apiserver.auth.aggregation import aggregate
from lateen.cluster.apiserver.auth.bootstrap import bootstrap
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.request import RequestInfo, User
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, deep_copy

RBAC = "rbac.authorization.k8s.io"
ROLES = (RBAC, "clusterroles")


async def test_twice_is_once(store: Store) -> None:
    await bootstrap(store)
    revision = store.revision
    await bootstrap(store)
    assert store.revision == revision


async def test_what_was_taken_away_comes_back_and_what_was_added_stays(store: Store) -> None:
    await bootstrap(store)
    role = deep_copy(store.get(ROLES, Key("", "system:discovery")))
    extra = {"verbs": ["get"], "nonResourceURLs": ["/extra"]}
    role["rules"] = [extra]
    role["metadata"]["labels"] = {"mine": "1"}
    await store.update(ROLES, role, None)
    await bootstrap(store)
    after = store.get(ROLES, Key("", "system:discovery"))
    assert after is not None
    assert extra in after["rules"]
    assert len(after["rules"]) == 2
    assert after["metadata"]["labels"] == {"mine": "1", "kubernetes.io/bootstrapping": "rbac-defaults"}


async def test_an_object_may_opt_out(store: Store) -> None:
    await bootstrap(store)
    role = deep_copy(store.get(ROLES, Key("", "system:discovery")))
    role["rules"] = []
    role["metadata"]["annotations"][f"{RBAC}/autoupdate"] = "false"
    await store.update(ROLES, role, None)
    await bootstrap(store)
    assert (store.get(ROLES, Key("", "system:discovery")) or {})["rules"] == []


async def test_custom_roles_are_aggregated_through(store: Store) -> None:
    await bootstrap(store)
    rule = {"verbs": ["get"], "apiGroups": ["acme.com"], "resources": ["widgets"]}
    labels = {f"{RBAC}/aggregate-to-view": "true"}
    await store.create(ROLES, {"metadata": {"name": "widgets", "labels": labels}, "rules": [rule]})
    await aggregate(store)
    for name in ("view", "edit", "admin"):
        assert rule in (store.get(ROLES, Key("", name)) or {})["rules"], name
    await store.delete(ROLES, Key("", "widgets"), None)
    await aggregate(store)
    assert rule not in (store.get(ROLES, Key("", "admin")) or {})["rules"]


async def test_users_and_roles(store: Store) -> None:
    await bootstrap(store)
    authorizer = Authorizer(store)
    binding = {
        "metadata": {"name": "e", "namespace": "ns"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "User", "name": "jane"}],
    }
    await store.create((RBAC, "rolebindings"), binding)
    jane = User("jane", groups=("system:authenticated",))

    def may(verb: str, group: str, plural: str, subresource: str = "") -> bool:
        return authorizer.authorize(jane, RequestInfo("", verb, group, "v1", plural, "ns", "", subresource)).allowed

    assert may("create", "apps", "deployments")
    assert may("create", "", "pods", "exec")
    assert may("get", "", "pods", "log")
    assert may("create", "", "pods", "eviction")
    assert may("delete", "", "secrets")
    assert not may("create", RBAC, "rolebindings")
    assert not may("update", "", "resourcequotas")
    assert not may("update", "apps", "deployments", "status")


async def test_anonymous_sees_health_only(store: Store) -> None:
    await bootstrap(store)
    anonymous = User("system:anonymous", groups=("system:unauthenticated",))
    authorizer = Authorizer(store)
    assert authorizer.authorize(anonymous, RequestInfo("/readyz", "get")).allowed
    assert not authorizer.authorize(anonymous, RequestInfo("/api", "get")).allowed
    assert not authorizer.authorize(anonymous, RequestInfo("/metrics", "get")).allowed
