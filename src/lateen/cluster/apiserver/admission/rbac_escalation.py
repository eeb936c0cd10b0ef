"""Refuses roles and bindings that grant more than their author holds."""

from __future__ import annotations

from lateen.cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.auth.escalation import check_escalation
from lateen.cluster.apiserver.auth.grants import RBAC_GROUP
from lateen.cluster.apiserver.auth.rbac import Authorizer


class RbacEscalation(Plugin):
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: Attributes) -> None:
        group, plural = attributes.group_resource
        if group == RBAC_GROUP and attributes.operation in (CREATE, UPDATE) and attributes.obj is not None:
            check_escalation(self._authorizer, plural, attributes.obj, attributes.old, attributes.ctx)
