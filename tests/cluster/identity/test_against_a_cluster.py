"""Tokens, the root's Secret and the roots' ConfigMaps against a real API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from lateen.identity.caller import AnyOf, BoundPod, Caller, Evidence, Refused
from lateen.identity.current import CurrentAuthority
from lateen.identity.distribution import RootDistribution
from lateen.identity.facts import facts_in
from lateen.identity.issuing import CertificateRequest, Issuer, NotIssued, Reason
from lateen.identity.kubernetes_tokens import KubernetesTokens
from lateen.identity.pods import KubernetesPods
from lateen.identity.root_secret import ROTATE, RootSecret
from lateen.identity.rounds import RoundsPace
from lateen.model.identity import PeerIdentity
from lateen.sources.kubernetes.access import from_kubeconfig
from lateen.sources.kubernetes.client import Client
from lateen.status.lease import Lease, LeaseTerms
from lateen.testing.authorities import ec_key, signing_request, verified_names
from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  labels: {{app: web, version: v2}}
spec:
  serviceAccountName: {account}
  nodeSelector: {{never: scheduled}}
  containers: [{{name: app, image: none}}]
"""


@pytest.fixture
async def client(control: LocalCluster) -> AsyncIterator[Client]:
    async with Client(from_kubeconfig(control.kubeconfig)) as found:
        yield found


@pytest.fixture
def uid(control: LocalCluster, room: str) -> str:
    """Of a pod `web-1` with the service account `web`."""
    control.kubectl("create", "serviceaccount", "web", "-n", room)
    control.apply(POD.format(name="web-1", account="web"), "-n", room)
    found: str = control.get("pod", "web-1", "-n", room)["metadata"]["uid"]
    return found


def bound(control: LocalCluster, room: str, *audiences: str) -> str:
    """A token of the pod `web-1`, as the kubelet gets it for a projected volume."""
    pod = {"apiVersion": "v1", "kind": "Pod", "name": "web-1"}
    return control.token("web", room, audiences=audiences, boundObjectRef=pod)


async def authenticate(client: Client, token: str) -> Caller:
    return await KubernetesTokens(client, lambda: "cluster.local").authenticate(Evidence(token))


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(*work: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_pods_token_proves_who_it_is(control: LocalCluster, client: Client, room: str, uid: str) -> None:
    token = await asyncio.to_thread(bound, control, room, "istio-ca")
    assert await authenticate(client, token) == Caller(
        PeerIdentity(room, "web", "cluster.local"), BoundPod("web-1", uid)
    )


async def test_tokens_that_prove_nothing(control: LocalCluster, client: Client, room: str, uid: str) -> None:
    good = await asyncio.to_thread(bound, control, room, "istio-ca")
    head, body, signature = good.split(".")
    forged = signature[:-4] + ("aaaa" if not signature.endswith("aaaa") else "bbbb")
    for token, said in (
        (await asyncio.to_thread(bound, control, room, "someone-else"), "does not know"),
        (await asyncio.to_thread(bound, control, room), "does not know"),
        (f"{head}.{body}.{forged}", "does not know"),
        ("nonsense", "does not know"),
    ):
        with pytest.raises(Refused, match=said):
            await authenticate(client, token)
    # Revoked: the pod goes, and its token with it, at once.
    await authenticate(client, good)
    await asyncio.to_thread(control.kubectl, "delete", "pod", "web-1", "-n", room, "--grace-period=0", "--force")
    with pytest.raises(Refused, match="does not know"):
        await authenticate(client, good)


async def test_a_certificate_for_a_pod(control: LocalCluster, client: Client, room: str, uid: str) -> None:
    current = CurrentAuthority()
    secret = RootSecret(client, current, namespace=room)
    issuer = Issuer(
        current, AnyOf(KubernetesTokens(client, lambda: "cluster.local")), KubernetesPods(client), cluster="Kubernetes"
    )
    token = await asyncio.to_thread(bound, control, room, "istio-ca")
    asked = CertificateRequest(signing_request(ec_key(), uris=("spiffe://cluster.local/ns/kube-system/sa/admin",)))
    async with running(secret.keep()):
        await asyncio.wait_for(current.known(), 60)
        issued = await issuer.issue(Evidence(token), asked)
    uris, path = verified_names((issued.certificate, *issued.path), issued.roots)
    assert uris == [f"spiffe://cluster.local/ns/{room}/sa/web"]
    facts = facts_in(path[0].subject)
    assert (facts.workload, facts.namespace, facts.app, facts.version) == ("web-1", room, "web", "v2")
    with pytest.raises(NotIssued) as caught:
        await issuer.issue(Evidence("nonsense"), asked)
    assert caught.value.reason is Reason.UNAUTHENTICATED


async def test_one_root_for_all_replicas_whoever_holds_the_lease(control: LocalCluster, room: str) -> None:
    """Each with a client of its own; the holder of the Lease goes, another takes over, the root stays."""
    terms = LeaseTerms(duration=15.0, deadline=10.0, interval=0.1)
    async with AsyncExitStack() as stack:
        replicas = []
        for number in range(3):
            client = await stack.enter_async_context(Client(from_kubeconfig(control.kubeconfig)))
            current = CurrentAuthority()
            secret = RootSecret(client, current, namespace=room, interval=0.1)
            lease = Lease(client, namespace=room, name="lateen-ca", identity=f"replica-{number}", terms=terms)
            replicas.append((secret, current, lease))
        tasks = []
        for secret, _, lease in replicas:
            own = (asyncio.create_task(secret.follow()), asyncio.create_task(lease.run_while_held(secret.keep)))
            tasks.append(own)
        try:
            found = [await asyncio.wait_for(current.known(), 60) for _, current, _ in replicas]
            assert len({each.certificate for each in found}) == 1
            stored = await asyncio.to_thread(control.get, "secret", "istio-ca-secret", "-n", room)
            assert stored["type"] == "istio.io/ca-root"

            await until(lambda: any(lease.held for _, _, lease in replicas))
            holder = next(index for index, (_, _, lease) in enumerate(replicas) if lease.held)
            for task in tasks[holder]:
                task.cancel()
            others = [replica for index, replica in enumerate(replicas) if index != holder]
            await until(lambda: any(lease.held for _, _, lease in others))
            # Whoever keeps it now rotates it on request, and all see that.
            annotate = ("annotate", "secret", "istio-ca-secret", "-n", room, f"{ROTATE}=now")
            await asyncio.to_thread(control.kubectl, *annotate)
            await until(lambda: all(len(current.authority.roots) == 2 for _, current, _ in others))
            assert {current.authority.certificate for _, current, _ in others} == {found[0].certificate}
        finally:
            for task in (each for own in tasks for each in own):
                task.cancel()
            await asyncio.gather(*(each for own in tasks for each in own), return_exceptions=True)


async def test_roots_in_every_namespace(control: LocalCluster, client: Client, room: str) -> None:
    current = CurrentAuthority()
    secret = RootSecret(client, current, namespace=room)
    distribution = RootDistribution(client, current, pace=RoundsPace(spacing=0.05))

    def held(namespace: str) -> str:
        done = control.try_kubectl(
            "get", "configmap", "istio-ca-root-cert", "-n", namespace, "-o", r"jsonpath={.data.root-cert\.pem}"
        )
        return done.stdout if done.returncode == 0 else ""

    async with running(secret.keep(), distribution.run()):
        bundle = (await asyncio.wait_for(current.known(), 60)).bundle
        for namespace in ("default", "kube-system", room):
            await until(lambda namespace=namespace: held(namespace) == bundle)
        assert held("kube-public") == ""

        new = await asyncio.to_thread(control.namespace)
        await until(lambda: held(new) == bundle)
        await asyncio.to_thread(control.kubectl, "delete", "configmap", "istio-ca-root-cert", "-n", new)
        await until(lambda: held(new) == bundle)
        patch = '{"data":{"root-cert.pem":"forged"}}'
        await asyncio.to_thread(control.kubectl, "patch", "configmap", "istio-ca-root-cert", "-n", new, "-p", patch)
        await until(lambda: held(new) == bundle)

        pid = await asyncio.to_thread(control.kill, "apiserver")
        await asyncio.to_thread(control.until_replaced, "apiserver", pid)
        later = await asyncio.to_thread(
            lambda: control.until_succeeds("create", "namespace", f"{room}-later") and f"{room}-later"
        )
        await until(lambda: held(later) == bundle)
        for namespace in (new, later):
            await asyncio.to_thread(control.kubectl, "delete", "namespace", namespace, "--wait=false")
