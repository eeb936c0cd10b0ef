"""Findings on ProxyConfigs."""

from __future__ import annotations

from lateen.api.networking.proxy_config import ProxyConfig
from lateen.api.objects import Key, Metadata, Object
from lateen.api.type.selector import WorkloadSelector
from lateen.engine import Engine
from lateen.model.findings.proxy_config import proxy_config_findings
from lateen.model.inputs import PROXY_CONFIGS


def _put(engine: Engine, name: str, made: str, labels: dict[str, str] | None = None, namespace: str = "shop") -> Key:
    key = Key(namespace, name)
    selector = WorkloadSelector(match_labels=labels) if labels is not None else None
    metadata = Metadata(name=name, namespace=namespace, creation_timestamp=made)
    with engine.change() as tx:
        tx.set(PROXY_CONFIGS, key, Object(metadata, ProxyConfig(selector=selector), key))
    return key


def test_the_newer_of_two_for_the_same_proxies_has_no_effect() -> None:
    engine = Engine()
    old, new = _put(engine, "b", "2026-01-01T00:00:00Z"), _put(engine, "a", "2026-01-02T00:00:00Z")
    assert engine.get(proxy_config_findings, old) == ()
    (found,) = engine.get(proxy_config_findings, new)
    assert found.path == "spec.selector"
    assert "shop/b" in found.message


def test_those_of_different_proxies_go_together() -> None:
    engine = Engine()
    keys = [
        _put(engine, "all", "1"),
        _put(engine, "web", "2", {"app": "web"}),
        _put(engine, "db", "3", {"app": "db"}),
        _put(engine, "elsewhere", "4", None, "other"),
    ]
    assert [engine.get(proxy_config_findings, key) for key in keys] == [(), (), (), ()]
    assert engine.get(proxy_config_findings, Key("shop", "nobody")) == ()
