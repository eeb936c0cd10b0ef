from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lateen.identity.current import CurrentAuthority
from lateen.identity.root_files import from_files, to_files
from lateen.identity.root_secret import ROTATE, RootSecret
from lateen.identity.rotation import Phase, RootState, RotationTerms, begin
from lateen.identity.self_signed import RootTerms, self_signed
from lateen.testing.authorities import of_no_version, rsa_key, signing_pair
from lateen.testing.memory_api import MemoryApi
from lateen.testing.until import until

PATH = "/api/v1/namespaces/istio-system/secrets/istio-ca-secret"
START = datetime.now(UTC)
TERMS = RotationTerms(longest=timedelta(hours=1), lag=timedelta(minutes=1), renew_before=timedelta(days=1))


class Replica:
    """One control plane."""

    def __init__(self, api: MemoryApi) -> None:
        self.now = START
        self.changed = asyncio.Event()
        self.current = CurrentAuthority(self.changed.set)
        self.secret = RootSecret(
            api,
            self.current,
            namespace="istio-system",
            root=RootTerms("cluster.local", timedelta(days=100)),
            rotation=TERMS,
            interval=0.002,
            impatience=0.002,
            now=lambda: self.now,
        )

    @asynccontextmanager
    async def running(self, *, keeps: bool):
        task = asyncio.create_task(self.secret.keep() if keeps else self.secret.follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    @property
    def roots(self) -> int:
        return len(self.current.authority.roots) if self.current.authority else 0


def files(api: MemoryApi) -> dict[str, bytes]:
    return {name: b64decode(text) for name, text in api.objects[PATH]["data"].items()}


def secret(content: dict[str, bytes]) -> dict[str, Any]:
    data = {name: b64encode(value).decode() for name, value in content.items()}
    return {"metadata": {"name": "istio-ca-secret"}, "type": "istio.io/ca-root", "data": data}


async def test_who_keeps_it_makes_it_and_the_others_follow() -> None:
    api = MemoryApi()
    keeper, follower = Replica(api), Replica(api)
    async with follower.running(keeps=False), keeper.running(keeps=True):
        one = await asyncio.wait_for(keeper.current.known(), 60)
        assert one == await asyncio.wait_for(follower.current.known(), 60)
    assert sum(method == "POST" for method, _ in api.requests) == 1
    assert api.objects[PATH]["type"] == "istio.io/ca-root"
    assert set(files(api)) == {"ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"}


async def test_followers_make_none() -> None:
    api = MemoryApi()
    replica = Replica(api)
    async with replica.running(keeps=False):
        await until(lambda: len(api.requests) > 5)
    assert replica.current.authority is None
    assert api.objects == {}


async def test_of_many_that_think_they_keep_it_one_makes_it() -> None:
    api = MemoryApi()
    replicas = [Replica(api) for _ in range(8)]
    async with AsyncExitStack() as stack:
        for replica in replicas:
            await stack.enter_async_context(replica.running(keeps=True))
        found = [await asyncio.wait_for(replica.current.known(), 60) for replica in replicas]
    assert len({each.certificate for each in found}) == 1


async def test_it_survives_restarts() -> None:
    api = MemoryApi()
    found = []
    for _ in range(2):
        replica = Replica(api)
        async with replica.running(keeps=True):
            found.append(await asyncio.wait_for(replica.current.known(), 60))
    assert found[0] == found[1]


async def test_what_could_not_be_stored_is_not_used() -> None:
    api = MemoryApi()
    api.fail = lambda method, path: 403 if method == "POST" else None
    replica = Replica(api)
    async with replica.running(keeps=True):
        await until(lambda: len(api.requests) > 5)
        assert replica.current.authority is None
        api.fail = lambda method, path: None
        await asyncio.wait_for(replica.current.known(), 60)


async def test_a_secret_that_was_deleted_comes_back_as_it_was() -> None:
    api = MemoryApi()
    replica = Replica(api)
    async with replica.running(keeps=True):
        before = await asyncio.wait_for(replica.current.known(), 60)
        stored = files(api)
        del api.objects[PATH]
        await until(lambda: PATH in api.objects)
        assert files(api)["ca-cert.pem"] == stored["ca-cert.pem"]
        assert replica.current.authority == before


async def test_a_secret_that_does_not_hold_together_is_left_alone() -> None:
    api = MemoryApi()
    good, other = signing_pair("good"), signing_pair("other")
    broken = {"ca-cert.pem": good.pem, "ca-key.pem": other.key_pem}
    api.put(PATH, secret(broken))
    replica = Replica(api)
    async with replica.running(keeps=True):
        await until(lambda: replica.current.faults)
        assert [fault.path for fault in replica.current.faults] == ["data[ca-key.pem]"]
        assert replica.current.authority is None
        assert files(api) == broken
        api.put(PATH, secret({"ca-cert.pem": good.pem, "ca-key.pem": good.key_pem}))
        assert (await asyncio.wait_for(replica.current.known(), 60)).certificate == good.certificate


@pytest.mark.parametrize("data", [{"ca-cert.pem": "not base64!"}, {"ca-cert.pem": 5}, [], "text", None])
async def test_no_content_stops_the_keeper(data: Any) -> None:
    api = MemoryApi()
    api.put(PATH, {"metadata": {"name": "istio-ca-secret"}, "data": data})
    replica = Replica(api)
    async with replica.running(keeps=True):
        await until(lambda: replica.current.faults)
        await until(lambda: len(api.requests) > 5)


async def test_istios_own_secret_is_taken_over() -> None:
    api = MemoryApi()
    pair = signing_pair("istio", key=rsa_key())
    empty = {"cert-chain.pem": b"", "key.pem": b"", "root-cert.pem": b""}
    api.put(PATH, secret({"ca-cert.pem": pair.pem, "ca-key.pem": pair.key_pem, **empty}))
    replica = Replica(api)
    async with replica.running(keeps=True):
        assert (await asyncio.wait_for(replica.current.known(), 60)).roots == (pair.certificate,)
        await until(lambda: len(api.requests) > 5)
    assert {method for method, _ in api.requests} == {"GET"}


async def test_an_api_server_that_is_away_for_a_while() -> None:
    api = MemoryApi()
    api.fail = lambda method, path: ConnectionError("down")
    replica = Replica(api)
    async with replica.running(keeps=True):
        await until(lambda: len(api.requests) > 3)
        api.fail = lambda method, path: None
        await asyncio.wait_for(replica.current.known(), 60)


# --- rotation -----------------------------------------------------------------------------------------------------


async def test_a_rotation_on_request_step_by_step() -> None:
    api = MemoryApi()
    replica = Replica(api)
    async with replica.running(keeps=True):
        first = (await asyncio.wait_for(replica.current.known(), 60)).certificate
        annotated = {**api.objects[PATH]}
        annotated["metadata"] = {**annotated["metadata"], "annotations": {ROTATE: "now", "mine": "stays"}}
        api.put(PATH, annotated)

        await until(lambda: replica.roots == 2)
        assert replica.current.authority.certificate == first
        assert api.objects[PATH]["metadata"]["annotations"] == {"mine": "stays"}
        assert {"next-ca-cert.pem", "next-ca-key.pem", "rotation-since"} < set(files(api))

        replica.now += TERMS.step
        await until(lambda: replica.current.authority.certificate != first)
        second = replica.current.authority
        assert set(second.roots) == {first, second.certificate}
        assert {"previous-root-cert.pem", "rotation-since"} < set(files(api))

        replica.now += TERMS.step
        await until(lambda: replica.roots == 1)
        assert replica.current.authority.roots == (second.certificate,)
        assert set(files(api)) == {"ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"}


async def test_an_old_root_is_rotated_by_itself() -> None:
    api = MemoryApi()
    replica = Replica(api)
    async with replica.running(keeps=True):
        await asyncio.wait_for(replica.current.known(), 60)
        replica.now += timedelta(days=99, minutes=1)
        await until(lambda: replica.roots == 2)


async def test_a_rotation_survives_restarts_and_changes_of_keeper() -> None:
    api = MemoryApi()
    state = begin(RootState(self_signed(START)), self_signed(START), START)
    api.put(PATH, secret(to_files(state)))
    replica = Replica(api)
    replica.now += TERMS.step
    async with replica.running(keeps=True):
        await until(lambda: replica.current.authority is not None)
        await until(lambda: "previous-root-cert.pem" in files(api))
    assert replica.current.authority.certificate == state.incoming.certificate


async def test_two_keepers_take_each_step_once() -> None:
    api = MemoryApi()
    api.put(PATH, secret(to_files(RootState(self_signed(START)))))
    one, two = Replica(api), Replica(api)
    async with one.running(keeps=True), two.running(keeps=True):
        await asyncio.wait_for(one.current.known(), 60)
        one.now = two.now = START + timedelta(days=3649, minutes=10)
        await until(lambda: one.roots == 2 and two.roots == 2)
    assert one.current.authority == two.current.authority


async def test_who_has_not_seen_the_secret_for_too_long_signs_no_more() -> None:
    api = MemoryApi()
    api.put(PATH, secret(to_files(RootState(self_signed(START)))))
    replica = Replica(api)
    async with replica.running(keeps=False):
        found = await asyncio.wait_for(replica.current.known(), 60)
        api.fail = lambda method, path: ConnectionError("down")
        before = len(api.requests)
        replica.now += TERMS.lag
        await until(lambda: len(api.requests) > before + 3)
        assert replica.current.authority == found
        replica.now += timedelta(seconds=1)
        await until(lambda: replica.current.authority is None)
        api.fail = lambda method, path: None
        assert await asyncio.wait_for(replica.current.known(), 60) == found


def test_terms_that_cannot_work() -> None:
    api, current = MemoryApi(), CurrentAuthority()
    with pytest.raises(ValueError, match="live longer"):
        RootSecret(api, current, namespace="n", root=RootTerms(lifetime=timedelta(days=300)))
    with pytest.raises(ValueError, match="two steps"):
        RootSecret(api, current, namespace="n", rotation=RotationTerms(renew_before=timedelta(days=100)))


# --- files --------------------------------------------------------------------------------------------------------


def test_every_phase_comes_back_out_of_files() -> None:
    steady = RootState(self_signed(START), others=(signing_pair("other mesh").certificate,))
    announced = begin(steady, self_signed(START), START)
    retiring = RootState(announced.incoming, outgoing=steady.active.anchor, since=START, others=steady.others)
    for state in (steady, announced, retiring):
        read = from_files(to_files(state), START)
        assert read.faults == ()
        assert read.state.phase is state.phase
        assert read.state.authority == state.authority
        assert (read.state.incoming, read.state.outgoing, read.state.since) == (
            state.incoming,
            state.outgoing,
            state.since,
        )
        assert read.state.others == state.others


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"next-ca-key.pem": b""}, "next-ca-cert.pem"),
        ({"next-ca-cert.pem": b"nonsense"}, "next-ca-cert.pem"),
        ({"rotation-since": b"yesterday"}, "rotation-since"),
        ({"rotation-since": b"2026-01-01T00:00:00"}, "rotation-since"),
        ({"rotation-since": b""}, "rotation-since"),
        ({"previous-root-cert.pem": b"nonsense"}, "previous-root-cert.pem"),
        ({"previous-root-cert.pem": of_no_version(signing_pair("p").pem)}, "previous-root-cert.pem"),
        ({"previous-root-cert.pem": signing_pair("p").pem}, "next-ca-cert.pem"),
    ],
)
def test_what_is_wrong_with_a_rotation_is_located(change: dict[str, bytes], place: str) -> None:
    given = to_files(begin(RootState(self_signed(START)), self_signed(START), START)) | change
    read = from_files(given, START)
    assert read.state is None
    assert f"data[{place}]" in [fault.path for fault in read.faults]


def test_phases() -> None:
    steady = RootState(self_signed(START))
    assert steady.phase is Phase.STEADY
    announced = begin(steady, self_signed(START), START)
    assert announced.phase is Phase.ANNOUNCED
    assert announced.authority.certificate == steady.active.certificate
    assert announced.authority.roots[-1] == steady.active.certificate
    with pytest.raises(ValueError, match="under way"):
        begin(announced, self_signed(START), START)
