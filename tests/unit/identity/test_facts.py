from __future__ import annotations

import msgspec
import pytest

from lateen.api.kubernetes.pod import Pod
from lateen.identity.facts import WorkloadFacts, facts_in, facts_of, subject

FACTS = WorkloadFacts("reviews-v1", "shop", "reviews", "v1", "Kubernetes", "reviews", "v1")


def pod(labels: dict[str, str]) -> Pod:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "reviews-v1-5f4d", "controller": True}
    metadata = {"name": "reviews-v1-5f4d-x2x4z", "namespace": "shop", "labels": labels, "ownerReferences": [owner]}
    return msgspec.convert({"metadata": metadata}, Pod)


def test_a_pod_of_a_deployment() -> None:
    labels = {"app": "reviews", "version": "v1", "pod-template-hash": "5f4d"}
    assert facts_of(pod(labels), "Kubernetes") == FACTS


def test_canonical_labels_win() -> None:
    labels = {
        "app": "a",
        "pod-template-hash": "5f4d",
        "service.istio.io/canonical-name": "canon",
        "service.istio.io/canonical-revision": "r7",
    }
    found = facts_of(pod(labels), "")
    assert (found.app, found.version, found.service, found.revision) == ("a", "", "canon", "r7")


def test_the_subject_as_the_proxies_of_the_mesh_read_it() -> None:
    assert sorted(subject(FACTS).rfc4514_string().split(",")) == sorted(
        ["CN=reviews-v1", "O=shop", "OU=app=reviews", "OU=ver=v1", "OU=cluster=Kubernetes", "OU=cs=reviews",
         "OU=cr=v1"]
    )  # fmt: skip


@pytest.mark.parametrize("facts", [FACTS, WorkloadFacts(), WorkloadFacts(workload="w"), WorkloadFacts(cluster="c:1/a")])
def test_facts_come_back_out_of_a_subject(facts: WorkloadFacts) -> None:
    assert facts_in(subject(facts)) == facts


@pytest.mark.parametrize("value", ["a,CN=admin", "a+CN=admin", 'a"b', "a\\,b", "a=b", "ä", "a\nb", "a b"])
def test_what_could_be_read_as_other_facts_is_left_out(value: str) -> None:
    facts = WorkloadFacts(workload=value, namespace=value, app=value, cluster=value)
    assert subject(facts).rdns == []


def test_what_is_too_long_is_cut() -> None:
    facts = facts_in(subject(WorkloadFacts(workload="w" * 253, app="a" * 63)))
    assert facts.workload == "w" * 64
    assert facts.app == "a" * 60
