"""Chains of CNI plugins, with plugins that write down how they were called."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.node.network.cni import (
    CONFIGURATION_NAME,
    Attachment,
    CniError,
    PluginRunner,
    ensure_configuration,
    read_chain,
)

PLUGIN = """#!{python} -I
import json, os, sys
config = json.load(sys.stdin)
with open({calls!r}, "a") as calls:
    names = ("CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH")
    print(json.dumps([{name!r}, config] + [os.environ[name] for name in names]), file=calls)
{body}
"""
ADDS = 'if os.environ["CNI_COMMAND"] == "ADD": print(json.dumps(dict(config["prevResult"], added=config["type"])))'
FAILS = 'print(json.dumps({"code": 7, "msg": "no luck", "details": "none at all"})); sys.exit(1)'
CRASHES = 'sys.exit("boom")'

POD = {"metadata": {"namespace": "ns", "name": "p", "uid": "u1"}}
ATTACHMENT = Attachment("sandbox", "/run/netns/x", POD, ({"hostPort": 80, "containerPort": 8080},))
RESULT = {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/32"}]}


class Chain:
    """`net.d` and `bin` in a temporary directory."""

    def __init__(self, root: Path) -> None:
        self.configurations, self.binaries, self._calls = root / "net.d", root / "bin", root / "calls"
        self.binaries.mkdir()
        ensure_configuration(self.configurations)
        self.runner = PluginRunner(self.binaries)

    def install(self, name: str, body: str = ADDS) -> None:
        path = self.binaries / name
        path.write_text(PLUGIN.format(python=sys.executable, calls=str(self._calls), name=name, body=body))
        path.chmod(0o755)

    def configure(self, *plugins: dict[str, Any], version: str = "1.0.0") -> None:
        path = self.configurations / CONFIGURATION_NAME
        config = json.loads(path.read_text())
        path.write_text(json.dumps({**config, "cniVersion": version, "plugins": [*config["plugins"], *plugins]}))

    @property
    def calls(self) -> list[list[Any]]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()]


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


async def test_results_go_down_the_chain_and_deletion_back_up(chain: Chain) -> None:
    for name in ("one", "two"):
        chain.install(name)
    chain.configure({"type": "one", "capabilities": {"portMappings": True}, "own": 1}, {"type": "two"})
    plugins = read_chain(chain.configurations)
    result = await chain.runner.add(plugins, ATTACHMENT, RESULT)
    assert result == {**RESULT, "added": "two"}
    await chain.runner.check(plugins, ATTACHMENT, result)
    await chain.runner.delete(plugins, ATTACHMENT, result)
    assert [(name, command) for name, _, command, *_ in chain.calls] == [
        ("one", "ADD"), ("two", "ADD"), ("one", "CHECK"), ("two", "CHECK"), ("two", "DEL"), ("one", "DEL"),
    ]  # fmt: skip
    _, config, _, container, netns, interface, arguments, path = chain.calls[0]
    assert config == {
        "type": "one",
        "own": 1,
        "name": "lateen",
        "cniVersion": "1.0.0",
        "runtimeConfig": {"portMappings": [{"hostPort": 80, "containerPort": 8080}]},
        "prevResult": RESULT,
    }
    assert (container, netns, interface) == ("sandbox", "/run/netns/x", "eth0")
    assert arguments == (
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=sandbox;K8S_POD_UID=u1"
    )
    assert path.split(":")[0] == str(chain.binaries)
    assert chain.calls[1][1]["prevResult"]["added"] == "one"
    assert "runtimeConfig" not in chain.calls[1][1]


async def test_a_failure_ends_addition_but_not_deletion(chain: Chain) -> None:
    for name, body in (("one", ADDS), ("bad", FAILS), ("worse", CRASHES)):
        chain.install(name, body)
    chain.configure({"type": "one"}, {"type": "bad"}, {"type": "worse"})
    plugins = read_chain(chain.configurations)
    with pytest.raises(CniError, match=r'plugin type="bad" name="lateen" failed \(add\): no luck; none at all'):
        await chain.runner.add(plugins, ATTACHMENT, RESULT)
    assert [name for name, *_ in chain.calls] == ["one", "bad"]
    with pytest.raises(CniError, match=r'plugin type="worse" .* failed \(del\): exit status 1: boom'):
        await chain.runner.delete(plugins, ATTACHMENT, RESULT)
    assert [name for name, *_ in chain.calls][2:] == ["worse", "bad", "one"]


async def test_old_versions_know_no_check(chain: Chain) -> None:
    chain.install("old")
    chain.configure({"type": "old"}, version="0.3.1")
    plugins = read_chain(chain.configurations)
    await chain.runner.check(plugins, ATTACHMENT, RESULT)
    await chain.runner.delete(plugins, ATTACHMENT, RESULT)
    (call,) = chain.calls
    assert call[2] == "DEL"
    assert "prevResult" not in call[1]


async def test_nonsense_is_told(chain: Chain) -> None:
    chain.configure({"type": "absent"})
    with pytest.raises(CniError, match=f'failed to find plugin "absent" in path .*{chain.binaries}'):
        await chain.runner.add(read_chain(chain.configurations), ATTACHMENT, RESULT)
    chain.install("absent", 'print("no json")')
    with pytest.raises(CniError, match="not a JSON object"):
        await chain.runner.add(read_chain(chain.configurations), ATTACHMENT, RESULT)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"name": "n", "plugins": [{}]}', '{"name": "n", "plugins": [{"type": "../x"}]}',
     '{"name": "n", "cniVersion": "9.0.0", "plugins": []}'],
)  # fmt: skip
def test_a_broken_configuration_is_named(chain: Chain, text: str) -> None:
    (chain.configurations / "20-broken.conflist").write_text(text)
    with pytest.raises(CniError, match=r"20-broken\.conflist"):
        read_chain(chain.configurations)


def test_the_node_s_own_configuration_is_not_written_again(chain: Chain) -> None:
    chain.configure({"type": "mesh"})
    ensure_configuration(chain.configurations)
    (chain.configurations / "90-single.conf").write_text('{"name": "single", "type": "last"}')
    (chain.configurations / "notes.txt").write_text("not a configuration")
    assert [plugin.type for plugin in read_chain(chain.configurations)] == ["lateen-network", "mesh", "last"]
