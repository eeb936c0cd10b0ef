"""What a connection to a pod, service or node asks for, as admission sees it: `PodExecOptions` and its like.

Source: Kubernetes' API types of these names, and its `ConnectResource` handler.
"""

from __future__ import annotations

from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.objects import Obj
from lateen.cluster.status import bad_request, path_not_found

STREAMS = ("stdin", "stdout", "stderr", "tty")
_TRUE = frozenset(("1", "t", "T", "true", "True", "TRUE"))


async def admitted_options(call: Call) -> Obj:
    """The connection's options, as admission (operation CONNECT) has let them through. Raises StatusError."""
    if call.kind is None:
        raise path_not_found()
    return await call.server.operations.connect(call.kind, asked_options(call), call.ctx)


def asked_options(call: Call) -> Obj:
    """The options that the request's query and path say. Raises bad request."""
    subresource = call.ctx.info.subresource
    declared = call.kind.resource.subresource(subresource) if call.kind is not None else None
    if declared is None:
        raise path_not_found()
    options: Obj = {"kind": declared.kind.kind, "apiVersion": declared.kind.api_version}
    query = call.http.query
    match subresource:
        case "exec" | "attach":
            options |= {name: True for name in STREAMS if query.get(name, "") in _TRUE}
            if container := query.get("container"):
                options["container"] = container
            if subresource == "exec":
                options["command"] = query.getall("command", [])
        case "portforward":
            texts = [p for name in ("ports", "port") for value in query.getall(name, []) for p in value.split(",")]
            if not all(text.isascii() and text.isdigit() and 0 < int(text) < 65536 for text in texts):
                raise bad_request(f"invalid ports {','.join(texts)!r}")
            if texts:
                options["ports"] = [int(text) for text in texts]
        case "proxy":
            if path := call.tail.removeprefix("/"):
                options["path"] = path
    return options
