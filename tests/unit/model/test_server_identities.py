from __future__ import annotations

from lateen.model.server_identities import all_take_mutual_tls, server_names
from lateen.model.service import ServiceKey
from lateen.testing.mesh import Mesh, endpoint_slice

KEY = ServiceKey("reviews.shop.svc.cluster.local", "shop")
SERVICE = """
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80, targetPort: 8080}]}
"""


def pod(name: str, address: str, account: str, tls: str = "istio") -> str:
    return f"""
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: reviews, security.istio.io/tlsMode: {tls}}}}}
spec: {{serviceAccountName: {account}, containers: [{{name: c}}]}}
status: {{podIP: {address}, podIPs: [{{ip: {address}}}]}}
"""


def mesh(*pods: str) -> Mesh:
    named = {f"p{number}": f"10.1.0.{number}" for number in range(len(pods))}
    return Mesh(SERVICE, *pods, endpoint_slice("reviews", "shop", ports={"http": 8080}, pods=named))


def test_each_account_that_runs_a_service_may_answer_for_it() -> None:
    found = mesh(pod("p0", "10.1.0.0", "b"), pod("p1", "10.1.0.1", "a"), pod("p2", "10.1.0.2", "a"))
    assert found.get(server_names, KEY) == (
        "spiffe://cluster.local/ns/shop/sa/a",
        "spiffe://cluster.local/ns/shop/sa/b",
    )


def test_a_service_that_nobody_runs_has_no_names() -> None:
    assert Mesh(SERVICE).get(server_names, KEY) == ()


def test_names_of_a_service_entry_count_too() -> None:
    entry = """
kind: ServiceEntry
metadata: {name: entry, namespace: shop}
spec:
  hosts: [a.example.com]
  resolution: STATIC
  subjectAltNames: [other.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
"""
    assert Mesh(entry).get(server_names, ServiceKey("a.example.com", "shop")) == ("other.example.com",)


def test_only_when_all_endpoints_take_mutual_tls_do_all() -> None:
    one, other = pod("p0", "10.1.0.0", "a"), pod("p1", "10.1.0.1", "a")
    assert mesh(one, other).get(all_take_mutual_tls, KEY, 80)
    assert not mesh(one, pod("p1", "10.1.0.1", "a", "disabled")).get(all_take_mutual_tls, KEY, 80)
    assert not Mesh(SERVICE).get(all_take_mutual_tls, KEY, 80)
