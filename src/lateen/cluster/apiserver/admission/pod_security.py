"""Pod Security admission: a namespace's labels say which standard its pods must keep.

Source: k8s.io/pod-security-admission. All versions are checked as the latest.
"""

from __future__ import annotations

from lateen.cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.admission.pod_security_checks import LEVELS, violations
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj, labels_of

_PREFIX = "pod-security.kubernetes.io/"
_TEMPLATES = frozenset(
    {
        ("", "podtemplates"),
        ("", "replicationcontrollers"),
        ("apps", "daemonsets"),
        ("apps", "deployments"),
        ("apps", "replicasets"),
        ("apps", "statefulsets"),
        ("batch", "cronjobs"),
        ("batch", "jobs"),
    }
)


class PodSecurity(Plugin):
    """Refuses pods by the `enforce` label; warns by the `warn` label, of workloads too."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def validate(self, attributes: Attributes) -> None:
        if attributes.obj is None or attributes.operation not in (CREATE, UPDATE):
            return
        is_pod = attributes.is_("pods") or attributes.is_("pods", subresource="ephemeralcontainers")
        is_template = attributes.group_resource in _TEMPLATES and not attributes.subresource
        if not is_pod and not is_template:
            return
        namespace = self._store.get(("", "namespaces"), Key("", attributes.namespace))
        labels = labels_of(namespace) if namespace is not None else {}
        spec = _pod_spec(attributes, attributes.obj)
        if not spec or (attributes.old is not None and spec == _pod_spec(attributes, attributes.old)):
            return
        if is_pod and (found := _violated(spec, labels, "enforce")):
            raise attributes.refuse(f"violates PodSecurity {found}")
        if found := _violated(spec, labels, "warn"):
            attributes.ctx.warn(f"would violate PodSecurity {found}")


def _violated(spec: Obj, labels: dict[str, str], mode: str) -> str | None:
    level = labels.get(f"{_PREFIX}{mode}", "privileged")
    if level not in LEVELS:
        # A level that nobody knows is held to the strictest.
        level = "restricted"
    found = violations(spec, level)
    version = labels.get(f"{_PREFIX}{mode}-version", "latest")
    return f'"{level}:{version}": {", ".join(found)}' if found else None


def _pod_spec(attributes: Attributes, obj: Obj) -> Obj:
    spec: Obj = obj.get("spec") or {}
    match attributes.group_resource:
        case ("", "pods"):
            return spec
        case ("", "podtemplates"):
            spec = {"template": obj.get("template")}
        case ("batch", "cronjobs"):
            spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    found: Obj = (spec.get("template") or {}).get("spec") or {}
    return found
