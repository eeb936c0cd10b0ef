"""Formats of access logs that a proxy would refuse are refused before they get there."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

from lateen.api.mesh.access_log_format import COMMANDS, WITH_ARGUMENT
from lateen.api.mesh.parse import parse_mesh_config
from lateen.envoy_binary import envoy_path

ARGUMENTS = {
    "COMMON_DURATION": "DS_RX_BEG:DS_RX_END:ms",
    "COALESCE": '{"operators":["PROTOCOL"]}',
    "METADATA": "ROUTE:a",
}


def faults(format: str, encoding: str = "TEXT") -> list[str]:
    text = yaml.safe_dump({"accessLogFormat": format, "accessLogEncoding": encoding})
    return [f"{fault.path}: {fault.message}" for fault in parse_mesh_config(text)[1]]


@pytest.mark.parametrize(
    "format",
    [
        "",
        "plain text, 100%%",
        "[%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%] %REQ(X-A?:PATH):10% %RESPONSE_CODE%",
        "%REQ_WITHOUT_QUERY(:PATH)% %CEL(re.extract(request.path, '(.*)', 'b'))%%PROTOCOL%",
        "%FILTER_STATE(peer.workload:PLAIN)%",
    ],
)
def test_good_formats(format: str) -> None:
    assert faults(format) == []


@pytest.mark.parametrize(
    ("format", "fault"),
    [
        ("%NONSENSE%", "accessLogFormat: %NONSENSE% is not a command of this version's proxies"),
        ("%REQ%", "accessLogFormat: %REQ% needs an argument: %REQ(...)%"),
        ("%PROTOCOL(a)%", "accessLogFormat: %PROTOCOL% takes no argument"),
        ("50% off", "accessLogFormat: '% off' is no command: %NAME%, %NAME(ARGUMENT)%, or %% for a %"),
    ],
)
def test_bad_formats(format: str, fault: str) -> None:
    assert faults(format) == [fault]


def test_json_formats() -> None:
    assert faults('{"a": "%PROTOCOL%", "b": {"c": ["%RESPONSE_CODE%", 1]}}', "JSON") == []
    assert faults('{"b": {"c": ["%NO%"]}}', "JSON") == [
        "accessLogFormat.b.c[0]: %NO% is not a command of this version's proxies"
    ]
    assert faults("[%PROTOCOL%]", "JSON") == [
        "accessLogFormat: expected a JSON object of names and formats, because accessLogEncoding is JSON"
    ]


def test_envoy_knows_every_command() -> None:
    text = "".join(
        f"%{name}({ARGUMENTS.get(name, 'a')})%" if name in WITH_ARGUMENT else f"%{name}%"
        for name in sorted(COMMANDS - {"REQ_WITHOUT_QUERY"})
    )
    source = {"text_format_source": {"inline_string": text}}
    type_ = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    log = {"name": "log", "typed_config": {"@type": type_, "log_format": source}}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bootstrap.yaml"
        admin = {"access_log": [log], "address": {"pipe": {"path": f"{directory}/admin"}}}
        path.write_text(yaml.safe_dump({"admin": admin}))
        command = [str(envoy_path()), "--mode", "validate", "--disable-hot-restart", "-l", "error", "-c", str(path)]
        subprocess.run(command, check=True, capture_output=True)
