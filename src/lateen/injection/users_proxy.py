"""Who the proxy runs as: 1337, unless the platform or the pod's own `istio-proxy` says otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lateen.injection.names import PROXY, PROXY_ID

_USERS: Final = "openshift.io/sa.scc.uid-range"
_GROUPS: Final = "openshift.io/sa.scc.supplemental-groups"
_BLOCK: Final = re.compile(r"(\d{1,10})([/-])(\d{1,10})")


class Ids(msgspec.Struct, frozen=True):
    user: int = PROXY_ID
    group: int = PROXY_ID


def platform_ids(annotations: Mapping[str, str]) -> Ids:
    """On OpenShift: the last of those that the namespace may use, by its annotations, so that it is not the
    application's, which is the first."""
    user = _last(annotations.get(_USERS, ""))
    group = _last(annotations.get(_GROUPS) or annotations.get(_USERS, ""))
    return Ids(PROXY_ID if user is None else user, PROXY_ID if group is None else group)


def _last(text: str) -> int | None:
    """Of the first block: `1000/100` begins at 1000 and has 100, `1000-1099` names both ends."""
    block = _BLOCK.fullmatch(text.split(",")[0].strip())
    if block is None:
        return None
    start, end = int(block[1]), int(block[3])
    return start + end - 1 if block[2] == "/" else end


def own_proxy(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The `istio-proxy` that users put into the pod themselves."""
    containers = (pod.get("spec") or {}).get("containers") or ()
    return next((each for each in containers if each.get("name") == PROXY), None)


def own_ids(pod: Mapping[str, Any], ids: Ids) -> Ids:
    """With what the pod's own proxy says. Root is not taken: rules cannot tell its traffic from anybody's."""
    security = (own_proxy(pod) or {}).get("securityContext") or {}
    return Ids(security.get("runAsUser") or ids.user, security.get("runAsGroup") or ids.group)


def without_own_user(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """With TPROXY the proxy has to be root, whatever the pod's own proxy says."""
    proxy = own_proxy(pod)
    return pod if proxy is None else _without(pod, proxy, "runAsUser", "runAsNonRoot")


def without_assigned_user(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """OpenShift gives all containers the same user before injection: a proxy that runs as the application does would
    have the application's traffic taken for its own."""
    proxy = own_proxy(pod)
    containers = (pod.get("spec") or {}).get("containers") or ()
    user = _user(proxy)
    if proxy is None or user is None or user not in [_user(each) for each in containers if each is not proxy]:
        return pod
    return _without(pod, proxy, "runAsUser", "runAsGroup")


def _without(pod: Mapping[str, Any], proxy: Mapping[str, Any], *fields: str) -> Mapping[str, Any]:
    security = {key: value for key, value in (proxy.get("securityContext") or {}).items() if key not in fields}
    own = {**proxy, "securityContext": security}
    spec = pod["spec"]
    return {**pod, "spec": {**spec, "containers": [own if each is proxy else each for each in spec["containers"]]}}


def _user(container: Mapping[str, Any] | None) -> int | None:
    found = ((container or {}).get("securityContext") or {}).get("runAsUser")
    return found if isinstance(found, int) else None
