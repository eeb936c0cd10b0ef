"""Where the proxy is among a pod's containers: natively before them, or as a classic sidecar beside them."""

from __future__ import annotations

import pytest

from lateen.testing.injected_pods import PROBE, configuration, container, injected, names, pod


def test_a_native_sidecar_is_an_init_container_that_keeps_running() -> None:
    found = injected(pod())
    assert names(found, "initContainers") == ["istio-init", "istio-proxy"]
    assert names(found, "containers") == ["app"]
    proxy = container(found, "istio-proxy")
    assert proxy["restartPolicy"] == "Always"
    assert proxy["startupProbe"]["exec"]["command"][:2] == ["pilot-agent", "wait"]
    assert proxy["lifecycle"]["preStop"]["exec"]["command"][0] == "pilot-agent"


@pytest.mark.parametrize(
    ("annotation", "setting", "version", "native"),
    [
        (None, None, None, True),
        (None, None, (1, 28), False),
        (None, None, (1, 29), True),
        (None, "false", (1, 33), False),
        (None, "true", (1, 20), True),
        ("false", "true", (1, 33), False),
        ("true", "false", (1, 20), True),
    ],
)
def test_where_proxies_are_native(
    annotation: str | None, setting: str | None, version: tuple[int, int] | None, native: bool
) -> None:
    annotations = {} if annotation is None else {"sidecar.istio.io/nativeSidecar": annotation}
    pilot = {} if setting is None else {"env": {"ENABLE_NATIVE_SIDECARS": setting}}
    found = injected(pod(annotations), configuration(pilot=pilot), version=version)
    assert ("istio-proxy" in names(found, "initContainers")) is native
    assert ("istio-proxy" in names(found, "containers")) is not native


def test_a_classic_sidecar_comes_last_and_capture_after_the_pods_own_init_containers() -> None:
    given = pod({"sidecar.istio.io/nativeSidecar": "false"}, initContainers=[{"name": "migrate", "image": "m"}])
    found = injected(given)
    assert names(found, "containers") == ["app", "istio-proxy"]
    assert names(found, "initContainers") == ["migrate", "istio-init"]
    assert "lifecycle" not in container(found, "istio-proxy")


def test_the_application_can_be_held_until_the_proxy_runs() -> None:
    annotations = {
        "sidecar.istio.io/nativeSidecar": "false",
        "proxy.istio.io/config": "holdApplicationUntilProxyStarts: true",
    }
    found = injected(pod(annotations))
    assert names(found, "containers") == ["istio-proxy", "app"]
    assert container(found, "istio-proxy")["lifecycle"]["postStart"]["exec"]["command"] == ["pilot-agent", "wait"]


def test_init_containers_may_ask_to_run_before_the_proxy() -> None:
    probed = {"name": "first", "image": "f", "restartPolicy": "Always", "startupProbe": PROBE}
    given = pod(
        {"sidecar.istio.io/init-containers-before-proxy": "first"},
        initContainers=[{"name": "second", "image": "s"}, probed],
    )
    found = injected(given)
    assert names(found, "initContainers") == ["istio-init", "first", "istio-proxy", "second"]
    assert container(found, "first")["startupProbe"] == PROBE, "no agent answers yet"
