"""`lateen istiod`: the control plane as a process."""

from __future__ import annotations

import asyncio
import dataclasses
import resource
import signal
from pathlib import Path
from typing import Any

import click
import uvloop

from lateen.istiod.configuration import Address, Certificates, Cluster, Configuration, ConfigurationError, parse_address
from lateen.istiod.control_plane import ControlPlane
from lateen.istiod.logs import LEVELS, set_up_logs
from lateen.settings import IstiodSettings, SettingError, read_istiod_settings
from lateen.sources.kubernetes.access import AccessError


class AddressType(click.ParamType[Address]):
    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        if isinstance(value, Address):
            return value
        try:
            return parse_address(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
ADDRESS = AddressType()


@click.command(short_help="The control plane.")
@click.option(
    "--config-dir",
    "directories",
    multiple=True,
    metavar="DIR|FILE",
    type=click.Path(exists=True, path_type=Path),
    help="Manifests to read, and to follow as they change. May be given several times.",
)
@click.option("--kubeconfig", type=_FILE, help="Read the cluster of this kubeconfig.")
@click.option("--context", default="", help="A context of the kubeconfig other than its current one.")
@click.option("--in-cluster", is_flag=True, help="Read the cluster that this Pod runs in.")
@click.option("--mesh-config", type=_FILE, metavar="FILE", help="MeshConfig, instead of the cluster's ConfigMap.")
@click.option("--mesh-networks", type=_FILE, metavar="FILE", help="MeshNetworks, instead of the cluster's ConfigMap.")
@click.option("--revision", help="REVISION: which istio.io/rev label is ours.  [default: default]")
@click.option("--cluster-id", help="CLUSTER_ID: the cluster's name in the mesh.  [default: Kubernetes]")
@click.option("--namespace", help="POD_NAMESPACE: the control plane's own.  [default: istio-system]")
@click.option("--domain", help="DOMAIN_SUFFIX: of Kubernetes service names.  [default: cluster.local]")
@click.option("--xds-address", type=ADDRESS, default=":15010", show_default=True, help="Plaintext xDS.")
@click.option("--no-plaintext-xds", is_flag=True, help="No plaintext xDS at all.")
@click.option(
    "--secure-xds-address",
    type=ADDRESS,
    default=":15012",
    show_default=True,
    help="xDS over TLS, with --tls-cert or where certificates are issued.",
)
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="Certificate chain of the TLS listener (PEM).")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="Its key (PEM).")
@click.option(
    "--tls-roots", type=_FILE, metavar="FILE", help="Proxies may prove who they are by a certificate of these roots."
)
@click.option(
    "--issue-certificates/--no-issue-certificates",
    "issues",
    default=None,
    help="Be the mesh's certificate authority, and answer its webhooks.  [default: with --in-cluster]",
)
@click.option(
    "--webhook-address", type=ADDRESS, default=":15017", show_default=True, help="Injection and validation, over TLS."
)
@click.option("--http-address", type=ADDRESS, default=":8080", show_default=True, help="/ready and /debug.")
@click.option("--monitoring-address", type=ADDRESS, default=":15014", show_default=True, help="/version and /debug.")
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Written once proxies are served: the addresses as JSON, with the ports that 0 stood for.",
)
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
@click.option("--log-as-json", is_flag=True, help="One JSON object per line.")
def istiod(
    directories: tuple[Path, ...],
    kubeconfig: Path | None,
    context: str,
    in_cluster: bool,
    mesh_config: Path | None,
    mesh_networks: Path | None,
    revision: str | None,
    cluster_id: str | None,
    namespace: str | None,
    domain: str | None,
    xds_address: Address,
    no_plaintext_xds: bool,
    secure_xds_address: Address,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_roots: Path | None,
    issues: bool | None,
    webhook_address: Address,
    http_address: Address,
    monitoring_address: Address,
    ready_file: Path | None,
    log_level: str,
    log_as_json: bool,
) -> None:
    """The control plane: reads the mesh from Kubernetes, from files or from both, and configures its Envoys.

    What the same object says in files counts, where a cluster has it too. Settings that are not options here are read
    from the environment: PILOT_DEBOUNCE_AFTER, PILOT_DEBOUNCE_MAX, PILOT_ENABLE_STATUS, PILOT_STATUS_QPS,
    PILOT_SCOPE_GATEWAY_TO_NAMESPACE, LATEEN_SHUTDOWN_SECONDS, LATEEN_RUN_DIRECTORY; for certificates TOKEN_AUDIENCES,
    JWT_RULE, ISTIOD_CUSTOM_HOST, ROOT_CA_DIR, CITADEL_SELF_SIGNED_CA_CERT_TTL, DEFAULT_WORKLOAD_CERT_TTL,
    MAX_WORKLOAD_CERT_TTL, LATEEN_ROTATION_LAG.

    \b
    Examples:
      lateen istiod --config-dir mesh/                      # no cluster at all
      lateen istiod --kubeconfig ~/.kube/config             # from outside of a cluster
      lateen istiod --in-cluster --revision canary          # as a Pod
      lateen istiod --config-dir mesh/ --xds-address 127.0.0.1:0 --ready-file /run/istiod.json
    """
    if in_cluster and kubeconfig is not None:
        raise click.UsageError("--in-cluster and --kubeconfig exclude each other")
    if not (directories or in_cluster or kubeconfig is not None):
        raise click.UsageError("nothing to read: give --config-dir, --kubeconfig or --in-cluster")
    if (tls_cert is None) != (tls_key is None) or (tls_roots is not None and tls_cert is None):
        raise click.UsageError("--tls-cert and --tls-key go together, and --tls-roots with both")
    if issues and not (in_cluster or kubeconfig is not None):
        raise click.UsageError("--issue-certificates needs a cluster: --in-cluster or --kubeconfig")
    settings = istiod_settings(revision=revision, cluster_id=cluster_id, namespace=namespace, domain=domain)
    configuration = Configuration(
        settings=settings,
        directories=directories,
        cluster=Cluster(kubeconfig, context) if in_cluster or kubeconfig is not None else None,
        mesh_config=mesh_config,
        mesh_networks=mesh_networks,
        xds=None if no_plaintext_xds else xds_address,
        secure_xds=secure_xds_address,
        certificates=Certificates(tls_cert, tls_key, tls_roots) if tls_cert and tls_key else None,
        issues=in_cluster if issues is None else issues,
        webhooks=webhook_address,
        http=http_address,
        monitoring=monitoring_address,
        ready_file=ready_file,
        json_logs=log_as_json,
    )
    set_up_logs(log_level, as_json=log_as_json)
    serve(configuration)


def istiod_settings(**given: Any) -> IstiodSettings:
    """Those of the environment, and what options say over it; None is nothing said. Raises ClickException."""
    try:
        return dataclasses.replace(
            read_istiod_settings(), **{name: value for name, value in given.items() if value is not None}
        )
    except SettingError as error:
        raise click.ClickException(str(error)) from error


def serve(configuration: Configuration) -> None:
    """Until SIGTERM or SIGINT. Raises ClickException when it cannot."""
    # Proxies are connections: as many files as we may have, and the front after us.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        uvloop.run(_serve(configuration))
    except (AccessError, ConfigurationError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except ExceptionGroup as errors:
        told, others = errors.split(OSError)
        if others is not None or told is None:
            raise
        raise click.ClickException("; ".join(str(error) for error in told.exceptions)) from errors


async def _serve(configuration: Configuration) -> None:
    control_plane = ControlPlane(configuration)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, control_plane.stop)
    await control_plane.run()
