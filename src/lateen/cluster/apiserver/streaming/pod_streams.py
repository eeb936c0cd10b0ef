"""`pods/log`, `pods/exec`, `pods/attach`, `pods/portforward`: to the kubelet of the pod's node and back."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from aiohttp import web

from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.apiserver.streaming.backend import Kubelets
from lateen.cluster.apiserver.streaming.connection import admitted_options
from lateen.cluster.apiserver.streaming.http_relay import relay_http
from lateen.cluster.apiserver.streaming.pod_target import container_of, kubelet_of, pod_of
from lateen.cluster.apiserver.streaming.upgrade_relay import relay_upgrade, upgrade_headers
from lateen.cluster.objects import Obj, name_of, namespace_of
from lateen.cluster.status import bad_request

_LOG_OPTIONS = ("follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes", "stream")
_STREAM_OPTIONS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
"""The API's names of streams, and the kubelet's."""


class PodStreams:
    """Handlers for pods' streaming subresources."""

    def __init__(self, kubelets: Kubelets) -> None:
        self._kubelets = kubelets

    async def log(self, call: Call) -> web.StreamResponse:
        pod = pod_of(call)
        query = call.http.query
        container = container_of(pod, query.get("container", ""))
        if not (pod.get("spec") or {}).get("nodeName"):
            # Nothing has run anywhere: as on Kubernetes, an empty log.
            return web.Response(content_type="text/plain")
        backend = kubelet_of(call, self._kubelets, pod)
        options = urlencode([(name, query[name]) for name in _LOG_OPTIONS if name in query])
        path = f"/containerLogs/{_path(pod)}/{quote(container, safe='')}" + (f"?{options}" if options else "")
        return await relay_http(call.http, backend, path, errors_as_status=True)

    async def exec(self, call: Call) -> web.StreamResponse:
        options = await admitted_options(call)
        if not options.get("command"):
            raise bad_request("you must specify at least 1 command")
        return await self._command(call, "exec", options)

    async def attach(self, call: Call) -> web.StreamResponse:
        return await self._command(call, "attach", await admitted_options(call))

    async def portforward(self, call: Call) -> web.StreamResponse:
        options = await admitted_options(call)
        pod = pod_of(call)
        _require_upgrade(call)
        backend = kubelet_of(call, self._kubelets, pod)
        ports = [("port", str(port)) for port in options.get("ports") or ()]
        path = f"/portForward/{_path(pod)}" + (f"?{urlencode(ports)}" if ports else "")
        return await relay_upgrade(call.http, backend, path, upgrade_headers(call.http))

    async def _command(self, call: Call, verb: str, options: Obj) -> web.StreamResponse:
        pod = pod_of(call)
        container = container_of(pod, options.get("container", ""))
        asked = [(theirs, "1") for ours, theirs in _STREAM_OPTIONS.items() if options.get(ours)]
        if not {theirs for theirs, _ in asked} - {"tty"}:
            raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
        _require_upgrade(call)
        backend = kubelet_of(call, self._kubelets, pod)
        query = urlencode([*asked, *(("command", argument) for argument in options.get("command") or ())])
        path = f"/{verb}/{_path(pod)}/{quote(container, safe='')}?{query}"
        return await relay_upgrade(call.http, backend, path, upgrade_headers(call.http))


def _path(pod: Obj) -> str:
    return f"{quote(namespace_of(pod), safe='')}/{quote(name_of(pod), safe='')}"


def _require_upgrade(call: Call) -> None:
    if not call.http.headers.get("Upgrade"):
        raise bad_request("Upgrade request required")
