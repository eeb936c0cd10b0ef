"""The init containers: what captures the pod's traffic, and what allows core files."""

from __future__ import annotations

from typing import Any

from lateen.api.mesh.proxy_config import InboundInterceptionMode
from lateen.injection.context import Context
from lateen.injection.environment import proxy_metadata
from lateen.injection.images import init_image
from lateen.injection.names import CORE_DUMP, HEALTH_PORT, INIT, PROMETHEUS_PORT, PROXY_ID, VALIDATION
from lateen.injection.proxy_container import pull_policy, seccomp


def init_containers(context: Context) -> list[dict[str, Any]]:
    """In order. None where nothing is captured and no core files are wanted."""
    found = []
    if context.settings.interception is not InboundInterceptionMode.NONE:
        found.append(_capture(context))
    if context.settings.core_dump:
        found.append(_core_dump(context))
    return found


def excluded_inbound_ports(context: Context) -> str:
    """Ports that kubelets and Prometheus call directly, and the ones that the pod names."""
    ports = [str(PROMETHEUS_PORT), str(HEALTH_PORT)]
    if context.settings.status_port:
        ports.append(str(context.settings.status_port))
    ports += (word.strip() for word in context.settings.exclude_inbound_ports.split(","))
    return ",".join(dict.fromkeys(filter(None, ports)))


def _capture(context: Context) -> dict[str, Any]:
    cni = context.values.cni.enabled
    variables = proxy_metadata(context)
    resources = context.values.global_.proxy_init.resources or context.settings.resources
    return {
        "name": VALIDATION if cni else INIT,
        "image": init_image(context.values.global_, context.settings),
        "args": _arguments(context, cni),
        **({"env": variables} if variables else {}),
        **({"resources": dict(resources)} if resources else {}),
        "securityContext": _unprivileged(context) if cni else _capturing(context),
        **pull_policy(context),
    }


def _arguments(context: Context, cni: bool) -> list[str]:
    settings, values = context.settings, context.values.global_
    tproxy = settings.interception is InboundInterceptionMode.TPROXY
    arguments = [
        "istio-iptables",
        *("-p", str(context.mesh.proxy_listen_port)),
        *("-z", str(context.mesh.proxy_inbound_listen_port)),
        *("-u", str(PROXY_ID if tproxy else context.user)),
        *("-m", settings.interception.value),
        *("-i", settings.include_ip_ranges),
        *("-x", settings.exclude_ip_ranges),
        *("-b", settings.include_inbound_ports),
        *("-d", excluded_inbound_ports(context)),
    ]
    if context.group != context.user and not tproxy:
        arguments += ["-g", str(context.group)]
    for flag, text in (
        ("-q", settings.include_outbound_ports),
        ("-o", settings.exclude_outbound_ports),
        ("-k", settings.virtual_interfaces),
        ("-c", settings.exclude_interfaces),
    ):
        if text:
            arguments += [flag, text]
    arguments.append(f"--log_output_level={settings.agent_log_level}")
    if values.log_as_json:
        arguments.append("--log_as_json")
    if cni:
        arguments += ["--run-validation", "--skip-rule-apply"]
    elif values.proxy_init.force_apply_iptables:
        arguments.append("--force-apply")
    if values.native_nftables:
        arguments.append("--native-nftables")
    return arguments


def _capturing(context: Context) -> dict[str, Any]:
    """Root, with the two capabilities that rules need and no others."""
    given = context.values.global_.proxy
    return {
        "allowPrivilegeEscalation": given.privileged,
        "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
        "privileged": given.privileged,
        "readOnlyRootFilesystem": False,
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "runAsUser": 0,
        **seccomp(given.seccomp_profile),
    }


def _unprivileged(context: Context) -> dict[str, Any]:
    """With a CNI plugin the container only looks whether traffic is captured, as the proxy's user."""
    given = context.values.global_.proxy
    tproxy = context.settings.interception is InboundInterceptionMode.TPROXY
    return {
        "allowPrivilegeEscalation": given.privileged,
        "capabilities": {"drop": ["ALL"]},
        "privileged": given.privileged,
        "readOnlyRootFilesystem": True,
        "runAsGroup": PROXY_ID if tproxy else context.group,
        "runAsNonRoot": True,
        "runAsUser": PROXY_ID if tproxy else context.user,
        **seccomp(given.seccomp_profile),
    }


def _core_dump(context: Context) -> dict[str, Any]:
    pattern = "sysctl -w kernel.core_pattern=/var/lib/istio/data/core.proxy && ulimit -c unlimited"
    resources = context.settings.resources
    return {
        "name": CORE_DUMP,
        "image": init_image(context.values.global_, context.settings),
        "command": ["/bin/sh"],
        "args": ["-c", pattern],
        **({"resources": dict(resources)} if resources else {}),
        "securityContext": {
            "allowPrivilegeEscalation": True,
            "capabilities": {"add": ["SYS_ADMIN"], "drop": ["ALL"]},
            "privileged": True,
            "readOnlyRootFilesystem": False,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "runAsUser": 0,
        },
        **pull_policy(context),
    }
