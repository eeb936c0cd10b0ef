"""What is told of pods that are none, however large they are."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.injection.misshapen import misshapen_pod
from lateen.testing.injected_pods import pod

_LARGE = {f"name-{number}": "x" * 100 for number in range(3000)}


def _pod(metadata: dict[str, Any]) -> dict[str, Any]:
    return {**pod(), "metadata": metadata}


@pytest.mark.parametrize("place", ["labels", "annotations"])
def test_labels_and_annotations_have_a_size(place: str) -> None:
    (fault,) = misshapen_pod(_pod({place: _LARGE}))
    assert fault.path == f"metadata.{place}"
    assert fault.message.endswith("at most 262144 are taken")
    assert misshapen_pod(_pod({place: dict(list(_LARGE.items())[:2000])})) == ()


def test_only_the_first_faults_are_told_and_in_few_words() -> None:
    faults = misshapen_pod(_pod({"labels": {f"a{number}": [number] * 100_000 for number in range(100)}}))
    assert len(faults) == 50
    assert max(len(fault.message) for fault in faults) < 100


def test_what_is_too_much_is_not_looked_through() -> None:
    class _Container(dict[str, Any]):
        def get(self, *arguments: Any) -> Any:
            raise AssertionError("looked at")

    spec = {"containers": [_Container(name="a")] * 1001}
    (fault,) = misshapen_pod({"metadata": {}, "spec": spec})
    assert fault.message == "has 1001 items; at most 1000 are taken"


def test_names_of_labels_may_be_anything_that_yaml_has() -> None:
    assert misshapen_pod(_pod({"labels": {1: "a"}})) == ()
