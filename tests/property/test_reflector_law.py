"""The law of the Kubernetes source: once the server keeps still, the store holds what the server holds."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lateen.engine import Engine, Reader, query
from lateen.model.inputs import SERVICES
from lateen.sources.backoff import BackoffLimits
from lateen.sources.kubernetes.access import Access
from lateen.sources.kubernetes.client import Client
from lateen.sources.kubernetes.reflector import Timing
from lateen.sources.kubernetes.source import KubernetesSource
from lateen.sources.kubernetes.watched_kind import WatchedKind
from lateen.sources.source import KindName
from lateen.sources.store import Store
from lateen.testing.fake_api_server import FakeApiServer, Resource

SERVICE = Resource("", "v1", "services", "Service")
TIMING = Timing(
    page=2,
    retry=BackoffLimits(first=0.0005, limit=0.005),
    forbidden_retry=BackoffLimits(0.005, 0.005),
    absent_poll=0.005,
)

names = st.sampled_from("abcde")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), names, st.integers(1, 9)),
        st.tuples(st.just("delete"), names, st.just(0)),
        st.tuples(
            st.sampled_from(
                ("disconnect", "forget", "expire", "deny", "permit", "break", "mend", "restart", "bookmarks", "pause")
            ),
            st.just(""),
            st.just(0),
        ),
    ),
    max_size=30,
)


@query
def held(db: Reader) -> tuple[tuple[str, int], ...]:
    found = ((key.name, SERVICES.get(db, key)) for key in SERVICES.keys(db))
    return tuple((name, service.spec.ports[0].port) for name, service in found if service is not None)


async def take(server: FakeApiServer, what: str, name: str, port: int) -> None:
    match what:
        case "put":
            server.put(SERVICE, name, spec={"ports": [{"port": port}]})
        case "delete":
            if (SERVICE, "default", name) in server.objects:
                server.delete(SERVICE, name)
        case "disconnect":
            server.disconnect()
        case "forget":
            server.forget()
        case "expire":
            server.end_watches(410)
        case "deny":
            server.denied.add("services")
        case "permit":
            server.denied.clear()
        case "break":
            server.refuse = lambda request: 503
        case "mend":
            server.refuse = lambda request: None
        case "restart":
            await server.stop()
            await server.start()
        case "bookmarks":
            server.bookmarks = not server.bookmarks
        case _:
            await asyncio.sleep(0.002)


async def scenario(taken: list[tuple[str, str, int]]) -> None:
    engine = Engine()
    changed = asyncio.Event()
    store = Store(engine, committed=changed.set)
    async with FakeApiServer([SERVICE]) as server, Client(Access(server.url)) as client:
        kind = WatchedKind(KindName("", "Service"), "services", ("v1",))
        source = KubernetesSource(client, [kind], timing=TIMING)
        task = asyncio.create_task(source.run(store.sink(source)))
        for step in taken:
            await take(server, *step)
        server.denied.clear()
        server.refuse = lambda request: None
        # Something that only a source that follows again can have seen.
        server.put(SERVICE, "last", spec={"ports": [{"port": 99}]})
        expected = {name: found["spec"]["ports"][0]["port"] for (_, _, name), found in server.objects.items()}
        try:
            async with asyncio.timeout(20):
                while dict(engine.get(held)) != expected:
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            raise AssertionError(f"{engine.get(held)} != {expected}; {store.problems}") from None
        finally:
            task.cancel()
            await asyncio.wait([task])


@given(steps)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_store_holds_what_the_server_holds(taken: list[tuple[str, str, int]]) -> None:
    asyncio.run(scenario(taken))


@pytest.mark.parametrize("what", ["forget", "restart", "expire", "disconnect"])
def test_a_deletion_that_nobody_saw(what: str) -> None:
    taken = [
        ("put", "a", 1),
        ("pause", "", 0),
        ("break", "", 0),
        ("disconnect", "", 0),
        ("delete", "a", 0),
        (what, "", 0),
    ]
    asyncio.run(scenario(taken))
