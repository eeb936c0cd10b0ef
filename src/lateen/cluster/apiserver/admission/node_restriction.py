"""A node changes and deletes only the pods that run on it.

Source: kubernetes plugin/pkg/admission/noderestriction.
"""

from __future__ import annotations

from lateen.cluster.apiserver.admission.attributes import CREATE, DELETE, UPDATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.admission.service_account import MIRROR_ANNOTATION
from lateen.cluster.apiserver.auth.node_authorizer import node_of
from lateen.cluster.objects import annotations_of


class NodeRestriction(Plugin):
    async def validate(self, attributes: Attributes) -> None:
        node = node_of(attributes.user)
        if node is None:
            return
        if attributes.is_("nodes") and attributes.operation == CREATE and attributes.name != node:
            raise attributes.refuse(f'node "{node}" is not allowed to create node {attributes.name}')
        if attributes.group_resource != ("", "pods"):
            return
        if attributes.operation == CREATE and attributes.obj is not None and not attributes.subresource:
            if MIRROR_ANNOTATION not in annotations_of(attributes.obj):
                raise attributes.refuse(
                    f'pod does not have "{MIRROR_ANNOTATION}" annotation, node "{node}" can only create mirror pods'
                )
            return
        if attributes.operation in (UPDATE, DELETE) and attributes.old is not None:
            runs_on = (attributes.old.get("spec") or {}).get("nodeName")
            if runs_on != node:
                verb = "delete pods" if attributes.operation == DELETE else "update pod status for pods"
                raise attributes.refuse(f'node "{node}" can only {verb} with spec.nodeName set to itself')
