from __future__ import annotations

import pytest

from lateen.model.protocol import Protocol
from lateen.testing.envoy import accepts
from lateen.translate.resource import ResourceType, resource
from lateen.translate.routes.inbound import inbound_route


@pytest.mark.parametrize(
    ("protocol", "retried"), [(Protocol.HTTP, True), (Protocol.HTTP2, True), (Protocol.GRPC, False)]
)
def test_everything_goes_to_the_workload(protocol: Protocol, retried: bool) -> None:
    found = inbound_route("inbound|8080||", 80, "web.default.svc.cluster.local:80/*", protocol)
    accepts({ResourceType.RDS: [resource(found.name, found)]})
    (host,) = found.virtual_hosts
    assert (found.name, host.name, list(host.domains)) == ("inbound|8080||", "inbound|http|80", ["*"])
    (route,) = host.routes
    assert route.route.cluster == "inbound|8080||"
    assert route.route.HasField("retry_policy") is retried
    assert route.route.HasField("timeout")
