"""The admission chain: built-in plugins and webhooks, in Kubernetes' order."""

from __future__ import annotations

from collections.abc import Sequence

from lateen.cluster.apiserver.admission.attributes import DELETE, Attributes
from lateen.cluster.apiserver.admission.certificates import Certificates
from lateen.cluster.apiserver.admission.limit_ranger import LimitRanger
from lateen.cluster.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from lateen.cluster.apiserver.admission.node_restriction import NodeRestriction
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.admission.pod_security import PodSecurity
from lateen.cluster.apiserver.admission.policy.plugin import ValidatingPolicies
from lateen.cluster.apiserver.admission.priority import Priority
from lateen.cluster.apiserver.admission.rbac_escalation import RbacEscalation
from lateen.cluster.apiserver.admission.resource_quota import ResourceQuotas
from lateen.cluster.apiserver.admission.runtime_class import RuntimeClassPlugin
from lateen.cluster.apiserver.admission.service_account import ServiceAccountPlugin
from lateen.cluster.apiserver.admission.tolerations import DefaultTolerationSeconds
from lateen.cluster.apiserver.admission.webhook.dispatch import Webhooks
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Obj


class Admission:
    """Both passes raise StatusError when a plugin refuses."""

    def __init__(self, store: Store, registry: Registry, authorizer: Authorizer) -> None:
        self._webhooks = Webhooks(store, registry)
        self._quotas = ResourceQuotas(store)
        self._plugins: Sequence[Plugin] = (
            NamespaceLifecycle(store),
            LimitRanger(store),
            ServiceAccountPlugin(store),
            NodeRestriction(),
            Priority(store),
            DefaultTolerationSeconds(),
            RuntimeClassPlugin(store),
            PodSecurity(store),
            Certificates(authorizer),
            RbacEscalation(authorizer),
            ValidatingPolicies(store, registry),
        )

    async def mutate(
        self, op: str, obj: Obj, old: Obj | None, ctx: Context, kind: Kind, options: Obj | None = None
    ) -> Obj:
        """The object as it is to be written; `obj` may be changed on the way. Not for deletions."""
        attributes = Attributes(op, obj, old, ctx, kind, options)

        async def built_in() -> None:
            for plugin in self._plugins:
                await plugin.mutate(attributes)

        await built_in()
        await self._webhooks.mutate(attributes, built_in)
        return attributes.obj if attributes.obj is not None else obj

    async def validate(
        self, op: str, obj: Obj | None, old: Obj | None, ctx: Context, kind: Kind, options: Obj | None = None
    ) -> None:
        """Judges the object as it would be stored, or a deletion of `old`."""
        attributes = Attributes(op, obj, old, ctx, kind, options)
        for plugin in self._plugins:
            await plugin.validate(attributes)
        if op == DELETE:
            # Mutating webhooks see deletions too, though there is nothing to change.
            await self._webhooks.mutate(attributes, _nothing)
        await self._webhooks.validate(attributes)
        await self._quotas.validate(attributes)

    async def run(self) -> None:
        """What admission keeps in step (the status of quotas); runs until cancelled or the store closes."""
        await self._quotas.run()

    async def close(self) -> None:
        await self._webhooks.close()


async def _nothing() -> None:
    """Deletions have no second round."""
