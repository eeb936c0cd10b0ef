"""A real Envoy, run for a test: started on a bootstrap, watched through its admin interface, stopped at the end."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from lateen.envoy_binary import envoy_path

POLL = 0.02
"""Seconds between two looks at the admin interface."""


def ads_bootstrap(
    node_id: str,
    port: int,
    *,
    delta: bool = True,
    metadata: Mapping[str, Any] | None = None,
    cluster: str = "test",
    locality: Mapping[str, str] | None = None,
    on_demand_clusters: bool = False,
) -> dict[str, Any]:
    """A bootstrap that takes everything from an ADS server at 127.0.0.1:`port`, in plaintext.

    `metadata` is the node's (`NAMESPACE`, `LABELS`...). With `on_demand_clusters` the proxy asks for no clusters at
    the start. Reconnects are tried at once: tests restart servers.
    """
    ads: dict[str, Any] = {"ads": {}, "resource_api_version": "V3"}
    dynamic: dict[str, Any] = {
        "ads_config": {
            "api_type": "DELTA_GRPC" if delta else "GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": True,
            "grpc_services": [
                {
                    "envoy_grpc": {
                        "cluster_name": "xds-grpc",
                        "retry_policy": {
                            "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.2s"},
                            "num_retries": 100,
                        },
                    }
                }
            ],
        },
        "lds_config": {**ads, "initial_fetch_timeout": "0s"},
    }
    if not on_demand_clusters:
        dynamic["cds_config"] = {**ads, "initial_fetch_timeout": "0s"}
    return {
        "node": {
            "id": node_id,
            "cluster": cluster,
            "metadata": dict(metadata or {}),
            **({"locality": dict(locality)} if locality else {}),
        },
        "dynamic_resources": dynamic,
        "static_resources": {
            "clusters": [
                {
                    "name": "xds-grpc",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                            "explicit_http_config": {"http2_protocol_options": {}},
                        }
                    },
                    "load_assignment": {
                        "cluster_name": "xds-grpc",
                        "endpoints": [
                            {
                                "lb_endpoints": [
                                    {
                                        "endpoint": {
                                            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}
                                        }
                                    }
                                ]
                            }
                        ],
                    },
                }
            ]
        },
    }


class RunningEnvoy:
    """One Envoy process. All methods block: from a coroutine use `asyncio.to_thread`, or `async with`.

    Use as a context manager. `environment` is added to a bare one, `arguments` to the command line. The bootstrap needs
    no `admin`; one is added at a port of its own choice.
    """

    def __init__(
        self,
        bootstrap: Mapping[str, Any],
        *,
        log_level: str = "info",
        concurrency: int = 1,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self._bootstrap = dict(bootstrap)
        self._arguments = tuple(arguments)
        self._level = log_level
        self._concurrency = concurrency
        self._environment = {"PATH": os.environ.get("PATH", ""), **(environment or {})}
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: tuple[str, int] | None = None

    def start(self) -> None:
        """Returns once the admin interface answers (not: once everything is configured)."""
        self._directory = tempfile.TemporaryDirectory(prefix="lateen-envoy-")
        place = Path(self._directory.name)
        bootstrap = {
            **self._bootstrap,
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        }
        (place / "bootstrap.json").write_text(json.dumps(bootstrap))
        command = [
            str(envoy_path()), "-c", str(place / "bootstrap.json"), "--disable-hot-restart", "-l", self._level,
            "--concurrency", str(self._concurrency), "--admin-address-path", str(place / "admin"),
            "--file-flush-interval-msec", "50", *self._arguments,
        ]  # fmt: skip
        with (place / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self._environment)
        self.until(self._admin_address, "Envoy opens its admin interface")

    def stop(self) -> None:
        """Ends the process. Stopping twice does nothing."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def __enter__(self) -> RunningEnvoy:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"Envoy's log:\n{self.log()}")
        self.stop()

    async def __aenter__(self) -> RunningEnvoy:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    # --- looking ---------------------------------------------------------------------------------------------

    def log(self, last: int = 60) -> str:
        """The last lines that Envoy logged, each cut to a readable length (it begins by listing all extensions)."""
        if self._directory is None:
            return ""
        lines = (Path(self._directory.name) / "log").read_text(errors="replace").splitlines()
        return "\n".join(line[:400] for line in lines[-last:])

    @property
    def admin_address(self) -> tuple[str, int]:
        """Of the admin interface. Raises OSError before there is one."""
        if self._admin is None:
            raise OSError("no admin interface yet")
        return self._admin

    def admin(self, path: str) -> str:
        """GETs a path of the admin interface. Raises OSError when there is no answer, ValueError unless it is 200."""
        connection = http.client.HTTPConnection(*self.admin_address, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{path}: {answer.status} {body}")
        return body

    def config_dump(self) -> list[dict[str, Any]]:
        """The sections of /config_dump, endpoints included."""
        configs: list[dict[str, Any]] = json.loads(self.admin("/config_dump?include_eds"))["configs"]
        return configs

    def clusters(self) -> dict[str, dict[str, Any]]:
        """The active clusters of ADS by name."""
        return {
            found["cluster"]["name"]: found["cluster"]
            for found in self._section("ClustersConfigDump").get("dynamic_active_clusters", ())
        }

    def listeners(self) -> dict[str, dict[str, Any]]:
        """The active listeners of ADS by name."""
        return {
            found["name"]: found["active_state"]["listener"]
            for found in self._section("ListenersConfigDump").get("dynamic_listeners", ())
            if "active_state" in found
        }

    def routes(self) -> dict[str, dict[str, Any]]:
        """The route configurations of RDS by name."""
        return {
            found["route_config"]["name"]: found["route_config"]
            for found in self._section("RoutesConfigDump").get("dynamic_route_configs", ())
            if "route_config" in found
        }

    def endpoints(self, cluster: str) -> set[str]:
        """`address:port` of each host of an active cluster; empty when there is no such cluster."""
        found = json.loads(self.admin("/clusters?format=json")).get("cluster_statuses", ())
        hosts = next((c.get("host_statuses", ()) for c in found if c["name"] == cluster), ())
        addresses = (host["address"]["socket_address"] for host in hosts if "socket_address" in host["address"])
        return {f"{address['address']}:{address['port_value']}" for address in addresses}

    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where each listener that listens does so, by name: (address, port)."""
        # Before the workers have started, listeners are told of whose ports refuse connections.
        if self.stats("listener_manager.workers_started").get("listener_manager.workers_started") != 1:
            return {}
        found = json.loads(self.admin("/listeners?format=json")).get("listener_statuses", ())
        return {
            listener["name"]: (address["address"], address["port_value"])
            for listener in found
            if (address := listener["local_address"].get("socket_address")) is not None
        }

    def stats(self, filter: str = "") -> dict[str, int]:
        """Counters and gauges by name; `filter` is a regular expression that Envoy applies."""
        text = self.admin(f"/stats?filter={filter}" if filter else "/stats")
        pairs = (line.split(": ", 1) for line in text.splitlines() if ": " in line)
        return {name: int(value) for name, value in pairs if value.isdigit()}

    def until(self, condition: Callable[[], Any], what: str = "the condition holds", timeout: float = 60) -> Any:
        """Polls until `condition()` gives something true, and returns that.

        Raises AssertionError with Envoy's log after `timeout` seconds, or when Envoy has ended. While Envoy does not
        answer, the condition counts as not met.
        """
        deadline = time.monotonic() + timeout
        last: object = None
        while time.monotonic() < deadline:
            try:
                if last := condition():
                    return last
            except OSError as error:
                last = error
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(f"Envoy ended ({self._process.returncode}) before {what}:\n{self.log()}")
            time.sleep(POLL)
        raise AssertionError(f"not within {timeout} s: {what} (last: {last!r})\n{self.log()}")

    def _admin_address(self) -> bool:
        assert self._directory is not None
        address = Path(self._directory.name) / "admin"
        host, _, port = (address.read_text() if address.exists() else "").rpartition(":")
        if not port:
            return False
        self._admin = (host, int(port))
        return bool(self.admin("/server_info"))

    def _section(self, kind: str) -> dict[str, Any]:
        return next((s for s in self.config_dump() if s["@type"].endswith(f".{kind}")), {})
