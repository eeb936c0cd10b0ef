"""What is known of a caller's workload, from the pod that its token is bound to; and whether that made the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from lateen.api.kubernetes.pod import Pod
from lateen.api.kubernetes.requests import KubernetesApi
from lateen.identity.caller import Authenticator, Caller, CannotVerify, Evidence, Refused
from lateen.identity.facts import WorkloadFacts, facts_of

Holder = Callable[[str], str]
"""Tells which pod (`namespace/name`) an address is of, as far as is known; empty for others."""


def nobody(address: str) -> str:
    """The holder of addresses of which nothing is known."""
    return ""


class Pods(Protocol):
    async def get(self, namespace: str, name: str) -> Pod | None:
        """A pod as it is now; None when there is none. Raises CannotVerify."""


class KubernetesPods:
    """Read from the API server one by one: nothing is as fresh, and a certificate is a rare thing to ask for."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    async def get(self, namespace: str, name: str) -> Pod | None:
        try:
            answer = await self._api.send("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")
        except (OSError, ValueError) as error:
            raise CannotVerify(f"the API server cannot be asked about the pod: {str(error) or 'no answer'}") from error
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise CannotVerify(f"the API server does not show the pod: {answer.message}")
        return _read(answer.body)


def _read(body: Any) -> Pod:
    try:
        return msgspec.convert(body, Pod)
    except msgspec.ValidationError as error:
        raise CannotVerify(f"the pod cannot be read: {error}") from None


async def facts_about(
    caller: Caller, pods: Pods, cluster: str, address: str = "", holder: Holder = nobody
) -> WorkloadFacts:
    """For the Subject of its certificate. Raises as `pod_of`."""
    pod = await pod_of(caller, pods, address, holder)
    if pod is None:
        known = caller.facts or WorkloadFacts(cluster=cluster)
        # Its namespace is proven anew in any case.
        return msgspec.structs.replace(known, namespace=caller.identity.namespace)
    return facts_of(pod, cluster)


async def pod_of(caller: Caller, pods: Pods, address: str, holder: Holder) -> Pod | None:
    """The pod that a caller's token is bound to; None where there is none. `address` is where the call comes from.

    Raises Refused if the pod is not there any more, is another's, or did not make the call; CannotVerify.
    """
    if caller.pod is None:
        return None
    pod = await pods.get(caller.identity.namespace, caller.pod.name)
    if pod is None or pod.metadata.uid != caller.pod.uid:
        raise Refused(f"the pod {caller.pod.name} that the token is bound to is gone")
    if pod.service_account != caller.identity.service_account:
        raise Refused(f"the pod {caller.pod.name} has another service account than the token")
    # Addresses between pods and here may be translated: only that of another pod tells anything.
    if address and pod.addresses and address not in pod.addresses and (other := holder(address)):
        raise Refused(f"the token is bound to the pod {caller.pod.name}, but comes from {other}")
    return pod


class FromOwnPod:
    """Lets in those whom `ways` lets in, but not a token that another pod than its own shows."""

    def __init__(self, ways: Authenticator, pods: Pods, holder: Holder) -> None:
        self._ways = ways
        self._pods = pods
        self._holder = holder

    async def authenticate(self, evidence: Evidence) -> Caller:
        caller = await self._ways.authenticate(evidence)
        await pod_of(caller, self._pods, evidence.address, self._holder)
        return caller
