"""What Go's decoder would say."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.schema.decoding import decode_errors
from lateen.cluster.objects import GVK

POD = GVK("", "v1", "Pod")
DEPLOYMENT = GVK("apps", "v1", "Deployment")


@pytest.mark.parametrize(
    ("gvk", "obj", "said"),
    [
        (
            DEPLOYMENT,
            {"spec": {"replicas": "3"}},
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            DEPLOYMENT,
            {"spec": {"replicas": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            DEPLOYMENT,
            {"spec": {"replicas": 2**31}},
            "json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            POD,
            {"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}},
            "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
        ),
        (
            POD,
            {"spec": {"containers": {"name": "a"}}},
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            POD,
            {"metadata": {"labels": {"a": True}}},
            "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            POD,
            {"spec": {"containers": [{"resources": {"limits": {"cpu": "1 core"}}}]}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            GVK("", "v1", "Service"),
            {"spec": {"ports": [{"targetPort": [1]}]}},
            "json: cannot unmarshal array into Go value of type int32",
        ),
        (GVK("", "v1", "Secret"), {"data": {"a": "no base64!"}}, "illegal base64 data at input byte 2"),
        (POD, [], "json: cannot unmarshal array into Go value of type Pod"),
        (
            POD,
            {"metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
    ],
)
def test_wrong_types(schemas: BuiltinSchemas, gvk: GVK, obj: Any, said: str) -> None:
    assert decode_errors(obj, schemas.for_gvk(gvk)) == [said]


def test_what_decodes(schemas: BuiltinSchemas) -> None:
    pod = {
        "metadata": {"creationTimestamp": None, "labels": None, "managedFields": [{"fieldsV1": {"f:x": {}}}]},
        "spec": {
            "containers": [
                {
                    "name": "a",
                    "resources": {"limits": {"cpu": 1, "memory": "1.5Gi"}},
                    "livenessProbe": {"httpGet": {"port": "http"}},
                    "ports": [{"containerPort": 80}],
                }
            ],
            "unknown": 1,
        },
    }
    assert decode_errors(pod, schemas.for_gvk(POD)) == []
    assert decode_errors({"data": {"a": "aGk=", "b": ""}}, schemas.for_gvk(GVK("", "v1", "Secret"))) == []
