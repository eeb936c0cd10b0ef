from __future__ import annotations

import pytest

from lateen.cluster.node.environment import ConfigError
from lateen.cluster.node.security import ALL_CAPABILITIES, capability_mask, resolve_security
from lateen.cluster.objects import Obj


def test_capabilities() -> None:
    assert capability_mask([], []) == 0xA80425FB
    assert capability_mask([], ["ALL"]) == 0
    assert capability_mask(["NET_ADMIN"], ["ALL"]) == 1 << 12
    assert capability_mask(["CAP_SYS_TIME"], ["KILL"]) == (0xA80425FB | 1 << 25) & ~(1 << 5)
    assert capability_mask(["ALL"], ["NET_RAW"]) == ALL_CAPABILITIES & ~(1 << 13)
    with pytest.raises(ConfigError):
        capability_mask(["NONSENSE"], [])


def resolve(pod_context: Obj, own: Obj, user: str = "") -> tuple[int, int]:
    pod = {"metadata": {"name": "p"}, "spec": {"securityContext": pod_context}}
    found = resolve_security(pod, {"name": "c", "securityContext": own}, user)
    return found.uid, found.gid


def test_the_container_wins_over_the_pod_and_both_over_the_image() -> None:
    assert resolve({}, {}) == (0, 0)
    assert resolve({}, {}, "77777:88888") == (77777, 88888)
    assert resolve({"runAsUser": 70001, "runAsGroup": 5}, {}, "7") == (70001, 5)
    assert resolve({"runAsUser": 70001}, {"runAsUser": 70002}) == (70002, 0)


def test_non_root() -> None:
    with pytest.raises(ConfigError, match="image will run as root"):
        resolve({"runAsNonRoot": True}, {})
    with pytest.raises(ConfigError, match="breaks non-root policy"):
        resolve({"runAsNonRoot": True}, {"runAsUser": 0})
    assert resolve({"runAsNonRoot": True}, {"runAsUser": 70001})[0] == 70001
