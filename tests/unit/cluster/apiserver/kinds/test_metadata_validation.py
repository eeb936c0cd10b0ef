from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.kinds.metadata_validation import validate_metadata
from lateen.cluster.objects import Obj


def _obj(**meta: Any) -> Obj:
    return {"metadata": {"name": "x", "namespace": "default", **meta}}


@pytest.mark.parametrize(
    ("obj", "field", "message"),
    [
        (_obj(name=""), "metadata.name", "name or generateName is required"),
        (_obj(name="A"), "metadata.name", "(e.g. 'example.com', regex used for validation is '"),
        (_obj(name="a" * 254), "metadata.name", "must be no more than 253 characters"),
        (_obj(namespace=""), "metadata.namespace", "Required value"),
        (_obj(labels={"a/b/c": ""}), "metadata.labels", "a qualified name must consist of"),
        (_obj(labels={"a": "-"}), "metadata.labels", "a valid label must be an empty string or consist of"),
        (_obj(annotations={"a": "x" * 262144}), "metadata.annotations", "may not be more than 262144 bytes"),
        (
            _obj(finalizers=["odd"]),
            "metadata.finalizers[0]",
            "neither a standard finalizer name nor is it fully qualified",
        ),
        (
            _obj(ownerReferences=[{"apiVersion": "v1", "kind": "Pod", "name": "p"}]),
            "metadata.ownerReferences[0].uid",
            "must not be empty",
        ),
    ],
)
def test_refuses(obj: Obj, field: str, message: str) -> None:
    (fault,) = validate_metadata(obj, namespaced=True)
    assert fault.field == field
    assert message in fault.message


def test_generated_names_may_end_in_a_dash() -> None:
    assert not validate_metadata({"metadata": {"generateName": "web-"}}, namespaced=False)


def test_no_new_finalizers_while_terminating() -> None:
    old = _obj(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/b"])
    new = _obj(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/b", "c/d"])
    (fault,) = validate_metadata(new, namespaced=True, old=old)
    assert 'found new finalizers ["c/d"]' in fault.message
