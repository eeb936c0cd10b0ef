"""Injection: from a pod to the pod that is a member of the mesh. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.proxy_config import InboundInterceptionMode
from lateen.api.networking.proxy_config import ProxyConfig as ProxyConfigSpec
from lateen.api.objects import Object
from lateen.api.schema.bounded_yaml import load_object
from lateen.api.schema.fault import Fault, Severity, error, warning
from lateen.injection import probes, prometheus
from lateen.injection.annotation_checks import wrong_annotations
from lateen.injection.capture_container import excluded_inbound_ports
from lateen.injection.configuration import InjectionConfig
from lateen.injection.container_order import ordered_containers, ordered_init_containers
from lateen.injection.context import Context
from lateen.injection.earlier_injection import Earlier, earlier_injection
from lateen.injection.environment import overridden
from lateen.injection.go_template.errors import TemplateError
from lateen.injection.misshapen import misshapen_pod
from lateen.injection.names import INIT, NETWORK, OVERRIDES, PROXY, STATUS, TEMPLATES, VALIDATION
from lateen.injection.native_sidecar import Version, runs_native
from lateen.injection.pod_settings import pod_settings
from lateen.injection.proxy_container import holds_application
from lateen.injection.proxy_settings import with_annotations, with_resources
from lateen.injection.proxyless_pod import asked_in_vain
from lateen.injection.strategic_merge import BadPatch, merged
from lateen.injection.template_data import template_data
from lateen.injection.template_functions import template_functions
from lateen.injection.templates import BUILT_IN
from lateen.injection.texts import parse_bool
from lateen.injection.users_proxy import Ids, own_ids, platform_ids, without_assigned_user, without_own_user
from lateen.injection.values import Platform
from lateen.injection.workload import Workload, workload_of

_AUTO = "auto"
"""The image of a container in a pod that stands for the one injected."""
_RESERVED_USER = "IST0144"
_LISTS = ("initContainers", "containers", "volumes", "imagePullSecrets")
Pod = dict[str, Any]


class Refused(Exception):
    """The pod cannot be injected as it is."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{each.path}: {each.message}".lstrip(": ") for each in self.faults))


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a pod besides itself."""

    namespace: str
    namespace_annotations: Mapping[str, str] = {}
    workload: Workload | None = None
    """None: by the pod's owners."""
    proxy_configs: tuple[Object[ProxyConfigSpec], ...] = ()
    """Of the mesh: of the root namespace and of the pod's own at least."""
    version: Version | None = None
    """Of the cluster; None: new enough for native sidecars."""
    environment: Mapping[str, str] = {}
    """Of the proxy, by the webhook's URL: `ISTIO_META_CLUSTER_ID`, `ISTIO_META_NETWORK` and others."""


class Injected(msgspec.Struct, frozen=True):
    pod: Pod
    templates: tuple[str, ...]
    """Names of those that made it."""
    warnings: tuple[Fault, ...]


def inject(pod: Mapping[str, Any], facts: Facts, mesh: MeshConfig, injection: InjectionConfig) -> Injected:
    """The pod, injected; `pod` is not changed. Raises Refused. Injecting what comes out again changes nothing."""
    misshapen = misshapen_pod(pod)
    if misshapen:
        raise Refused(misshapen)
    earlier = earlier_injection(pod)
    if earlier.faults:
        raise Refused(earlier.faults)
    context, warnings = _context(earlier, facts, mesh, injection)
    names = _template_names(context, injection)
    overlay, user_containers = _overlay(context, names, injection)
    result = _merged(context.pod, overlay, user_containers)
    annotations = result.setdefault("metadata", {}).setdefault("annotations", {})
    if user_containers:
        annotations.setdefault(OVERRIDES, _overrides(overlay, user_containers))
    _finish(result, context, earlier, facts)
    annotations = result["metadata"]["annotations"]
    annotations[STATUS] = _status(overlay, injection)
    annotations.update(injection.injected_annotations)
    doubts = _doubts(pod, context.user)
    vain = asked_in_vain(context.annotations, [name for name in names if name not in injection.templates])
    return Injected(result, names, (*warnings, *doubts, *vain))


# --- what is known ------------------------------------------------------------------------------------------------


def _context(
    earlier: Earlier, facts: Facts, mesh: MeshConfig, injection: InjectionConfig
) -> tuple[Context, tuple[Fault, ...]]:
    pod, values = earlier.pod, injection.values
    if values.global_.platform is Platform.OPENSHIFT:
        pod = without_assigned_user(pod)
    metadata = pod.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    found = wrong_annotations(annotations)
    config = with_resources(mesh.default_config, facts.proxy_configs, mesh.root_namespace, facts.namespace, labels)
    errors = [fault for fault in found if fault.severity is Severity.ERROR]
    if errors:
        raise Refused(errors)
    proxy, wrong = with_annotations(config, annotations)
    if proxy is None:
        raise Refused(fault for fault in wrong if fault.severity is Severity.ERROR)
    settings = pod_settings(annotations, proxy, values)
    on_openshift = values.global_.platform is Platform.OPENSHIFT
    ids = platform_ids(facts.namespace_annotations) if on_openshift else Ids()
    if settings.interception is InboundInterceptionMode.TPROXY:
        pod = without_own_user(pod)
    else:
        ids = own_ids(pod, ids)
    network = labels.get(NETWORK) or facts.environment.get("ISTIO_META_NETWORK") or values.global_.network
    context = Context(
        pod=pod,
        workload=facts.workload or workload_of(pod, facts.namespace),
        mesh=mesh,
        proxy=proxy,
        settings=settings,
        values=values,
        raw_values=injection.raw_values,
        search_domains=injection.search_domains,
        native=runs_native(settings.native, values.pilot.env, facts.version),
        user=ids.user,
        group=ids.group,
        cluster=facts.environment.get("ISTIO_META_CLUSTER_ID", ""),
        network=network,
    )
    return context, (*found, *wrong)


def _doubts(pod: Mapping[str, Any], proxy_user: int) -> Iterator[Fault]:
    spec = pod.get("spec") or {}
    policy = spec.get("dnsPolicy", "ClusterFirst")
    if policy != "ClusterFirst":
        yield warning("spec.dnsPolicy", f"with {policy} the proxy may not find the control plane by its name")
    users: dict[str, Any] = {}
    for index, container in enumerate(spec.get("containers") or ()):
        if container.get("name") != PROXY:
            own = (container.get("securityContext") or {}).get("runAsUser")
            path = "spec" if own is None else f"spec.containers[{index}]"
            users[path] = (spec.get("securityContext") or {}).get("runAsUser") if own is None else own
    for path, user in users.items():
        if user == proxy_user:
            message = f"{user} is the proxy's own user: such traffic is not captured, and is not of the mesh"
            yield Fault(f"{path}.securityContext.runAsUser", message, Severity.WARNING, _RESERVED_USER)


def _template_names(context: Context, injection: InjectionConfig) -> tuple[str, ...]:
    asked = context.annotations.get(TEMPLATES)
    names = [word.strip() for word in asked.split(",")] if asked is not None else list(injection.default_templates)
    found = [name for each in names for name in injection.aliases.get(each, (each,))]
    unknown = [name for name in found if name not in BUILT_IN and name not in injection.templates]
    if unknown:
        known = ", ".join(injection.known_templates)
        raise Refused([error(f"metadata.annotations[{TEMPLATES}]", f"no template {unknown[0]!r}; there are {known}")])
    return tuple(found)


# --- templates ----------------------------------------------------------------------------------------------------


def _overlay(context: Context, names: Iterable[str], injection: InjectionConfig) -> tuple[Pod, dict[str, Any]]:
    """What all templates together say, and which of the pod's own containers they speak of, by name."""
    overlay: Pod = {}
    for name in names:
        try:
            overlay = merged(overlay, _beside(overlay, _rendered(name, context, injection)))
        except BadPatch as problem:
            raise Refused([error("", f"template {name}: {problem}")]) from None
        except TemplateError as problem:
            raise Refused([error("", str(problem))]) from None
    spec = overlay.get("spec") or {}
    spoken_of = {each["name"] for group in _LISTS[:2] for each in spec.get(group) or ()}
    pod_spec = context.pod.get("spec") or {}
    own = {
        each["name"]: each
        for group in _LISTS[:2]
        for each in pod_spec.get(group) or ()
        if each.get("name") in spoken_of
    }
    return overlay, own


def _beside(overlay: Pod, further: Pod) -> Pod:
    """A further template that speaks of the proxy means the one that is there, whichever kind of container it is."""
    spec = overlay.get("spec") or {}
    for here, there in (_LISTS[:2], _LISTS[1::-1]):
        own = further.get("spec") or {}
        if _has(spec.get(here), PROXY) and _has(own.get(there), PROXY):
            moved = [each for each in own[there] if each["name"] == PROXY]
            rest = [each for each in own[there] if each["name"] != PROXY]
            further = {**further, "spec": {**own, there: rest, here: [*(own.get(here) or ()), *moved]}}
    return further


def _rendered(name: str, context: Context, injection: InjectionConfig) -> Pod:
    template = injection.templates.get(name)
    if template is None:
        return BUILT_IN[name](context)
    text = template.render(template_data(context), template_functions(context.values.pilot.env))
    found = load_object(text)
    if isinstance(found, Fault):
        raise TemplateError(f"template {name}: what it gives is wrong: {found.message}")
    unknown = set(found) - {"apiVersion", "kind", "metadata", "spec"}
    if unknown:
        raise TemplateError(f"template {name}: {', '.join(sorted(unknown))} is no part of a pod's metadata or spec")
    given = {key: found[key] for key in ("metadata", "spec") if found.get(key) is not None}
    misshapen = misshapen_pod(given)
    if misshapen:
        raise TemplateError(f"template {name}: {misshapen[0].path}: {misshapen[0].message}")
    return given


def _merged(pod: Mapping[str, Any], overlay: Pod, own: Mapping[str, Any]) -> Pod:
    """The pod with the templates over it, and the pod's own containers over those: users have the last word."""
    spec = dict(pod.get("spec") or {})
    injected = overlay.get("spec") or {}
    where = {each["name"]: group for group in _LISTS[:2] for each in injected.get(group) or ()}
    for group in _LISTS[:2]:
        moved = [each for name, each in own.items() if where[name] == group and not _has(spec.get(group), name)]
        kept = [each for each in spec.get(group) or () if where.get(each.get("name"), group) == group]
        if moved or kept or group in spec:
            spec[group] = [*kept, *moved]
    try:
        result = merged({**pod, "spec": spec}, overlay)
        for name, container in own.items():
            said = {key: value for key, value in container.items() if key != "image" or value != _AUTO}
            result = merged(result, {"spec": {where[name]: [said]}})
    except BadPatch as problem:
        raise Refused([error("", f"the templates and the pod do not go together: {problem}")]) from None
    return result


def _has(containers: Any, name: str) -> bool:
    return any(each.get("name") == name for each in containers or ())


def _overrides(overlay: Pod, own: Mapping[str, Any]) -> str:
    spec = overlay.get("spec") or {}
    found = {
        group: [own[each["name"]] for each in spec.get(group) or () if each["name"] in own] for group in _LISTS[:2]
    }
    return _json({group: listed for group, listed in found.items() if listed})


def _status(overlay: Pod, injection: InjectionConfig) -> str:
    """What was injected, so that it can be told from what was there."""
    spec = overlay.get("spec") or {}
    found: dict[str, Any] = {group: [each["name"] for each in spec.get(group) or ()] or None for group in _LISTS}
    return _json({**found, "revision": injection.values.revision or "default"})


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


# --- what templates cannot say ------------------------------------------------------------------------------------


def _finish(pod: Pod, context: Context, earlier: Earlier, facts: Facts) -> None:
    spec, metadata = pod["spec"], pod["metadata"]
    group = next((each for each in _LISTS[:2] if _has(spec.get(each), PROXY)), None)
    if context.network:
        metadata["labels"] = {**(metadata.get("labels") or {}), NETWORK: context.network}
    if group is not None:
        variables = {**facts.environment, **_redirections(pod, context, earlier)}
        spec[group] = [_with_variables(each, variables) if each.get("name") == PROXY else each for each in spec[group]]
    spec["containers"] = ordered_containers(spec.get("containers") or [], holds_application(context))
    if spec.get("initContainers"):
        spec["initContainers"] = ordered_init_containers(spec["initContainers"], context.settings.before_proxy)
    else:
        spec.pop("initContainers", None)


def _with_variables(container: Mapping[str, Any], variables: Mapping[str, str]) -> Mapping[str, Any]:
    added = [{"name": name, "value": text} for name, text in sorted(variables.items())]
    return {**container, "env": overridden(list(container.get("env") or ()), added)} if added else container


def _redirections(pod: Pod, context: Context, earlier: Earlier) -> dict[str, str]:
    """Redirects scraping and probes to the agent; gives what the agent has to know."""
    variables: dict[str, str] = {}
    metadata, spec, settings = pod["metadata"], pod["spec"], context.settings
    port = settings.status_port or context.proxy.status_port
    merging = settings.merge_metrics if settings.merge_metrics is not None else context.mesh.enable_prometheus_merge
    scraping = prometheus.merged_scraping(metadata["annotations"], merging is not False, port)
    if scraping is not None:
        metadata["annotations"] = dict(scraping.annotations)
    told = scraping.variable if scraping is not None else earlier.carried.get(prometheus.VARIABLE, "")
    if told:
        variables[prometheus.VARIABLE] = told
    asked = metadata["annotations"].get("sidecar.istio.io/rewriteAppHTTPProbers")
    is_captured = any(_has(spec.get("initContainers"), name) for name in (INIT, VALIDATION))
    if is_captured and settings.rewrite_probes and parse_bool(asked or "true"):
        captured = _captured(context)
        skipped = {PROXY, *settings.before_proxy} if context.native else {PROXY}
        probers: dict[str, Any] = {}
        for group in _LISTS[:2]:
            if group in spec:
                spec[group], found = probes.rewritten(spec[group], skipped, port, captured)
                probers |= found
        text = probes.joined(earlier.carried.get(probes.VARIABLE, ""), probers)
        if text:
            variables[probes.VARIABLE] = text
    return variables


def _captured(context: Context) -> probes.Captured:
    settings = context.settings
    if settings.interception is InboundInterceptionMode.NONE:
        return lambda port: False
    return probes.captured_ports(settings.include_inbound_ports, excluded_inbound_ports(context))
