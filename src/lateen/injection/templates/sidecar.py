"""`sidecar`: a proxy beside the application, and what captures its traffic."""

from __future__ import annotations

from typing import Any

from lateen.injection.capture_container import init_containers
from lateen.injection.context import Context
from lateen.injection.names import REVISION, TLS_MODE
from lateen.injection.proxy_container import Role, proxy_container
from lateen.injection.template_data import template_data
from lateen.injection.template_functions import template_functions
from lateen.injection.templates.pod_additions import (
    canonical_labels,
    capture_annotations,
    default_container,
    group_of_files,
    pull_secrets,
)
from lateen.injection.volumes import proxy_volumes


def sidecar(context: Context) -> dict[str, Any]:
    """What is merged over the pod. Raises TemplateError for search domains that are bad templates."""
    proxy = proxy_container(context, Role.SIDECAR)
    before = init_containers(context)
    spec: dict[str, Any] = {
        "initContainers": [*before, proxy] if context.native else before,
        "containers": [] if context.native else [proxy],
        "volumes": proxy_volumes(context),
        **pull_secrets(context),
        **group_of_files(context),
    }
    searches = _searches(context)
    if searches:
        spec["dnsConfig"] = {"searches": searches}
    return {
        "metadata": {
            "labels": {TLS_MODE: context.labels.get(TLS_MODE) or "istio", **canonical_labels(context)},
            "annotations": {
                REVISION: context.values.revision or "default",
                **default_container(context),
                **capture_annotations(context),
            },
        },
        "spec": spec,
    }


def _searches(context: Context) -> list[str]:
    """The pod's own search domains, and those of the installation, which may be templates."""
    spec = context.pod.get("spec") or {}
    own = (spec.get("dnsConfig") or {}).get("searches") or []
    functions, data = template_functions(context.values.pilot.env), template_data(context)
    found = [each.render(data, functions) for each in context.search_domains]
    return list(dict.fromkeys([*own, *found])) if found else []
