"""The streaming handlers by the subresource they serve."""

from __future__ import annotations

from lateen.cluster.apiserver.rest.call import SubresourceRoutes
from lateen.cluster.apiserver.streaming.backend import Kubelets
from lateen.cluster.apiserver.streaming.pod_streams import PodStreams
from lateen.cluster.apiserver.streaming.proxy import Proxies
from lateen.cluster.layout import Layout


def routes(layout: Layout) -> SubresourceRoutes:
    """Reads the API server's client certificate when the first stream needs it."""
    kubelets = Kubelets(layout)
    pods, proxies = PodStreams(kubelets), Proxies(kubelets)
    return {
        ("", "pods", "log"): pods.log,
        ("", "pods", "exec"): pods.exec,
        ("", "pods", "attach"): pods.attach,
        ("", "pods", "portforward"): pods.portforward,
        ("", "pods", "proxy"): proxies.pod,
        ("", "services", "proxy"): proxies.service,
        ("", "nodes", "proxy"): proxies.node,
    }
