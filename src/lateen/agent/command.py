"""`pilot-agent proxy`: reads the command line, the environment and what Kubernetes has mounted, writes the bootstrap,
and becomes the keeper. What is imported up to here is gone then: the keeper is another program in the same process."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import stat
import sys
from collections.abc import Mapping

from lateen import __version__
from lateen.agent.addresses import pod_addresses
from lateen.agent.arguments import Arguments, parse
from lateen.agent.bootstrap import BootstrapSettings, Network, bootstrap, runtime_flags
from lateen.agent.environment import (
    certificate_settings,
    drain_settings,
    proxyless,
    refuse,
    refuse_proxyless,
    server_name,
    without_effect,
)
from lateen.agent.envoy_command import EnvoyOptions, command_line
from lateen.agent.grpc_bootstrap import grpc_bootstrap
from lateen.agent.host_port import split
from lateen.agent.log import Log
from lateen.agent.node import Pod, labels_of, metadata, node, parse_downward
from lateen.agent.peer_variables import peer_variables
from lateen.agent.proxy_config import ProxyConfig, of_envoy
from lateen.agent.proxy_config import parse as parse_proxy_config
from lateen.agent.replaced_file import replace
from lateen.agent.settings import AgentSettings, CertificateSettings, LogSettings
from lateen.agent.statistics import stats_settings
from lateen.agent.variables import flag, number
from lateen.envoy_binary import envoy_path

__all__ = ["main", "prepare"]

_POD_INFO = "etc/istio/pod"
_MOUNTED = "var/run/secrets/workload-spiffe-credentials"
_FILE_MOUNTED = "etc/certs"
_MOUNTED_FILES = ("cert-chain.pem", "key.pem", "root-cert.pem")
_SOCKET = "var/run/secrets/workload-spiffe-uds/socket"
_DEFAULT_BINARY = "/usr/local/bin/envoy"
_SIDECAR_THREADS = 2
"""Where no CPU limit is known."""
_PR_SET_CHILD_SUBREAPER = 36
_KEEPER = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from lateen.agent.keeper import main; main(int(sys.argv[2]), bool(sys.argv[3:]))"
)


def main(arguments: list[str]) -> int:
    """Returns only when it cannot go on: the exit status."""
    # The first process of a container loses signals that it neither handles nor blocks. The keeper takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    parsed = parse(arguments)
    log = Log(LogSettings(parsed.level, parsed.as_json))
    try:
        addresses = pod_addresses(os.environ.get("INSTANCE_IP", ""))
        settings, environment = prepare(parsed, dict(os.environ), addresses, os.getcwd(), log)
    except (ValueError, OSError) as problem:
        log.error(str(problem))
        return 1
    _become_the_keeper(settings, environment)
    return 1


def prepare(
    arguments: Arguments, environment: Mapping[str, str], addresses: tuple[str, ...], root: str, log: Log
) -> tuple[AgentSettings, dict[str, str]]:
    """Writes the bootstrap; gives what the agent is to know, and its environment.

    `addresses` are the pod's, its own first. Relative paths start from `root`.

    Raises ValueError for settings that make no sense or are not supported, OSError when files cannot be written.
    """
    config, given, warnings = parse_proxy_config(environment.get("PROXY_CONFIG", ""))
    environment = {**config.proxy_metadata, **environment}
    for warning in (*warnings, *without_effect(environment)):
        log.warn(warning)
    refuse(environment)
    alone = proxyless(environment)
    if alone and (idle := of_envoy(given)):
        log.warn(f"there is no Envoy (DISABLE_ENVOY), so these have no effect: {', '.join(idle)}")
    if _is_socket(os.path.join(root, _SOCKET)):
        raise ValueError(f"{_SOCKET} is there: identities by an SDS socket are not supported yet by this version")
    pod = _pod(arguments, environment, addresses, root)
    config = _annotated(config, arguments, pod.annotations)
    directory = os.path.normpath(os.path.join(root, config.config_path))
    os.makedirs(directory, mode=0o755, exist_ok=True)
    os.makedirs(os.path.join(directory, "sds"), mode=0o700, exist_ok=True)
    certificates = certificate_settings(environment, config, directory, root, _mounted(environment, root))
    network = Network.of(pod.addresses, dual_stack=flag(environment, "ISTIO_DUAL_STACK", False))
    drain = drain_settings(environment, config, arguments.role)
    health = number(environment, "ENVOY_STATUS_PORT", 15021, least=1, most=65_535)
    settings = AgentSettings(
        role=arguments.role,
        node_id=pod.id,
        admin=(network.loopback, config.proxy_admin_port),
        status_port=config.status_port,
        listen="::" if network.other_wildcard else network.wildcard,
        dual_stack=bool(network.other_wildcard),
        addresses=pod.addresses,
        envoy=() if alone else _envoy(arguments, config, environment, network, directory),
        compress_metrics=config.stats_compression,
        directory=directory,
        certificates=certificates,
        drain=drain,
        log=LogSettings(arguments.level, arguments.as_json),
        health_port=health if alone else 0,
    )
    if alone:
        # The application reads it, whoever its user is.
        path = os.path.join(root, environment.get("GRPC_XDS_BOOTSTRAP") or f"{directory}/grpc-bootstrap.json")
        described = _grpc_bootstrap(settings, config, given, pod, environment, health)
        replace(path, json.dumps(described, indent=1), 0o644)
    else:
        described = _bootstrap(arguments, settings, config, given, pod, network, environment, health)
        replace(_bootstrap_file(directory), json.dumps(described, indent=1))
    workload, cluster_id = environment.get("ISTIO_META_WORKLOAD_NAME", ""), certificates.cluster
    own = peer_variables(workload, environment["POD_NAMESPACE"], cluster_id, pod.labels)
    return settings, {**environment, **own}


def _pod(arguments: Arguments, environment: Mapping[str, str], addresses: tuple[str, ...], root: str) -> Pod:
    if not addresses:
        raise ValueError("INSTANCE_IP is not set, and no interface has an address")
    if not environment.get("POD_NAME") or not environment.get("POD_NAMESPACE"):
        raise ValueError("POD_NAME and POD_NAMESPACE have to be set: they are who this proxy is")
    return Pod(
        role=arguments.role,
        domain=arguments.domain or f"{environment['POD_NAMESPACE']}.svc.cluster.local",
        addresses=addresses,
        environment=environment,
        labels=labels_of(environment, _downward(root, "labels")),
        annotations=_downward(root, "annotations"),
    )


def _downward(root: str, name: str) -> dict[str, str]:
    """Nothing where nothing is mounted: on a virtual machine."""
    path = os.path.join(root, _POD_INFO, name)
    try:
        with open(path, encoding="utf-8") as file:
            return parse_downward(file.read())
    except FileNotFoundError:
        return {}


def _annotated(config: ProxyConfig, arguments: Arguments, annotations: Mapping[str, str]) -> ProxyConfig:
    """With what flags and annotations say instead."""
    if arguments.service_cluster and not config.service_cluster:
        config = config._replace(service_cluster=arguments.service_cluster)
    if address := annotations.get("sidecar.istio.io/discoveryAddress"):
        config = config._replace(discovery_address=address)
    if annotations.get("status.sidecar.istio.io/port"):
        port = number(annotations, "status.sidecar.istio.io/port", 0, least=0, most=65_535)
        config = config._replace(status_port=port or config.status_port)
    return config


def _mounted(environment: Mapping[str, str], root: str) -> str:
    """Where a certificate is mounted; empty when it has to be asked for."""
    if flag(environment, "FILE_MOUNTED_CERTS", False):
        return os.path.join(root, _FILE_MOUNTED)
    directory = os.path.join(root, _MOUNTED)
    return directory if all(os.path.exists(os.path.join(directory, name)) for name in _MOUNTED_FILES) else ""


def _envoy(
    arguments: Arguments, config: ProxyConfig, environment: Mapping[str, str], network: Network, directory: str
) -> tuple[str, ...]:
    binary = config.binary_path if config.binary_path not in ("", _DEFAULT_BINARY) else str(envoy_path())
    limit = number(environment, "ISTIO_CPU_LIMIT", 0, least=0, most=1024)
    threads = arguments.concurrency or limit or (_SIDECAR_THREADS if arguments.role == "sidecar" else 0)
    if config.concurrency is not None and not arguments.concurrency:
        threads = config.concurrency
    options = EnvoyOptions(
        bootstrap=_bootstrap_file(directory),
        override=_override(environment),
        level=arguments.envoy_level,
        component_levels=arguments.envoy_component_levels,
        concurrency=threads,
        drain=config.drain_duration,
        parent_shutdown=config.parent_shutdown_duration,
        ipv6=network.loopback == "::1",
        flush_interval=config.file_flush_interval,
        flush_size_kb=config.file_flush_min_size_kb,
        skip_deprecated=flag(environment, "ENVOY_SKIP_DEPRECATED_LOGS", True),
        as_json=arguments.as_json,
    )
    return (binary, *command_line(options))


def _bootstrap_file(directory: str) -> str:
    return os.path.join(directory, "envoy-rev.json")


def _override(environment: Mapping[str, str]) -> str:
    """What a user adds to the bootstrap (annotation sidecar.istio.io/bootstrapOverride), YAML or JSON."""
    path = environment.get("ISTIO_BOOTSTRAP_OVERRIDE", "")
    if not path:
        return ""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    host = environment.get("HOST_IP", "")
    if ":" in host:
        text = text.replace("[$(HOST_IP)]", f"[{host}]")
    return text.replace("$(HOST_IP)", f"[{host}]" if ":" in host else host)


def _bootstrap(
    arguments: Arguments,
    settings: AgentSettings,
    config: ProxyConfig,
    given: Mapping[str, object],
    pod: Pod,
    network: Network,
    environment: Mapping[str, str],
    health: int,
) -> dict[str, object]:
    _, name = _control_plane(config, environment)
    prometheus = number(environment, "ENVOY_PROMETHEUS_PORT", 15090, least=1, most=65_535)
    files = _files(settings.certificates)
    described = metadata(
        pod,
        config,
        given,
        version=__version__,
        certificates=files or "none",
        control_plane_name=name,
        status_port=health,
        prometheus_port=prometheus,
        on_zero_connections=settings.drain.on_zero_connections,
    )
    return bootstrap(
        BootstrapSettings(
            node=node(pod, config, described),
            network=network,
            admin_port=config.proxy_admin_port,
            status_port=config.status_port,
            health_port=health,
            prometheus_port=prometheus,
            control_plane=config.discovery_address,
            control_plane_name=name if files else "",
            certificate_file=files.get("workload", ""),
            roots_file=files.get("roots", ""),
            runtime=runtime_flags(config.runtime_values),
            stats=stats_settings(
                config, pod.annotations, pod.addresses, count_connections=settings.drain.on_zero_connections
            ),
            statsd=config.statsd_udp_address,
            outlier_log=arguments.outlier_log,
        )
    )


def _grpc_bootstrap(
    settings: AgentSettings,
    config: ProxyConfig,
    given: Mapping[str, object],
    pod: Pod,
    environment: Mapping[str, str],
    health: int,
) -> dict[str, object]:
    host, name = _control_plane(config, environment)
    certified = settings.certificates.source != "none"
    refuse_proxyless(environment, pod.role, host, name, certified)
    described = metadata(
        pod,
        config,
        given,
        version=__version__,
        certificates={} if certified else "none",
        control_plane_name=name,
        status_port=health,
        prometheus_port=0,
        on_zero_connections=False,
    )
    described |= {"GENERATOR": "grpc"}
    return grpc_bootstrap(
        node(pod, config, described), config.discovery_address, settings.certificates.output if certified else ""
    )


def _control_plane(config: ProxyConfig, environment: Mapping[str, str]) -> tuple[str, str]:
    """Its host, and what its certificate has to be of."""
    host, _ = split(config.discovery_address)
    return host, environment.get("ISTIOD_SAN") or server_name(host)


def _files(certificates: CertificateSettings) -> dict[str, str]:
    if certificates.source == "none":
        return {}
    directory = certificates.directory
    return {"workload": f"{directory}/default.yaml", "roots": f"{directory}/rootca.yaml"}


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _become_the_keeper(settings: AgentSettings, environment: Mapping[str, str]) -> None:
    descriptor = os.memfd_create("settings")
    os.write(descriptor, settings.to_json().encode())
    os.set_inheritable(descriptor, True)
    if os.getpid() != 1:
        # As the first process of a container has it: what an agent leaves behind is the keeper's child.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    # One arena: the keeper and its agents have one thread each.
    environment = {"MALLOC_ARENA_MAX": "1", **environment}
    # -S: none of what is installed is needed, and looking for it takes memory.
    sys.stdout.flush()
    form = ["--log_as_json"] if settings.log.as_json else []
    os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", _KEEPER, source, str(descriptor), *form], environment)
