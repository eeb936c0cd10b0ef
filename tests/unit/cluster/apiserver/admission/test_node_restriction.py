from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.admission.node_restriction import NodeRestriction
from lateen.cluster.apiserver.request import User
from lateen.cluster.status import StatusError

NODE = User("system:node:one", groups=("system:nodes",))


def pod(node: str) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "ns"}, "spec": {"nodeName": node}}


async def test_a_node_changes_its_own_pods_alone(make: Any) -> None:
    plugin = NodeRestriction()
    await plugin.validate(make("UPDATE", obj=pod("one"), old=pod("one"), subresource="status", user=NODE))
    await plugin.validate(make("DELETE", old=pod("one"), user=NODE))
    await plugin.validate(make("DELETE", old=pod("two")))
    with pytest.raises(StatusError, match=r"can only delete pods with spec\.nodeName set to itself"):
        await plugin.validate(make("DELETE", old=pod("two"), user=NODE))
    with pytest.raises(StatusError, match="can only update pod status"):
        await plugin.validate(make("UPDATE", obj=pod("one"), old=pod("two"), subresource="status", user=NODE))
    with pytest.raises(StatusError, match="can only create mirror pods"):
        await plugin.validate(make(user=NODE))
