"""The ways in which callers of a control plane prove who they are, put together."""

from __future__ import annotations

from typing import Any, NamedTuple

import jwt
import pytest

from lateen.engine import Engine
from lateen.identity.caller import Evidence, Refused
from lateen.identity.throttled import TooManyRefusals
from lateen.istiod.identity import MeshIdentity
from lateen.settings import IstiodSettings, JwtRule
from lateen.testing.authorities import ec_key

ISSUER = "https://issuer.example"


class Told(NamedTuple):
    status: int
    body: Any
    message: str = ""
    retry_after: float = 0.0


class Stranger:
    """An API server that knows no token."""

    async def send(self, method: str, path: str, *, parameters=None, body=None, content_type="") -> Told:
        return Told(201, {"status": {"authenticated": False}})

    async def watch(self, path, parameters):
        raise AssertionError("nothing is watched")
        yield ()


async def _synced() -> None:
    return None


def identity(tmp_path, rule: JwtRule | None) -> MeshIdentity:
    settings = IstiodSettings(identity="istiod-1", plugged_directory=tmp_path, jwt_rule=rule)
    return MeshIdentity(Stranger(), Engine(), settings, synced=_synced, changed=lambda: None)


@pytest.mark.parametrize("callers", ["stream_callers", "debug_callers"])
async def test_an_issuer_is_asked_only_where_there_is_one(tmp_path, callers: str) -> None:
    token = jwt.encode({"iss": "https://other.example"}, ec_key(), "ES256")
    with pytest.raises(Refused) as without:
        await getattr(identity(tmp_path, None), callers).authenticate(Evidence(token))
    with pytest.raises(Refused) as with_one:
        await getattr(identity(tmp_path, JwtRule(ISSUER)), callers).authenticate(Evidence(token))
    said = f"the token is not of {ISSUER}"
    assert said not in str(without.value)
    assert said in str(with_one.value)


async def test_nonsense_is_not_passed_on_for_ever(tmp_path) -> None:
    callers = identity(tmp_path, None).debug_callers
    answers = []
    for _ in range(40):
        with pytest.raises((Refused, TooManyRefusals)) as caught:
            await callers.authenticate(Evidence("nonsense", address="10.0.0.1"))
        answers.append(type(caught.value).__name__)
    assert answers[0] == "Refused"
    assert answers[-1] == "TooManyRefusals"
