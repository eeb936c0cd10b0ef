from __future__ import annotations

import pytest

from lateen.identity.caller import Evidence
from lateen.identity.front_headers import evidence

PEM = b"-----BEGIN CERTIFICATE-----\nAa+/=\n-----END CERTIFICATE-----\n"
ESCAPED = "-----BEGIN%20CERTIFICATE-----%0AAa%2B%2F%3D%0A-----END%20CERTIFICATE-----%0A"


def test_all_that_the_front_tells() -> None:
    found = evidence(
        {
            "authorization": "Bearer t ",
            "clusterid": "c",
            "x-lateen-peer": "[fd00::1]:4711",
            "x-forwarded-client-cert": f'By=spiffe://a;Hash=01;Cert="{ESCAPED}";URI=spiffe://b',
        }
    )
    assert found == Evidence("t", PEM, "c", "fd00::1")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "URI=spiffe://b",
        f'NotCert="{ESCAPED}"',
        f'Cert="{ESCAPED}";Cert="{ESCAPED}"',
        f'Cert="{ESCAPED}",Cert="{ESCAPED}"',
    ],
)
def test_no_certificate_is_read_out_of_less_or_more_than_one(header: str) -> None:
    assert evidence({"x-forwarded-client-cert": header}) == Evidence()


def test_a_header_by_another_scheme_is_no_token() -> None:
    assert evidence({"authorization": "Basic good"}) == Evidence()
