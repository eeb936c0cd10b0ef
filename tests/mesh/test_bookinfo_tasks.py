"""Istio's pages about Bookinfo, typed line by line: getting started, request routing, traffic shifting, faults."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lateen.samples.load import Load, send
from lateen.samples.traffic import shares, version
from lateen.testing.local_mesh import LocalMesh

INGRESS = """
export INGRESS_HOST=$(kubectl -n istio-system get service istio-ingressgateway \
  -o jsonpath='{.status.loadBalancer.ingress[0].ip}')
export INGRESS_PORT=$(kubectl -n istio-system get service istio-ingressgateway \
  -o jsonpath='{.spec.ports[?(@.name=="http2")].port}')
export GATEWAY_URL=$INGRESS_HOST:$INGRESS_PORT
"""
NETWORKING = "samples/bookinfo/networking"


class Page(NamedTuple):
    text: str
    seconds: float

    @property
    def reviews(self) -> str:
        """`reviews v2`, or what the page says in their place."""
        return version(self.text.encode())

    @property
    def stars(self) -> str:
        found = re.search('class="stars (red|black)"', self.text)
        return found[1] if found else "none"


class Shop:
    """The bookshop as people outside see it."""

    def __init__(self, mesh: LocalMesh, directory: Path) -> None:
        self.mesh = mesh
        self.url = f"http://{mesh.shell(INGRESS + 'echo $GATEWAY_URL').strip()}"
        self._cookies = directory / "cookies"

    def sign_in(self, user: str) -> None:
        self.mesh.shell(f'curl -s -c {self._cookies} "{self.url}/login" --data "username={user}&passwd=password"')

    def page(self, *, signed_in: bool = False) -> Page:
        began = time.monotonic()
        cookies = f"-b {self._cookies}" if signed_in else ""
        text = self.mesh.shell(f'curl -sS --max-time 30 {cookies} "{self.url}/productpage"')
        return Page(text, time.monotonic() - began)

    def shares(self, count: int) -> dict[str, int]:
        """Which versions of reviews answered so many requests."""
        return shares(asyncio.run(send(Load(f"{self.url}/productpage", count=count, connections=4), version)))

    def until(self, shown: str, *, signed_in: bool = False) -> Page:
        """Waits until pages come with these reviews, too many in a row for chance: what was applied is there."""

        def look() -> list[Page]:
            pages = []
            for _ in range(20):
                pages.append(self.page(signed_in=signed_in))
                if pages[-1].reviews != shown:
                    return []
            return pages

        return self.mesh.until(look, f"twenty pages with {shown}")[-1]

    def until_shares(self, *versions: str) -> None:
        """Waits until these versions of reviews answer forty requests, and no others."""
        self.mesh.until(lambda: set(self.shares(40)) == set(versions), f"reviews of {versions}")


@pytest.fixture
def shop(bookinfo: LocalMesh, tmp_path: Path) -> Iterator[Shop]:
    """The shop with no routes; those that a test applies go with it."""
    yield Shop(bookinfo, tmp_path)
    bookinfo.shell(f"kubectl delete --ignore-not-found -f {NETWORKING}/virtual-service-all-v1.yaml")


def test_getting_started(bookinfo: LocalMesh, shop: Shop) -> None:
    services = bookinfo.shell("kubectl get services")
    assert all(
        re.search(rf"^{name} +ClusterIP .* 9080/TCP", services, re.M) for name in ("details", "ratings", "reviews")
    )
    pods = bookinfo.shell("kubectl get pods").splitlines()[1:]
    assert len(pods) == 6
    assert all(re.search(r" 2/2 +Running +0 ", line) for line in pods), pods
    inside = bookinfo.shell(
        "kubectl exec \"$(kubectl get pod -l app=ratings -o jsonpath='{.items[0].metadata.name}')\" -c ratings "
        '-- curl -sS productpage:9080/productpage | grep -o "<title>.*</title>"'
    )
    assert inside == "<title>Simple Bookstore App</title>\n"
    outside = bookinfo.shell(
        INGRESS + 'curl -s "http://${GATEWAY_URL}/productpage" | grep -o "<title>.*</title>"', timeout=60
    )
    assert outside == "<title>Simple Bookstore App</title>\n"
    shop.until_shares("reviews v1", "reviews v2", "reviews v3")
    seen = shop.shares(100)
    assert set(seen) == {"reviews v1", "reviews v2", "reviews v3"}
    assert sum(seen.values()) == 100


def test_request_routing(bookinfo: LocalMesh, shop: Shop) -> None:
    """Everybody gets version 1; then a user gets another one."""
    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-all-v1.yaml")
    told = bookinfo.shell("kubectl get virtualservices -o yaml")
    assert told.count("subset: v1") >= 4
    assert "name: v3" in bookinfo.shell("kubectl get destinationrules -o yaml")
    assert shop.until("reviews v1").stars == "none"
    assert shop.shares(40) == {"reviews v1": 40}

    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-reviews-test-v2.yaml")
    assert "exact: jason" in bookinfo.shell("kubectl get virtualservice reviews -o yaml")
    shop.sign_in("jason")
    page = shop.until("reviews v2", signed_in=True)
    assert page.stars == "black"
    assert ">jason<" in page.text
    assert shop.shares(40) == {"reviews v1": 40}
    shop.sign_in("mallory")
    assert {shop.page(signed_in=True).reviews for _ in range(10)} == {"reviews v1"}


def test_traffic_shifting(bookinfo: LocalMesh, shop: Shop) -> None:
    """From one version to another by weights: 100/0, 90/10, 50/50, 0/100."""
    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-all-v1.yaml")
    shop.until("reviews v1")

    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-reviews-90-10.yaml")
    shop.until_shares("reviews v1", "reviews v2")
    seen = shop.shares(300)
    assert set(seen) == {"reviews v1", "reviews v2"}
    assert 4 <= seen["reviews v2"] <= 75, "30 are expected, and others than these once in 10^9 times"

    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-reviews-50-v3.yaml")
    assert "weight: 50" in bookinfo.shell("kubectl get virtualservice reviews -o yaml")
    shop.until_shares("reviews v1", "reviews v3")
    seen = shop.shares(200)
    assert set(seen) == {"reviews v1", "reviews v3"}
    assert 55 <= seen["reviews v3"] <= 145, "100 are expected, and others than these once in 10^10 times"

    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-reviews-v3.yaml")
    shop.until_shares("reviews v3")
    assert shop.page().stars == "red"
    assert shop.shares(100) == {"reviews v3": 100}


def test_fault_injection(bookinfo: LocalMesh, shop: Shop) -> None:
    """A delay finds the mistake in the page's time-outs; an abort shows that the rest copes without ratings."""
    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-all-v1.yaml")
    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-reviews-test-v2.yaml")
    shop.sign_in("jason")
    shop.until("reviews v2", signed_in=True)

    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-ratings-test-delay.yaml")
    assert "fixedDelay: 7s" in bookinfo.shell("kubectl get virtualservice ratings -o yaml")

    def gave_up() -> list[Page]:
        page = shop.page(signed_in=True)
        return [page] if page.reviews == "reviews unavailable" else []

    (late,) = bookinfo.until(gave_up, "a page that gave up on reviews")
    assert "Error fetching product reviews!" in late.text
    assert "Sorry, product reviews are currently unavailable for this book." in late.text
    assert late.seconds >= 6, "twice 3 s"
    assert shop.page().reviews == "reviews v1", "for others nothing is late"

    bookinfo.shell(f"kubectl apply -f {NETWORKING}/virtual-service-ratings-test-abort.yaml")
    assert "httpStatus: 500" in bookinfo.shell("kubectl get virtualservice ratings -o yaml")
    page = shop.until("reviews v2, ratings unavailable", signed_in=True)
    assert "Ratings service is currently unavailable" in page.text
    assert "Error fetching" not in page.text
    assert shop.shares(20) == {"reviews v1": 20}
