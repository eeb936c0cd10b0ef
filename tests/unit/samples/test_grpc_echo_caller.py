"""Who calls the echo, as its log has it."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.samples.grpc_echo.server import caller

_ME = "spiffe://cluster.local/ns/a/sa/me"


@pytest.mark.parametrize(
    ("metadata", "connection", "expected"),
    [
        ((), {}, ""),
        ((), {"peer_spiffe_id": [_ME.encode()]}, f" of {_ME}"),
        ((("x-forwarded-client-cert", f"By=spiffe://server;Hash=ab;URI={_ME}"),), {}, f" of {_ME}"),
        ((("x-forwarded-client-cert", "Hash=ab"),), {}, ""),
        ((("x-forwarded-client-cert", "URI=spiffe://liar"),), {"peer_spiffe_id": [_ME.encode()]}, f" of {_ME}"),
    ],
)
def test_the_connections_own_certificate_goes_before_what_a_proxy_says(
    metadata: Any, connection: Any, expected: str
) -> None:
    assert caller(metadata, connection) == expected
