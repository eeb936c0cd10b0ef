"""Assigning a pod to a node: `pods/NAME/binding`, and `bindings` for schedulers of old.

Source: k8s.io/kubernetes `pkg/registry/core/pod/storage.BindingREST`.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from lateen.cluster.apiserver.kinds.fields import mapping, objects, section, text
from lateen.cluster.apiserver.kinds.subresources.write_options import read_write_options
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.apiserver.rest.write_pipeline import Strategy
from lateen.cluster.objects import GVR, Key, Obj, annotations_of, labels_of, metadata, name_of, timestamp
from lateen.cluster.status import Cause, bad_request, conflict, invalid, not_supported, path_not_found, required

PODS = GVR("", "v1", "pods")


def _prepare(obj: Obj, old: Obj, ctx: Context) -> None:
    """Nothing: the change was made on a copy of the live pod."""


def _validate(obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
    return ()


async def bind(call: Call) -> web.StreamResponse:
    """Answers create. Raises StatusError."""
    read_write_options(call, "CreateOptions")
    binding = await call.read_object()
    name = call.ctx.info.name if call.ctx.info.plural == "pods" else name_of(binding)
    if not name or (name_of(binding) or name) != name:
        raise bad_request("name in URL does not match name in Binding object")
    target = mapping(binding, "target")
    if text(target, "kind") not in ("", "Node"):
        causes = [not_supported("target.kind", target["kind"], ["Node", "<empty>"])]
        raise invalid("", "Binding", name, causes)
    if not text(target, "name"):
        raise invalid("", "Binding", name, [required("target.name")])
    kind = call.server.registry.get(PODS)
    if kind is None:
        raise path_not_found()

    def assign(pod: Obj) -> Obj:
        return _assigned(pod, binding, text(target, "name"))

    key = Key(call.ctx.info.namespace, name)
    await call.server.operations.modify(kind, key, assign, call.ctx, "binding", Strategy(_prepare, _validate))
    return call.respond({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


def _assigned(pod: Obj, binding: Obj, node: str) -> Obj:
    name = name_of(pod)
    wanted_uid = metadata(binding).get("uid")
    if wanted_uid and wanted_uid != metadata(pod).get("uid"):
        raise conflict("", "pods/binding", name, "the UID in the binding does not match the pod's")
    if metadata(pod).get("deletionTimestamp"):
        raise conflict("", "pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    current = text(mapping(pod, "spec"), "nodeName")
    if current:
        raise conflict("", "pods/binding", name, f'pod {name} is already assigned to node "{current}"')
    if objects(mapping(pod, "spec"), "schedulingGates"):
        detail = f"pod {name} has non-empty .spec.schedulingGates"
        raise conflict("", "pods/binding", name, detail)
    section(pod, "spec")["nodeName"] = node
    for field, values in (("annotations", annotations_of(binding)), ("labels", labels_of(binding))):
        if values:
            section(metadata(pod), field).update(values)
    status = section(pod, "status")
    others = [c for c in objects(status, "conditions") if text(c, "type") != "PodScheduled"]
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(),
    }
    status["conditions"] = [*others, scheduled]
    return pod
