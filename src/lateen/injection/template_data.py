"""What users' templates see of a pod: the names are those of Istio's SidecarTemplateData."""

from __future__ import annotations

from lateen.api.mesh.mesh_config import InboundTrafficPolicyMode
from lateen.injection.context import Context
from lateen.injection.go_template.go_values import GoMessage, GoObject, GoStruct
from lateen.injection.images import proxy_image


def template_data(context: Context) -> GoStruct:
    """`.` and `$` of a template."""
    workload = context.workload
    localhost = context.mesh.inbound_traffic_policy.mode is InboundTrafficPolicyMode.LOCALHOST
    return GoStruct(
        {
            "TypeMeta": GoObject({"apiVersion": workload.api_version, "kind": workload.kind}),
            "DeploymentMeta": GoObject({"name": workload.name, "namespace": workload.namespace}),
            "ObjectMeta": GoObject(context.pod.get("metadata") or {}),
            "Spec": GoObject(context.pod.get("spec") or {}),
            "ProxyConfig": GoMessage(context.proxy),
            "MeshConfig": GoMessage(context.mesh),
            "Values": context.raw_values,
            "Revision": context.values.revision,
            "ProxyImage": proxy_image(context.values.global_, context.settings),
            "ProxyUID": context.user,
            "ProxyGID": context.group,
            "NativeSidecars": context.native,
            "InboundTrafficPolicyMode": "localhost" if localhost else "passthrough",
            "CompliancePolicy": context.mesh.compliance_policy,
        }
    )
