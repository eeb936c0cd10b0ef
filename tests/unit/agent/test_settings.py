from __future__ import annotations

from lateen.agent.settings import AgentSettings, CertificateSettings, DrainSettings, KeyKind, LogSettings


def test_settings_arrive_as_they_were_sent():
    settings = AgentSettings(
        role="router",
        node_id="router~1.2.3.4~a.b~c",
        admin=("::1", 15000),
        status_port=15020,
        listen="::",
        dual_stack=True,
        addresses=("fd00::1", "1.2.3.4"),
        envoy=("/envoy", "-c", "é"),
        compress_metrics=False,
        directory="/etc/istio/proxy",
        certificates=CertificateSettings(source="files", key=KeyKind("RSA", bits=4096)),
        drain=DrainSettings(inbound_only=False, duration=1.5),
        log=LogSettings("debug", True),
    )
    assert AgentSettings.from_json(settings.to_json()) == settings
