"""The container `istio-proxy`: the agent and its Envoy."""

from __future__ import annotations

from enum import Enum
from typing import Any

from lateen.api.mesh.proxy_config import InboundInterceptionMode
from lateen.injection.context import Context
from lateen.injection.environment import agent_environment
from lateen.injection.images import proxy_image
from lateen.injection.names import HEALTH_PORT, PROMETHEUS_PORT, PROXY
from lateen.injection.volumes import proxy_mounts


class Role(Enum):
    """What a proxy is, as the agent's command line names it."""

    SIDECAR = "sidecar"
    ROUTER = "router"
    """A gateway."""
    WAYPOINT = "waypoint"


def proxy_container(context: Context, role: Role) -> dict[str, Any]:
    """As Kubernetes takes it."""
    container: dict[str, Any] = {
        "name": PROXY,
        "image": proxy_image(context.values.global_, context.settings),
        "ports": [{"containerPort": PROMETHEUS_PORT, "name": "http-envoy-prom", "protocol": "TCP"}],
        "args": _arguments(context, role),
        "env": agent_environment(context),
        "securityContext": _security(context, role),
        "volumeMounts": proxy_mounts(context),
        **pull_policy(context),
    }
    if context.settings.resources:
        container["resources"] = dict(context.settings.resources)
    lifecycle = _lifecycle(context, role)
    if lifecycle:
        container["lifecycle"] = lifecycle
    container.update(_probes(context, role))
    if context.native and role is Role.SIDECAR:
        container["restartPolicy"] = "Always"
    return container


def pull_policy(context: Context) -> dict[str, Any]:
    policy = context.values.global_.image_pull_policy
    return {"imagePullPolicy": policy} if policy else {}


def seccomp(profile: Any) -> dict[str, Any]:
    return {"seccompProfile": dict(profile)} if profile else {}


def _arguments(context: Context, role: Role) -> list[str]:
    values, settings = context.values.global_, context.settings
    arguments = [
        "proxy",
        role.value,
        "--domain",
        f"$(POD_NAMESPACE).svc.{values.proxy.cluster_domain}",
        f"--proxyLogLevel={settings.log_level}",
        f"--proxyComponentLogLevel={settings.component_log_level}",
        f"--log_output_level={settings.agent_log_level}",
    ]
    if context.proxy.concurrency is not None:
        arguments += ["--concurrency", str(context.proxy.concurrency)]
    if values.log_as_json:
        arguments.append("--log_as_json")
    if values.proxy.outlier_log_path:
        arguments.append(f"--outlierLogPath={values.proxy.outlier_log_path}")
    return arguments


def _probes(context: Context, role: Role) -> dict[str, Any]:
    settings = context.settings
    if not settings.status_port:
        return {}
    ready = {"httpGet": {"path": "/healthz/ready", "port": HEALTH_PORT}, "timeoutSeconds": 3}
    readiness = {
        **ready,
        "initialDelaySeconds": settings.readiness.initial_delay,
        "periodSeconds": settings.readiness.period,
        "failureThreshold": settings.readiness.failure_threshold,
    }
    startup = context.values.global_.proxy.startup_probe
    if not startup.enabled or role is not Role.SIDECAR:
        return {"readinessProbe": readiness}
    # The application starts when this succeeds. A request once a second would see it half a second late on average, so
    # each try waits for a second, looking often.
    url = f"http://localhost:{HEALTH_PORT}/healthz/ready"
    wait = ["pilot-agent", "wait", "--url", url, "--timeoutSeconds", "1", "--periodMillis", "50"]
    return {
        "readinessProbe": readiness,
        "startupProbe": {
            "exec": {"command": wait},
            "initialDelaySeconds": 0,
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": startup.failure_threshold,
        },
    }


def _lifecycle(context: Context, role: Role) -> dict[str, Any]:
    given = context.values.global_.proxy
    if given.lifecycle:
        return dict(given.lifecycle)
    if role is not Role.SIDECAR:
        return {}
    if context.native:
        # The application still runs: connections are drained at once, and the signal comes when it has ended.
        port = context.settings.status_port or context.proxy.status_port
        return _exec("preStop", "pilot-agent", "request", f"--debug-port={port}", "POST", "drain")
    if holds_application(context):
        return _exec("postStart", "pilot-agent", "wait")
    return {}


def _exec(moment: str, *command: str) -> dict[str, Any]:
    return {moment: {"exec": {"command": list(command)}}}


def holds_application(context: Context) -> bool:
    """Whether a classic sidecar keeps the application's containers waiting. A native one always does."""
    if context.native:
        return False
    return bool(
        context.proxy.hold_application_until_proxy_starts
        or context.values.global_.proxy.hold_application_until_proxy_starts
    )


def _security(context: Context, role: Role) -> dict[str, Any]:
    given, settings = context.values.global_.proxy, context.settings
    sidecar = role is Role.SIDECAR
    tproxy = sidecar and settings.interception is InboundInterceptionMode.TPROXY
    low_ports = sidecar and settings.bind_low_ports
    added = [name for name, wanted in (("NET_ADMIN", tproxy), ("NET_BIND_SERVICE", low_ports)) if wanted]
    as_root = bool(added)
    profile = given.seccomp_profile if sidecar else context.values.gateways.seccomp_profile or given.seccomp_profile
    return {
        "allowPrivilegeEscalation": given.privileged,
        "capabilities": {**({"add": added} if added else {}), "drop": ["ALL"]},
        "privileged": given.privileged,
        "readOnlyRootFilesystem": not settings.core_dump,
        "runAsGroup": context.group,
        "runAsNonRoot": not as_root,
        "runAsUser": 0 if as_root else context.user,
        **seccomp(profile),
    }
