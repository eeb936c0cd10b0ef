"""`lateen istiod` against a real cluster: definitions that come and go, status, permissions, a killed API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lateen.testing.istiod import IstiodProcess
from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{host}]
  http: [{{directResponse: {{status: 200}}}}]
"""
# Passes the definition's schema, and no validation.
BAD = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bad}
spec:
  hosts: [reviews]
  http:
  - route: [{destination: {host: reviews}}]
    redirect: {uri: /x}
"""
CRD = "virtualservices.networking.istio.io"


@pytest.fixture
def istiod(control: LocalCluster, room: str) -> Iterator[IstiodProcess]:
    """Of the namespace of the test, where its ConfigMap and Lease are."""
    with IstiodProcess("--kubeconfig", str(control.kubeconfig), "--namespace", room) as found:
        found.until_ready()
        yield found


def status(control: LocalCluster, room: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = control.get("virtualservice", name, "-n", room).get("status") or {}
    return found


def condition(found: dict[str, Any], type_: str) -> str:
    return next((each["status"] for each in found.get("conditions", []) if each["type"] == type_), "")


def test_definitions_that_come_later_are_picked_up_and_status_is_written(
    control: LocalCluster, room: str, istiod: IstiodProcess, definitions: str
) -> None:
    control.apply(definitions)
    control.kubectl("wait", "--for=condition=Established", f"crd/{CRD}")
    control.apply(ROUTES.format(name="good", host="good"), "-n", room)
    istiod.until(lambda: condition(status(control, room, "good"), "Reconciled") == "True")
    control.apply(BAD, "-n", room)
    istiod.until(lambda: condition(status(control, room, "bad"), "Reconciled") == "False")
    found = status(control, room, "bad")
    assert condition(found, "PassedValidation") == "False"
    assert found["observedGeneration"] == 1
    assert found["validationMessages"][0]["level"] == "ERROR"
    # Corrected, and its status with it.
    control.apply(ROUTES.format(name="bad", host="bad"), "-n", room)
    istiod.until(lambda: condition(status(control, room, "bad"), "Reconciled") == "True")
    assert status(control, room, "bad")["observedGeneration"] > 1
    # The definition goes, and its objects with it; then it comes back.
    control.apply(BAD.replace("name: bad", "name: last"), "-n", room)
    istiod.until(lambda: any(each["name"] == "last" for each in istiod.debug("status")))
    control.kubectl("delete", "crd", CRD)
    istiod.until(lambda: not any(each["kind"] == "VirtualService" for each in istiod.debug("status")))
    control.apply(definitions)
    control.kubectl("wait", "--for=condition=Established", f"crd/{CRD}")
    control.apply(ROUTES.format(name="again", host="again"), "-n", room)
    istiod.until(lambda: condition(status(control, room, "again"), "Reconciled") == "True")


def test_a_killed_api_server_stops_nothing_and_what_happened_meanwhile_is_caught_up_with(
    control: LocalCluster, room: str, istiod: IstiodProcess, definitions: str
) -> None:
    control.apply(definitions)
    control.kubectl("wait", "--for=condition=Established", f"crd/{CRD}")
    control.apply(BAD, "-n", room)
    istiod.until(lambda: any(each["name"] == "bad" and each["namespace"] == room for each in istiod.debug("status")))
    for turn in range(3):
        pid = control.kill("apiserver")
        assert istiod.get("/ready")[0] == 200
        control.until_replaced("apiserver", pid)
        control.until_succeeds("get", "namespaces")
        control.apply(BAD.replace("name: bad", f"name: bad-{turn}"), "-n", room)
        control.kubectl("delete", "virtualservice", "-n", room, "bad" if turn == 0 else f"bad-{turn - 1}")
        istiod.until(lambda turn=turn: names(istiod, room) == {f"bad-{turn}"})
    istiod.until(lambda: not istiod.debug("sources")["problems"])
    assert istiod.process.poll() is None


def names(istiod: IstiodProcess, room: str) -> set[str]:
    return {each["name"] for each in istiod.debug("status") if each["namespace"] == room}


def test_mesh_config_of_the_cluster(control: LocalCluster, room: str, istiod: IstiodProcess) -> None:
    control.kubectl("create", "configmap", "istio", "-n", room, "--from-literal=mesh=trustDomain: [5]")
    istiod.until(lambda: names(istiod, room) == {"istio"})
    patch = json.dumps({"data": {"mesh": "trustDomain: example.com"}})
    control.kubectl("patch", "configmap", "istio", "-n", room, "--type=merge", "-p", patch)
    istiod.until(lambda: names(istiod, room) == set())


def test_only_one_of_two_writes_status_and_the_other_takes_over(
    control: LocalCluster, room: str, istiod: IstiodProcess, definitions: str
) -> None:
    control.apply(definitions)
    lease = ("lease", "istio-status-leader", "-n", room, "-o", "jsonpath={.spec.holderIdentity}")
    first = control.until_succeeds("get", *lease)
    with IstiodProcess("--kubeconfig", str(control.kubeconfig), "--namespace", room) as second:
        second.until_ready()
        assert istiod.terminate() == 0
        second.until(lambda: control.try_kubectl("get", *lease).stdout not in ("", first))
        control.apply(BAD, "-n", room)
        second.until(lambda: condition(status(control, room, "bad"), "Reconciled") == "False")


def test_without_permissions_it_is_ready_and_says_what_it_lacks(
    control: LocalCluster, room: str, tmp_path: Path
) -> None:
    """A service account that may read Services alone."""
    control.kubectl("create", "serviceaccount", "poor", "-n", room)
    control.kubectl("create", "clusterrole", f"services-{room}", "--verb=get,list,watch", "--resource=services")
    control.kubectl(
        "create",
        "clusterrolebinding",
        f"services-{room}",
        f"--clusterrole=services-{room}",
        f"--serviceaccount={room}:poor",
    )
    given = json.loads(control.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    given["users"] = [{"name": "poor", "user": {"token": control.token("poor", room)}}]
    given["contexts"][0]["context"]["user"] = "poor"
    config = tmp_path / "config"
    config.write_text(json.dumps(given))
    with IstiodProcess("--kubeconfig", str(config), "--namespace", room) as istiod:
        istiod.until_ready()
        problems = istiod.debug("sources")["problems"]["kubernetes"]
        assert "Service" not in problems
        assert problems["Pod"].startswith("not permitted: ")
        warned = [line for line in istiod.log if "kubernetes: Pod:" in str(line["msg"])]
        assert len(warned) == 1
    control.kubectl("delete", "clusterrole,clusterrolebinding", f"services-{room}")
