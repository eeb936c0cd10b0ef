"""Which metrics the control plane has: read when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from lateen import __version__
from lateen.engine import Engine
from lateen.istiod.front.front import Front
from lateen.istiod.identity import MeshIdentity
from lateen.istiod.metrics import Metric, by_label, counter, exposition, gauge, process_metrics
from lateen.istiod.webhooks import Webhooks
from lateen.model.inputs import SERVICES, VIRTUAL_SERVICES
from lateen.xds.rejection import Rejection
from lateen.xds.server import XdsServer


class Measured:
    """Give `rejected` to the xDS server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since = datetime.now(UTC)
        self._rejections: Counter[str] = Counter()

    def rejected(self, rejection: Rejection) -> None:
        self._rejections[rejection.type.name.lower()] += 1

    def text(
        self, server: XdsServer, identity: MeshIdentity | None, webhooks: Webhooks | None, front: Front | None
    ) -> str:
        """All as Prometheus reads it."""
        found = [gauge("istio_build", "Build of the component.", 1, component="pilot", tag=__version__)]
        found += self._discovery(server)
        if identity is not None:
            found += _identity(identity)
        if webhooks is not None:
            found += _webhooks(webhooks)
        if front is not None:
            found += [counter("lateen_front_starts_total", "Times that the TLS front began to listen.", front.starts)]
        return exposition([*found, *process_metrics(self._since)])

    def _discovery(self, server: XdsServer) -> Iterator[Metric]:
        counters, connections = server.counters, server.connections()
        versions = Counter(connection.version for connection in connections)
        yield by_label("pilot_xds", "Connected proxies.", "gauge", "version", versions)
        yield counter("pilot_push_triggers", "Pushes.", server.push.pushes)
        yield by_label(
            "pilot_total_xds_rejects", "Responses that proxies rejected.", "counter", "type", self._rejections
        )
        yield counter("pilot_total_xds_internal_errors", "Streams that a fault ended.", counters.ended["INTERNAL"])
        yield counter("lateen_xds_streams_total", "Streams of proxies.", counters.streams)
        yield counter("lateen_xds_requests_total", "Requests and acknowledgements of proxies.", counters.requests)
        yield by_label(
            "lateen_xds_streams_ended_total", "Streams that the server ended.", "counter", "status", counters.ended
        )
        yield gauge("pilot_services", "Services of Kubernetes.", len(self._engine.data(SERVICES).values))
        yield gauge("pilot_virt_services", "VirtualServices.", len(self._engine.data(VIRTUAL_SERVICES).values))


def _identity(identity: MeshIdentity) -> Iterator[Metric]:
    outcomes = identity.issuer.outcomes
    yield counter("citadel_server_csr_count", "Certificates asked for.", sum(outcomes.values()))
    yield counter("citadel_server_success_cert_issuance_count", "Certificates issued.", outcomes["issued"])
    yield counter("citadel_server_authentication_failure_count", "Calls without proof.", outcomes["UNAUTHENTICATED"])
    yield by_label(
        "lateen_certificates_total",
        "Certificates asked for, by what became of it.",
        "counter",
        "outcome",
        {name.lower(): count for name, count in outcomes.items()},
    )
    if (authority := identity.current.authority) is not None:
        ends = authority.anchor.not_valid_after_utc.timestamp(), authority.not_after.timestamp()
        yield gauge("citadel_server_root_cert_expiry_timestamp", "When the root expires, in Unix seconds.", ends[0])
        yield gauge("citadel_server_cert_chain_expiry_timestamp", "When its chain expires, in Unix seconds.", ends[1])


def _webhooks(webhooks: Webhooks) -> Iterator[Metric]:
    judged, pods = webhooks.validation.outcomes, webhooks.injecting.outcomes
    yield counter("galley_validation_passed", "Resources that validation let in.", judged["passed"])
    yield counter("galley_validation_failed", "Resources that validation kept out.", judged["failed"])
    yield counter("sidecar_injection_requests_total", "Pods that came to the injector.", sum(pods.values()))
    yield counter("sidecar_injection_success_total", "Pods that got a proxy.", pods["injected"])
    yield counter("sidecar_injection_skip_total", "Pods that were to get none.", pods["skipped"])
    yield counter("sidecar_injection_failure_total", "Pods that could get none.", pods["failed"])
