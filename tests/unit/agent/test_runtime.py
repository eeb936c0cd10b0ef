from __future__ import annotations

import json
import re

import pytest

from lateen.agent.connections import open_connections
from lateen.agent.log import Log
from lateen.agent.runtime import needs_ssl
from lateen.agent.settings import LogSettings


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("", False),
        ("{", False),
        ("[]", False),
        ('{"/a": null}', False),
        ('{"/a": {"httpGet": {"path": "/", "port": 1}}}', False),
        ('{"/a": {"httpGet": {"path": "/", "scheme": "https"}}}', True),
        ('{"/a": {"tcpSocket": {"port": 1}}, "/b": {"httpGet": {"scheme": "HTTPS"}}}', True),
    ],
)
def test_tls_is_loaded_for_https_probes_alone(text, needs):
    assert needs_ssl({"ISTIO_KUBE_APP_PROBERS": text}) is needs


def test_connections_that_count():
    statistics = """
listener.0.0.0.0_15006.downstream_cx_active: 2
listener.0.0.0.0_15006.worker_0.downstream_cx_active: 2
listener.[__]_15001.downstream_cx_active: 3
listener.0.0.0.0_15021.downstream_cx_active: 1
listener.0.0.0.0_15090.downstream_cx_active: 1
listener.admin.downstream_cx_active: 1
http.inbound.downstream_cx_active: 7
nonsense
"""
    assert open_connections(statistics) == 5
    assert open_connections("") == 0


def test_lines_of_the_log(capfd):
    Log(LogSettings("info"), "part").warn("two\nlines")
    Log(LogSettings("error")).info("not said")
    Log(LogSettings("info", True)).error('with "quotes"')
    first, second = capfd.readouterr().out.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\twarn\tpart\ttwo lines", first)
    assert {**json.loads(second), "time": ""} == {
        "level": "error", "time": "", "scope": "agent", "msg": 'with "quotes"'
    }  # fmt: skip
