from __future__ import annotations

import pytest

from lateen.cluster.apiserver.patch.patch_type import PatchType, patch_type
from lateen.cluster.status import StatusError


def test_media_types() -> None:
    assert patch_type("application/strategic-merge-patch+json", custom=False) is PatchType.STRATEGIC
    assert patch_type("application/apply-patch+yaml; charset=utf-8", custom=True) is PatchType.APPLY


def test_custom_resources_take_no_strategic_merge_patch() -> None:
    with pytest.raises(StatusError) as caught:
        patch_type("application/strategic-merge-patch+json", custom=True)
    assert caught.value.code == 415
    assert caught.value.message == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )
