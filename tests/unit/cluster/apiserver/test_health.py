from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from lateen.cluster.apiserver.health import PATHS, answer
from lateen.cluster.status import StatusError

GOOD = {"ping": lambda: True, "poststarthook/bootstrap": lambda: True}
BAD = {"ping": lambda: True, "storage": lambda: False}


@pytest.mark.parametrize("path", PATHS)
def test_all_is_well(path: str) -> None:
    for suffix in ("", "/"):
        response = answer(make_mocked_request("GET", path + suffix), GOOD)
        assert (response.status, response.text) == (200, "ok")


def test_every_check_by_name() -> None:
    response = answer(make_mocked_request("GET", "/readyz?verbose"), GOOD)
    assert response.text == "[+]ping ok\n[+]poststarthook/bootstrap ok\nreadyz check passed\n"
    assert answer(make_mocked_request("GET", "/readyz/poststarthook/bootstrap"), GOOD).text == "ok"
    assert answer(make_mocked_request("GET", "/livez/storage"), BAD).status == 500
    with pytest.raises(StatusError) as unknown:
        answer(make_mocked_request("GET", "/livez/none"), GOOD)
    assert unknown.value.code == 404


def test_a_failure_names_itself() -> None:
    response = answer(make_mocked_request("GET", "/livez"), BAD)
    assert response.status == 500
    assert response.text == "[+]ping ok\n[-]storage failed: reason withheld\nlivez check failed\n"


def test_what_is_excluded_is_not_asked() -> None:
    response = answer(make_mocked_request("GET", "/livez?verbose&exclude=storage&exclude=x"), BAD)
    assert response.status == 200
    assert response.text == "[+]ping ok\n[+]storage excluded: ok\nlivez check passed\n"
