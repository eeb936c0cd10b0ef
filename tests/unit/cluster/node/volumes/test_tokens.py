from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from lateen.cluster.node.volumes import tokens
from lateen.cluster.node.volumes.content import VolumeError
from lateen.cluster.node.volumes.tokens import PodTokens
from lateen.cluster.objects import GVR, Key, Obj, timestamp
from lateen.cluster.status import service_unavailable

POD: Obj = {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": {}}
VOLUME: Obj = {
    "name": "v",
    "projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 1000}}]},
}
START = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = START

    def time(self) -> float:
        return self.now


class Api:
    """Gives out numbered tokens, or is away."""

    def __init__(self, clock: Clock) -> None:
        self.requests: list[Obj] = []
        self.away = False
        self._clock = clock

    async def create_subresource(self, gvr: GVR, key: Key, subresource: str, obj: Obj) -> Obj:
        assert (gvr.plural, key, subresource) == ("serviceaccounts", Key("n", "default"), "token")
        if self.away:
            raise service_unavailable("away")
        self.requests.append(obj)
        ends = dt.datetime.fromtimestamp(self._clock.now + obj["spec"]["expirationSeconds"], dt.UTC)
        return {"status": {"token": f"token-{len(self.requests)}", "expirationTimestamp": timestamp(ends)}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(tokens, "time", made)
    return made


@pytest.fixture
def api(clock: Clock) -> Any:
    return Api(clock)


async def test_a_token_is_bound_to_its_pod_and_renewed_at_four_fifths_of_its_life(clock: Clock, api: Any) -> None:
    held = PodTokens(api)
    assert await held.of_volume(POD, VOLUME) == {"token": "token-1"}
    assert api.requests[0]["spec"]["boundObjectRef"]["uid"] == "u"
    assert held.renew_at == START + 800
    clock.now += 799
    assert await held.of_volume(POD, VOLUME) == {"token": "token-1"}
    clock.now += 1
    assert await held.of_volume(POD, VOLUME) == {"token": "token-2"}
    assert held.renew_at == START + 1600


async def test_while_the_api_server_is_away_the_token_stays_and_is_renewed_when_it_is_back(
    clock: Clock, api: Any
) -> None:
    held = PodTokens(api)
    await held.of_volume(POD, VOLUME)
    clock.now += 850
    api.away = True
    assert await held.of_volume(POD, VOLUME) == {"token": "token-1"}
    assert held.renew_at == clock.now + 30
    api.away = False
    assert await held.of_volume(POD, VOLUME) == {"token": "token-1"}
    clock.now += 30
    assert await held.of_volume(POD, VOLUME) == {"token": "token-2"}


async def test_after_its_expiry_the_next_try_still_waits(clock: Clock, api: Any) -> None:
    held = PodTokens(api)
    await held.of_volume(POD, VOLUME)
    clock.now += 1001
    api.away = True
    with pytest.raises(VolumeError, match="failed to fetch token"):
        await held.of_volume(POD, VOLUME)
    assert held.renew_at == clock.now + 30
    api.away = False
    clock.now += 30
    assert await held.of_volume(POD, VOLUME) == {"token": "token-2"}
