"""Istio's page on authorization of HTTP, typed line by line: nothing is let through, then one service after another."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lateen.testing.local_mesh import LocalMesh

ALLOW_NOTHING = """kubectl apply -f - <<EOF
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: allow-nothing
  namespace: default
spec:
  {}
EOF
"""
VIEWER = """kubectl apply -f - <<EOF
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: "%(app)s-viewer"
  namespace: default
spec:
  selector:
    matchLabels:
      app: %(app)s
  action: ALLOW
  rules:
  - %(source)sto:
    - operation:
        methods: ["GET"]
EOF
"""
FROM = """from:
    - source:
        principals: ["cluster.local/ns/default/sa/%s"]
    """
POLICIES = (
    "allow-nothing", "productpage-viewer", "details-viewer", "reviews-viewer", "ratings-viewer", "productpage-only",
)  # fmt: skip
DENIED = "RBAC: access denied"
NO_DETAILS, NO_REVIEWS = "Error fetching product details", "Error fetching product reviews"
NO_RATINGS = "Ratings service is currently unavailable"


@pytest.fixture
def shop(bookinfo: LocalMesh) -> Iterator[LocalMesh]:
    yield bookinfo
    bookinfo.shell(f"kubectl delete authorizationpolicy -n default --ignore-not-found {' '.join(POLICIES)}")
    bookinfo.until(lambda: _knows_no_policy(bookinfo), "no proxy has a policy any more, nor connections that had one")


def _knows_no_policy(mesh: LocalMesh) -> bool:
    """Connections that were made under a policy may wait for another request for as long as its listener drains."""
    for pod in mesh.get("pods", "-n", "default")["items"]:
        ask = ("default", pod["metadata"]["name"], "istio-proxy", "pilot-agent", "request", "GET")
        draining = re.findall(r"_draining: (\d+)", mesh.exec(*ask, "stats?filter=_draining"))
        listeners = mesh.exec(*ask, "config_dump?resource=dynamic_listeners")
        if not draining or any(count != "0" for count in draining) or "envoy.filters.http.rbac" in listeners:
            return False
    return True


def test_one_service_after_another_is_let_through(shop: LocalMesh) -> None:
    url = f"http://{shop.gateway_address()}/productpage"

    def page() -> str:
        return shop.shell(f"curl -s --max-time 30 {url}")

    def until(*shown: str) -> str:
        """Pages show all of these, and of all failures no other."""
        absent = {DENIED, NO_DETAILS, NO_REVIEWS, NO_RATINGS}.difference(shown)

        def look() -> str:
            text = page()
            return text if all(each in text for each in shown) and not any(each in text for each in absent) else ""

        return shop.until(look, f"{shown}")

    def until_code(code: str, *options: str) -> None:
        ask = f"curl -s -o /dev/null -w '%{{http_code}}' --max-time 30 {' '.join(options)} {url}"
        shop.until(lambda: shop.shell(ask) == code, f"{code} {options}")

    def allow(app: str, account: str = "") -> None:
        shop.shell(VIEWER % {"app": app, "source": FROM % account if account else ""})

    shop.shell(ALLOW_NOTHING)
    assert until(DENIED) == DENIED
    until_code("403")
    allow("productpage")
    until(NO_DETAILS, NO_REVIEWS)
    until_code("403", "-X POST")
    allow("details", "bookinfo-productpage")
    until(NO_REVIEWS, "PublisherA")
    allow("reviews", "bookinfo-productpage")
    until(NO_RATINGS, "Book Reviews")
    allow("ratings", "bookinfo-reviews")
    text = until("Book Reviews", "PublisherA", "glyphicon-star")
    assert "Reviews served by" in text
    own = "kubectl exec deploy/productpage-v1 -c productpage -- curl -sf details:9080/details/0"
    shop.until(lambda: "PublisherA" in shop.shell(own), "productpage may ask details")
    other = "kubectl exec deploy/reviews-v1 -c reviews -- curl -s details:9080/details/0"
    shop.until(lambda: shop.shell(other) == DENIED, "reviews may not ask details")


def test_reviews_for_productpage_only(shop: LocalMesh) -> None:
    """The sample that the demo proposes."""

    def answers() -> list[str]:
        """Of so many requests that every version is asked."""
        loop = "for i in $(seq 30); do curl -s reviews:9080/reviews/0; echo; done"
        return shop.exec("default", "deploy/ratings-v1", "ratings", "sh", "-c", loop).splitlines()

    def all_let_in() -> bool:
        return all('"podname"' in answer for answer in answers())

    def page_with_reviews() -> bool:
        page = shop.shell(f"curl -s --max-time 30 http://{address}/productpage")
        return "Reviews served by" in page and NO_REVIEWS not in page

    address = shop.gateway_address()
    shop.until(all_let_in, "ratings let in")
    shop.shell("kubectl apply -f samples/bookinfo/policy/productpage-only.yaml")
    shop.until(lambda: answers() == [DENIED] * 30, "ratings turned away by every reviews")
    shop.until(page_with_reviews, "productpage let in")
    shop.shell("kubectl delete -f samples/bookinfo/policy/productpage-only.yaml")
    shop.until(all_let_in, "ratings let in again")
