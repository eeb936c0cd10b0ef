"""The ConfigMap's two texts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lateen.api.schema.fault import Severity
from lateen.injection.configuration import parse_injection


def _paths(config: str, values: str) -> list[str]:
    found, faults = parse_injection(config, values)
    errors = [fault for fault in faults if fault.severity is Severity.ERROR]
    assert (found is None) == bool(errors)
    return [fault.path for fault in errors]


@pytest.mark.parametrize(
    ("config", "values", "path"),
    [
        ("policy: maybe", "{}", "config.policy"),
        ("polcy: enabled", "{}", "config.polcy"),
        ("a: [", "{}", "config"),
        ("templates: {a: '{{ if }}'}", "{}", "config.templates[a]"),
        ("templates: {a: '{{ nobody 1 }}'}", "{}", "config.templates[a]"),
        ("defaultTemplates: [nobody]", "{}", "config.defaultTemplates[0]"),
        ("aliases: {a: [sidecar, nobody]}", "{}", "config.aliases[a][1]"),
        ("neverInjectSelector: [{matchExpressions: [{key: a, operator: In}]}]", "{}",
         "config.neverInjectSelector[0].matchExpressions[0].values"),
        ("", '{"global": {"proxy": {"logLvl": "x"}}}', "values.global.proxy.logLvl"),
        ("", '{"globl": {}}', "values.globl"),
        ("", '{"global": {"proxy": {"autoInject": "on"}}}', "values.global.proxy.autoInject"),
        ("", '{"global": {"hub": ""}}', "values.global.hub"),
        ("", '{"global": {"caName": "Gke"}}', "values.global.caName"),
        ("", '{"global": {"sts": {"servicePort": 1}}}', "values.global.sts.servicePort"),
        ("", '{"global": {"proxy": {"tracer": "lightstep"}}}', "values.global.proxy.tracer"),
        ("", '{"global": {"podDNSSearchNamespaces": ["{{"]}}', "values.global.podDNSSearchNamespaces[0]"),
        ("", "[]", "values"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_is(config: str, values: str, path: str) -> None:
    assert _paths(config, values) == [path]


def test_values_of_the_installation_are_let_be() -> None:
    text = """
    global: {istiod: {enableAnalysis: true}, defaultResources: {}, tag: 1.2, proxy: {excludeInboundPorts: 80}}
    pilot: {autoscaleMin: 3, env: {A: true, B: 1}}
    gateways: {istio-ingressgateway: {}, securityContext: {runAsUser: 1}}
    meshConfig: {}
    sidecarInjectorWebhook: {injectLabels: {}}
    """
    found, faults = parse_injection("", text)
    assert found is not None, faults
    assert found.values.global_.tag == "1.2"
    assert found.values.global_.proxy.exclude_inbound_ports == "80"
    assert dict(found.values.pilot.env) == {"A": "true", "B": "1"}
    assert found.raw_values["gateways"]["istio-ingressgateway"] == {}


def test_istios_own_text_for_the_template_that_is_not_to_be_used_is_not_complained_about() -> None:
    config = 'template: "{{ Template_Version_And_Istio_Version_Mismatched_Check_Installation }}"'
    assert parse_injection(config, "{}")[1] == ()


def test_empty_texts_are_the_defaults() -> None:
    found, faults = parse_injection("", "")
    assert faults == ()
    assert found is not None
    assert found.default_templates == ("sidecar",)
    assert found.known_templates == ("gateway", "grpc-agent", "grpc-simple", "sidecar")


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"proxy": {"excludeInboundPorts": "http"}}, "values.global.proxy.excludeInboundPorts"),
        ({"proxy": {"resources": {"requests": {"cpu": "lots"}}}}, "values.global.proxy.resources.requests.cpu"),
        ({"proxy": {"resources": {"limits": "2Gi"}}}, "values.global.proxy.resources.limits"),
        (
            {"proxy_init": {"resources": {"limits": {"memory": "2GB"}}}},
            "values.global.proxy_init.resources.limits.memory",
        ),
        ({"proxy": {"includeOutboundPorts": "90-80"}}, "values.global.proxy.includeOutboundPorts"),
        ({"proxy": {"excludeIPRanges": "10/33"}}, "values.global.proxy.excludeIPRanges"),
        ({"proxy": {"logLevel": "loud"}}, "values.global.proxy.logLevel"),
        ({"proxy": {"logLevel": "info,http:"}}, "values.global.proxy.logLevel"),
        ({"proxy_init": {"image": "two words"}}, "values.global.proxy_init.image"),
        ({"logging": {"level": "default:loud"}}, "values.global.logging.level"),
    ],
)
def test_values_that_would_be_wrong_in_every_pod_are_refused_once(values: dict[str, Any], path: str) -> None:
    found, faults = parse_injection("", json.dumps({"global": values}))
    assert found is None
    assert [fault.path for fault in faults] == [path]


def test_quantities_of_values_may_be_numbers_or_absent() -> None:
    resources = {"requests": {"cpu": 2, "memory": "1.5Gi"}, "limits": {"cpu": None}}
    _, faults = parse_injection("", json.dumps({"global": {"proxy": {"resources": resources}}}))
    assert faults == ()
