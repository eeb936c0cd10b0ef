from __future__ import annotations

from lateen.cluster.pod_resources import pod_amounts


def container(cpu: str, **fields: str) -> dict[str, object]:
    return {"resources": {"requests": {"cpu": cpu}}, **fields}


def test_containers_add_up_and_init_containers_compete() -> None:
    spec = {
        "containers": [container("100m"), container("200m"), {}],
        "initContainers": [container("1"), container("50m", restartPolicy="Always"), container("200m")],
        "overhead": {"cpu": "10m"},
    }
    assert str(pod_amounts(spec, "requests")["cpu"]) == "1010m"
    assert pod_amounts(spec, "limits") == {"cpu": pod_amounts({"overhead": {"cpu": "10m"}}, "limits")["cpu"]}


def test_a_sidecar_runs_beside_what_follows_it() -> None:
    spec = {
        "containers": [container("100m")],
        "initContainers": [container("500m", restartPolicy="Always"), container("300m")],
    }
    assert str(pod_amounts(spec, "requests")["cpu"]) == "800m"
