from __future__ import annotations

import datetime as dt

import pytest

from lateen.cluster.node.serving.log_reading import LogOptions
from lateen.cluster.node.serving.log_request import log_options
from lateen.cluster.status import StatusError

NOW = dt.datetime(2026, 1, 1, 0, 1, tzinfo=dt.UTC)


def test_options() -> None:
    query = {"follow": "true", "timestamps": "1", "tailLines": "0", "limitBytes": "5", "sinceSeconds": "60"}
    assert log_options(query, NOW) == LogOptions(True, True, 0, 5, NOW - dt.timedelta(minutes=1))
    assert log_options({"sinceTime": "2026-01-01T00:01:00Z"}, NOW).since == NOW


@pytest.mark.parametrize(
    "query",
    [
        {"tailLines": "-1"},
        {"tailLines": "x"},
        {"limitBytes": "0"},
        {"sinceSeconds": "0"},
        {"sinceTime": "yesterday"},
        {"sinceTime": "2026-01-01T00:00:00"},
        {"tailLines": "9" * 30},
        {"stream": "stdout"},
        {"stream": "Stdout", "tailLines": "1"},
    ],
)
def test_bad_options(query: dict[str, str]) -> None:
    with pytest.raises(StatusError) as caught:
        log_options(query, NOW)
    assert caught.value.code == 400
