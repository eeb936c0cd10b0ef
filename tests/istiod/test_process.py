"""`lateen istiod` as a process on directories of manifests, and against an API server that comes and goes."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lateen.api.kinds import KINDS
from lateen.testing.fake_api_server import FakeApiServer, Resource
from lateen.testing.free_port import free_port
from lateen.testing.istiod import IstiodProcess

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 80}}]}}\n"
ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{directResponse: {status: 200}}]
"""


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=60).close()
    except OSError:
        return False
    return True


def faults(istiod: IstiodProcess) -> dict[str, list[str]]:
    """Paths of faults, by resource."""
    return {f"{each['kind']}/{each['name']}": [f["path"] for f in each["faults"]] for each in istiod.debug("status")}


def test_ready_when_the_directory_is_read_and_ends_on_sigterm(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SERVICE.format(name="reviews") + "---" + ROUTES)
    with IstiodProcess("--config-dir", str(tmp_path)) as istiod:
        addresses = istiod.until_ready()
        assert set(addresses) == {"http", "monitoring", "xds"}
        assert all(connects(address) for address in addresses.values())
        assert istiod.get("/ready") == (200, "ready\n")
        assert istiod.debug("sources")["waiting"] == []
        assert istiod.get("/version")[0] == 200
        assert "/debug/sources" in istiod.get("/debug")[1]
        assert istiod.terminate() == 0
        assert istiod.log[-1]["msg"] == "stopped"


def test_interrupt_is_an_orderly_end_too(tmp_path: Path) -> None:
    with IstiodProcess("--config-dir", str(tmp_path)) as istiod:
        istiod.until_ready()
        istiod.process.send_signal(2)
        assert istiod.process.wait(60) == 0


def test_bad_files_are_told_of_and_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "bad.yaml").write_text(ROUTES.replace("hosts: [reviews]", "hosts: reviews"))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large.yaml").write_text(SERVICE.format(name="large") + "# " + "x" * 10_000_000)
    with IstiodProcess("--config-dir", str(tmp_path)) as istiod:
        istiod.until_ready()
        problems = istiod.debug("sources")["problems"]["files"]
        assert set(problems) == {str(tmp_path / "broken.yaml"), str(tmp_path / "binary.yaml")}
        assert problems[str(tmp_path / "broken.yaml")].startswith("line 2: ")
        istiod.until(lambda: faults(istiod) == {"VirtualService/reviews": ["spec.hosts"]})
        (found,) = istiod.debug("status")
        assert found["origin"] == f"{tmp_path / 'bad.yaml'}:2"
        assert (found["rejected"], found["inForce"]) == (True, False)
        assert istiod.said("rejected VirtualService default/reviews")
        (tmp_path / "bad.yaml").write_text(ROUTES)
        (tmp_path / "broken.yaml").unlink()
        (tmp_path / "binary.yaml").write_text("")
        istiod.until(lambda: not faults(istiod) and not istiod.debug("sources")["problems"])
        # And back: what was good stays in force.
        (tmp_path / "bad.yaml").write_text(ROUTES.replace("hosts: [reviews]", "hosts: reviews"))
        istiod.until(lambda: bool(faults(istiod)))
        assert istiod.debug("status")[0]["inForce"]
        assert istiod.get("/ready")[0] == 200


def test_mesh_config_of_a_file_is_followed(tmp_path: Path) -> None:
    mesh = tmp_path / "mesh.yaml"
    mesh.write_text("trustDomain: [5]\n")
    (tmp_path / "config").mkdir()
    with IstiodProcess("--config-dir", str(tmp_path / "config"), "--mesh-config", str(mesh)) as istiod:
        istiod.until_ready()
        istiod.until(lambda: "ConfigMap/mesh-settings-files" in faults(istiod))
        mesh.write_text("trustDomain: example.com\n")
        istiod.until(lambda: not faults(istiod))


def test_an_address_that_is_taken_is_one_line_and_an_exit_status(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for option in ("--http-address", "--xds-address"):
            others = ["--http-address", "--xds-address", "--monitoring-address"]
            command = [sys.executable, "-m", "lateen.cli.main", "istiod", "--config-dir", str(tmp_path)]
            for other in others:
                command += [other, address if other == option else "127.0.0.1:0"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert done.returncode == 1
            last = done.stderr.strip().splitlines()[-1]
            assert last.startswith("Error: ")
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to read"),
        (["--in-cluster"], "not in a Pod"),
        (["--config-dir", ".", "--tls-cert", __file__], "--tls-cert and --tls-key go together"),
        (["--config-dir", ".", "--http-address", "nowhere"], "expected HOST:PORT"),
        (["--config-dir", "/no/such/directory"], "does not exist"),
    ],
)
def test_what_cannot_be_is_said_at_once(arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "lateen.cli.main", "istiod", *arguments]
    environment = {"PATH": "/usr/bin"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr


# --- an API server that comes and goes ------------------------------------------------------------------------------


class ThreadedApiServer:
    """The fake API server on a loop of its own; `do` runs something there."""

    def __init__(self) -> None:
        resources = [Resource(kind.group, kind.versions[0], kind.plural, kind.kind) for kind in KINDS]
        self.server = FakeApiServer(resources)
        self.resources = {resource.kind: resource for resource in resources}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def put(self, kind: str, name: str, **content: Any) -> None:
        self.server.put(self.resources[kind], name, **content)

    def __enter__(self) -> ThreadedApiServer:
        self._thread.start()
        self.do(self.server.start())
        return self

    def __exit__(self, *error: object) -> None:
        self.do(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def kubeconfig(url: str, path: Path) -> Iterator[Path]:
    cluster = {"name": "c", "cluster": {"server": url}}
    context = {"name": "c", "context": {"cluster": "c"}}
    path.write_text(yaml.safe_dump({"clusters": [cluster], "contexts": [context], "current-context": "c"}))
    yield path


BAD = {"hosts": "reviews"}
GOOD = {"hosts": ["reviews"], "http": [{"directResponse": {"status": 200}}]}


def test_without_an_api_server_nothing_is_ready_and_with_one_it_is(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with kubeconfig(url, tmp_path / "config") as config, IstiodProcess("--kubeconfig", str(config)) as istiod:
        istiod.until(lambda: istiod.get("/ready")[0] == 503)
        istiod.until(lambda: "Service" in istiod.debug("sources")["problems"].get("kubernetes", {}))
        status, body = istiod.get("/ready")
        assert status == 503
        assert "kubernetes: Service\n" in body
        assert istiod.terminate() == 0


def test_an_api_server_that_dies_stops_nothing(tmp_path: Path) -> None:
    with ThreadedApiServer() as api:
        api.do(api.put("VirtualService", "reviews", spec=BAD))
        with (
            kubeconfig(api.server.url, tmp_path / "config") as config,
            IstiodProcess("--kubeconfig", str(config)) as istiod,
        ):
            addresses = istiod.until_ready()
            istiod.until(lambda: faults(istiod) == {"VirtualService/reviews": ["spec.hosts"]})
            api.do(api.server.stop())
            istiod.until(lambda: bool(istiod.debug("sources")["problems"]))
            assert istiod.get("/ready") == (200, "ready\n")
            assert connects(addresses["xds"])
            assert faults(istiod) == {"VirtualService/reviews": ["spec.hosts"]}
            api.do(api.put("VirtualService", "reviews", spec=GOOD))
            api.do(api.server.start())
            istiod.until(lambda: not faults(istiod) and not istiod.debug("sources")["problems"])


def test_one_source_that_fails_leaves_the_other_alone(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    file = tmp_path / "files" / "a.yaml"
    file.write_text(ROUTES)
    with (
        ThreadedApiServer() as api,
        kubeconfig(api.server.url, tmp_path / "config") as config,
        IstiodProcess("--kubeconfig", str(config), "--config-dir", str(tmp_path / "files")) as istiod,
    ):
        istiod.until_ready()
        api.do(api.server.stop())
        file.write_text(ROUTES.replace("hosts: [reviews]", "hosts: reviews"))
        istiod.until(lambda: faults(istiod) == {"VirtualService/reviews": ["spec.hosts"]})


def test_log_lines_are_json_with_istios_fields(tmp_path: Path) -> None:
    with IstiodProcess("--config-dir", str(tmp_path)) as istiod:
        istiod.until_ready()
        for line in istiod.log:
            assert {"level", "time", "scope", "msg"} <= line.keys(), json.dumps(line)
