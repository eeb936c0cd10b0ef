"""What injection refuses, and what it takes with a warning."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.injection.annotation_checks import _CHECKS, wrong_annotations
from lateen.injection.inject import Refused
from lateen.testing.injected_pods import injected, pod, result


@pytest.mark.parametrize(
    ("annotations", "path"),
    [
        ({"sidecar.istio.io/proxyCPU": "lots"}, "metadata.annotations[sidecar.istio.io/proxyCPU]"),
        ({"sidecar.istio.io/interceptionMode": "MAGIC"}, "metadata.annotations[sidecar.istio.io/interceptionMode]"),
        ({"traffic.sidecar.istio.io/excludeOutboundPorts": "a"},
         "metadata.annotations[traffic.sidecar.istio.io/excludeOutboundPorts]"),
        ({"traffic.sidecar.istio.io/includeOutboundIPRanges": "10/33"},
         "metadata.annotations[traffic.sidecar.istio.io/includeOutboundIPRanges]"),
        ({"proxy.istio.io/config": "statusPort: x"}, "metadata.annotations[proxy.istio.io/config].statusPort"),
        ({"proxy.istio.io/config": "concurrency: -1"}, "metadata.annotations[proxy.istio.io/config].concurrency"),
        ({"proxy.istio.io/config": "{"}, "metadata.annotations[proxy.istio.io/config]"),
        ({"proxy.istio.io/overrides": "{\"pods\": []}"}, "metadata.annotations[proxy.istio.io/overrides].pods"),
        ({"proxy.istio.io/overrides": '{"containers": [{"name": "a", "env": "x"}]}'},
         "metadata.annotations[proxy.istio.io/overrides].containers[0].env"),
        ({"inject.istio.io/templates": "nobody"}, "metadata.annotations[inject.istio.io/templates]"),
        ({"sidecar.istio.io/userVolume": "[1]"}, "metadata.annotations[sidecar.istio.io/userVolume]"),
        ({"status.sidecar.istio.io/port": "70000"}, "metadata.annotations[status.sidecar.istio.io/port]"),
        ({"status.sidecar.istio.io/port": "15021"}, "metadata.annotations[status.sidecar.istio.io/port]"),
        ({"sidecar.istio.io/statsHistogramBuckets": "{\"a\": 1}"},
         "metadata.annotations[sidecar.istio.io/statsHistogramBuckets]"),
        ({"sidecar.istio.io/statsFlushInterval": "5m"}, "metadata.annotations[sidecar.istio.io/statsFlushInterval]"),
        ({"sidecar.istio.io/statsEvictionInterval": "11s"},
         "metadata.annotations[sidecar.istio.io/statsEvictionInterval]"),
        ({"sidecar.istio.io/statsFlushInterval": "10s", "sidecar.istio.io/statsEvictionInterval": "15s"},
         "metadata.annotations[sidecar.istio.io/statsEvictionInterval]"),
        ({"sidecar.istio.io/statsInclusionRegexps": "ok,("},
         "metadata.annotations[sidecar.istio.io/statsInclusionRegexps]"),
        ({"sidecar.istio.io/discoveryAddress": "istiod"}, "metadata.annotations[sidecar.istio.io/discoveryAddress]"),
        ({"proxy.istio.io/config": f"discoveryAddress: 'a:{'1' * 5000}'"},
         "metadata.annotations[proxy.istio.io/config].discoveryAddress"),
    ],
)  # fmt: skip
def test_bad_annotations_are_refused_where_they_are(annotations: dict[str, str], path: str) -> None:
    with pytest.raises(Refused) as refused:
        injected(pod(annotations))
    assert [fault.path for fault in refused.value.faults] == [path]


@pytest.mark.parametrize("name", sorted(_CHECKS))
@pytest.mark.parametrize("filler", ["1", "a,", "a:", "1-", "[", "a ,", "-", "{", "10.0.0.0/8,", '"', "x"])
def test_no_annotation_takes_long_to_be_judged(name: str, filler: str) -> None:
    text = filler * (60_000 // len(filler))
    for hostile in (text, f"{text}!", f'{text}"'):
        wrong_annotations({name: hostile})


def test_what_is_taken_with_a_warning() -> None:
    config = "newer: 1\nstatNameLength: 4\nproxyHeaders: {metadataExchangeHeaders: {mode: IN_MESH}}"
    given = pod({"sidecar.istio.io/typo": "1", "proxy.istio.io/config": config}, dnsPolicy="None")
    paths = [fault.path for fault in result(given).warnings]
    assert paths == [
        "metadata.annotations[sidecar.istio.io/typo]",
        "metadata.annotations[proxy.istio.io/config].newer",
        "metadata.annotations[proxy.istio.io/config].statNameLength",
        "metadata.annotations[proxy.istio.io/config].proxyHeaders.metadataExchangeHeaders",
        "spec.dnsPolicy",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "inject.istio.io/template",
        "proxy.istio.io/Config",
        "prometheus.istio.io/merge",
        "ambient.istio.io/bypass-inbound-capture",
        "readiness.status.sidecar.istio.io/timeout",
    ],
)
def test_what_proxies_are_told_and_nobody_knows_is_warned_about(name: str) -> None:
    known = {"inject.istio.io/templates": "sidecar", "proxy.istio.io/config": "", "example.com/own": "x"}
    (fault,) = result(pod({**known, name: "x"})).warnings
    assert fault.path == f"metadata.annotations[{name}]"
    assert "no effect" in fault.message


def test_applications_that_run_as_the_proxy() -> None:
    mine, proxy = {"name": "a", "image": "a"}, {"name": "istio-proxy", "image": "auto"}
    as_proxy, as_other = {"securityContext": {"runAsUser": 1337}}, {"securityContext": {"runAsUser": 1000}}

    def doubted(*containers: dict[str, Any], **spec: Any) -> list[str]:
        found = result(pod(containers=list(containers), **spec)).warnings
        assert all(fault.code == "IST0144" for fault in found)
        return [fault.path for fault in found]

    assert doubted(mine, proxy | as_proxy) == []
    assert doubted(proxy, mine | as_proxy) == ["spec.containers[1].securityContext.runAsUser"]
    assert doubted(mine, **as_proxy) == ["spec.securityContext.runAsUser"]
    assert doubted(mine | as_other, **as_proxy) == []
    assert doubted(mine | as_other, proxy | as_other) == ["spec.containers[0].securityContext.runAsUser"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"spec": {"containers": {}}}, "spec.containers"),
        ({"metadata": {"labels": {"a": 1}}, "spec": {}}, "metadata.labels[a]"),
        ({"spec": {"containers": [{"image": "x"}]}}, "spec.containers[0].name"),
        ({"spec": []}, "spec"),
    ],
)
def test_what_is_no_pod_is_refused(given: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused) as refused:
        injected(given)
    assert path in [fault.path for fault in refused.value.faults]
