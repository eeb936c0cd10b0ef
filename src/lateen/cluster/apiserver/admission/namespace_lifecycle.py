"""Nothing is created where there is no namespace, or where it is going away; some namespaces stay.

Source: kubernetes apiserver/pkg/admission/plugin/namespace/lifecycle.
"""

from __future__ import annotations

from lateen.cluster.apiserver.admission.attributes import CONNECT, CREATE, DELETE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, metadata
from lateen.cluster.status import Cause, StatusError, not_found

PROTECTED = frozenset({"default", "kube-public", "kube-system"})


class NamespaceLifecycle(Plugin):
    """Runs first, so that nothing else looks at a write that cannot be."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def mutate(self, attributes: Attributes) -> None:
        self._check(attributes)

    async def validate(self, attributes: Attributes) -> None:
        # Deletions have no mutating pass, and the namespace may have changed while webhooks were asked.
        self._check(attributes)

    def _check(self, attributes: Attributes) -> None:
        if attributes.is_("namespaces"):
            if attributes.operation == DELETE and attributes.name in PROTECTED:
                raise attributes.refuse("this namespace may not be deleted")
            return
        if not attributes.namespace or attributes.operation in (CONNECT, DELETE):
            return
        if not attributes.kind.resource.namespaced:
            return
        namespace = self._store.get(("", "namespaces"), Key("", attributes.namespace))
        if namespace is None:
            raise not_found("", "namespaces", attributes.namespace)
        if attributes.operation == CREATE and metadata(namespace).get("deletionTimestamp"):
            raise _terminating(attributes)


def _terminating(attributes: Attributes) -> StatusError:
    namespace = attributes.namespace
    refusal = attributes.refuse(f"unable to create new content in namespace {namespace} because it is being terminated")
    refusal.causes = (
        Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace"),
    )
    return refusal
