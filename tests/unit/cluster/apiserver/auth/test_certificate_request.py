from __future__ import annotations

from base64 import b64encode

import pytest

from lateen.cluster.apiserver.auth.certificate_request import InvalidRequestError, names_in, parse_request
from lateen.testing.authorities import ec_key, of_no_version, signing_request

GOOD = signing_request(ec_key(), common_name="jane").encode()


def test_a_request_says_who_asks() -> None:
    assert names_in(parse_request({"spec": {"request": b64encode(GOOD).decode()}})).common_name == "jane"


@pytest.mark.parametrize("request_", [None, "no base64", b64encode(b"no PEM"), b64encode(of_no_version(GOOD))])
def test_what_is_no_request(request_: object) -> None:
    given = request_.decode() if isinstance(request_, bytes) else request_
    with pytest.raises(InvalidRequestError, match="unable to parse request"):
        parse_request({"spec": {"request": given}})
