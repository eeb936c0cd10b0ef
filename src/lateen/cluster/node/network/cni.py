"""CNI: runs the plugins that are configured after the node's own network, as a container runtime runs them.

Specification 0.3.0 to 1.0.0 (https://www.cni.dev/docs/spec/). Configurations are read at each ADD, so that a plugin
counts from the moment it is installed. The node's own network takes part as the plugin `lateen-network`: what it did
is the first `prevResult`. DEL and CHECK use the configuration that was in force at ADD.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lateen.cluster.network.standard_input import standard_input
from lateen.cluster.objects import Obj, name_of, namespace_of, uid_of
from lateen.cluster.replaced_file import replace_file

MAIN_PLUGIN = "lateen-network"
CONFIGURATION_NAME = "10-lateen.conflist"
INTERFACE = "eth0"
PLUGIN_SECONDS = 30.0
_MAX_CONFIGURATION = 1 << 20
_VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
_SYSTEM_BINARIES = "/opt/cni/bin"


class CniError(Exception):
    """A plugin, or a configuration, failed; the text is what the pod's event says."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin of a chain: its network's name and version, and its own part of the configuration."""

    network: str
    version: str
    config: Obj

    @property
    def type(self) -> str:
        return str(self.config["type"])


@dataclass(frozen=True, slots=True)
class Attachment:
    """The container a plugin is called for."""

    sandbox_id: str
    netns: str
    pod: Obj
    port_mappings: tuple[Obj, ...] = ()


def ensure_configuration(directory: Path) -> None:
    """Writes the node's own configuration, into which other plugins' installers chain theirs, if it is not there."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    path = directory / CONFIGURATION_NAME
    if path.exists():
        return
    config = {
        "cniVersion": "1.0.0",
        "name": "lateen",
        "plugins": [{"type": MAIN_PLUGIN, "capabilities": {"portMappings": True}}],
    }
    replace_file(path, json.dumps(config, indent=2).encode() + b"\n")


def read_chain(directory: Path) -> list[Plugin]:
    """The plugins of all configurations, in the order of file names. Raises CniError naming the faulty file."""
    chain: list[Plugin] = []
    for path in sorted(p for p in directory.glob("*") if p.suffix in (".conflist", ".conf", ".json")):
        try:
            with path.open("rb") as file:
                config = json.loads(file.read(_MAX_CONFIGURATION))
            chain += _plugins(config, path.suffix == ".conflist")
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CniError(f"error parsing CNI configuration {path.name}: {error}") from None
    return chain


def _plugins(config: Obj, is_list: bool) -> list[Plugin]:
    name, version = config["name"], config.get("cniVersion", "0.3.1")
    if version not in _VERSIONS:
        raise ValueError(f"unsupported cniVersion {version!r}")
    found = [Plugin(str(name), version, dict(plugin)) for plugin in (config["plugins"] if is_list else [config])]
    for plugin in found:
        if "/" in plugin.type or plugin.type in ("", ".", ".."):
            raise ValueError(f"plugin type {plugin.type!r}")
    return found


class PluginRunner:
    """Calls plugins found in `binaries` (the node's own directory), then in /opt/cni/bin."""

    def __init__(self, binaries: Path) -> None:
        self._path = [str(binaries), _SYSTEM_BINARIES]

    async def add(self, chain: list[Plugin], attachment: Attachment, result: Obj) -> Obj:
        """Runs ADD along the chain: the last plugin's result. Raises CniError at the first that fails."""
        for plugin in chain:
            if plugin.type != MAIN_PLUGIN:
                answer = await self._call("ADD", plugin, attachment, result)
                result = answer or result
        return result

    async def delete(self, chain: list[Plugin], attachment: Attachment, result: Obj | None) -> None:
        """Runs DEL from the last to the first; each gets its turn, then the first failure is raised (CniError)."""
        failure: CniError | None = None
        for plugin in reversed(chain):
            if plugin.type != MAIN_PLUGIN:
                try:
                    await self._call("DEL", plugin, attachment, result)
                except CniError as error:
                    failure = failure or error
        if failure is not None:
            raise failure

    async def check(self, chain: list[Plugin], attachment: Attachment, result: Obj) -> None:
        """Runs CHECK along the chain, where the version has it. Raises CniError."""
        for plugin in chain:
            if (
                plugin.type != MAIN_PLUGIN
                and not plugin.version.startswith("0.3")
                and not plugin.config.get("disableCheck")
            ):
                await self._call("CHECK", plugin, attachment, result)

    async def _call(self, command: str, plugin: Plugin, attachment: Attachment, result: Obj | None) -> Obj | None:
        what = f'plugin type="{plugin.type}" name="{plugin.network}" failed ({command.lower()})'
        binary = self._find(plugin.type)
        if binary is None:
            raise CniError(f'{what}: failed to find plugin "{plugin.type}" in path {self._path}')
        config = dict(plugin.config) | {"name": plugin.network, "cniVersion": plugin.version}
        config.pop("plugins", None)
        capabilities = config.pop("capabilities", None) or {}
        if capabilities.get("portMappings") and attachment.port_mappings:
            config["runtimeConfig"] = {"portMappings": list(attachment.port_mappings)}
        if result is not None and not (command == "DEL" and plugin.version.startswith("0.3")):
            config["prevResult"] = {**result, "cniVersion": plugin.version}
        code, output, errors = await self._execute(binary, command, config, attachment, what)
        answer = _json_object(output)
        if code != 0:
            message = str((answer or {}).get("msg") or "").strip()
            details = str((answer or {}).get("details") or "").strip()
            if not message:
                message = f"exit status {code}: {(errors or output).decode(errors='replace').strip()[:1000]}"
            raise CniError(f"{what}: {message}" + (f"; {details}" if details else ""))
        if command != "ADD" or not output.strip():
            return None
        if answer is None:
            raise CniError(f"{what}: the result is not a JSON object")
        return answer

    async def _execute(
        self, binary: str, command: str, config: Obj, attachment: Attachment, what: str
    ) -> tuple[int, bytes, bytes]:
        pipe = asyncio.subprocess.PIPE
        environment = self._environment(command, attachment)
        try:
            with standard_input(json.dumps(config).encode()) as given:
                process = await asyncio.create_subprocess_exec(
                    binary, stdin=given, stdout=pipe, stderr=pipe, env=environment, cwd="/"
                )
        except OSError as error:
            raise CniError(f"{what}: {error}") from None
        try:
            async with asyncio.timeout(PLUGIN_SECONDS):
                output, errors = await process.communicate()
        except TimeoutError:
            raise CniError(f"{what}: no answer within {PLUGIN_SECONDS:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, output, errors

    def _environment(self, command: str, attachment: Attachment) -> dict[str, str]:
        pod = attachment.pod
        arguments = {
            "IgnoreUnknown": "1",
            "K8S_POD_NAMESPACE": namespace_of(pod),
            "K8S_POD_NAME": name_of(pod),
            "K8S_POD_INFRA_CONTAINER_ID": attachment.sandbox_id,
            "K8S_POD_UID": uid_of(pod),
        }
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": attachment.sandbox_id,
            "CNI_NETNS": attachment.netns,
            "CNI_IFNAME": INTERFACE,
            "CNI_ARGS": ";".join(f"{name}={value}" for name, value in arguments.items()),
            "CNI_PATH": ":".join(self._path),
        }

    def _find(self, name: str) -> str | None:
        paths = (os.path.join(directory, name) for directory in self._path)
        return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def _json_object(data: bytes) -> Obj | None:
    try:
        value: Any = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
