"""`pilot-discovery`: the control plane under Istio's name and with its flags, as its Deployments start it."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

import click

from lateen import __version__
from lateen.cli.duration import Duration
from lateen.cli.istiod import ADDRESS, istiod_settings, serve
from lateen.istiod.configuration import Address, Certificates, Cluster, Configuration
from lateen.istiod.logs import set_up_logs
from lateen.settings import unknown_istiod_variables

_log = logging.getLogger(__name__)

_LEVELS: Final = {"none": "error", "error": "error", "warn": "warn", "info": "info", "debug": "debug"}
_LONGEST_AGE: Final = 10 * 365 * 86400.0
"""Seconds; Istio's default for connections is the longest duration that there is: never."""


class _OptionalAddress(click.ParamType["Address | None"]):
    """An address, or nothing for none."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address | None:
        return ADDRESS.convert(value, param, ctx) if value else None


class _Level(click.ParamType[str]):
    """Istio's `SCOPE:LEVEL,...`: the level of the scope `default`, which is that of all here."""

    name = "SCOPE:LEVEL,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = "info"
        for part in str(value).split(","):
            scope, colon, level = part.strip().rpartition(":")
            if level not in _LEVELS:
                self.fail(f"level {level!r} is not one of {', '.join(_LEVELS)}", param, ctx)
            if colon and scope not in ("default", "all"):
                self.fail(f"{part.strip()!r}: levels of single scopes are not supported by this version", param, ctx)
            found = _LEVELS[level]
        return found


_REFUSED: Final = {
    "--caCertFile": "client certificates are verified against the mesh's own roots",
    "--tls-cipher-suites": "the cipher suites are Envoy's own",
    "--clusterAliases": "names of clusters have no aliases in this version",
    "--clusterRegistriesNamespace": "one cluster is read by this version",
    "--plugins": "there are no plugins",
    "--ctrlz_address": "there is no ControlZ",
    "--log_target": "log lines go to standard error",
    "--log_rotate": "log lines go to standard error",
}
"""Flags of Istio's that ask for what is not there, and why."""


def _refuse(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        flag = param.opts[0]
        raise click.UsageError(f"{flag} is not supported by this version: {_REFUSED[flag]}", ctx)


def _refused(command: Any) -> Any:
    for flag in _REFUSED:
        name = flag.removeprefix("--").replace("-", "_").lower()
        command = click.option(flag, name, hidden=True, expose_value=False, callback=_refuse)(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """The control plane, by the name and with the flags that Istio's Deployments start it with."""


@main.command(short_help="The control plane, in a Pod.")
@click.option("--httpAddr", "http", type=ADDRESS, default=":8080", show_default=True, help="/ready and /debug.")
@click.option("--httpsAddr", "https", type=ADDRESS, default=":15017", show_default=True, help="Webhooks.")
@click.option(
    "--grpcAddr",
    "grpc",
    type=_OptionalAddress(),
    default=":15010",
    show_default=True,
    help="Plaintext xDS; empty: none.",
)
@click.option(
    "--secureGRPCAddr",
    "secure_grpc",
    type=ADDRESS,
    default=":15012",
    show_default=True,
    help="xDS and certificates, over TLS.",
)
@click.option(
    "--monitoringAddr",
    "monitoring",
    type=ADDRESS,
    default=":15014",
    show_default=True,
    help="/metrics, /version, /debug.",
)
@click.option("--domain", help="DNS suffix of Kubernetes services; DOMAIN_SUFFIX.  [default: cluster.local]")
@click.option("--clusterID", "cluster_id", help="The cluster's name in the mesh; CLUSTER_ID.  [default: Kubernetes]")
@click.option("-n", "--namespace", help="The control plane's own; POD_NAMESPACE.  [default: istio-system]")
@click.option(
    "--kubeconfig", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Instead of the Pod's own."
)
@click.option(
    "--configDir", "directory", type=click.Path(exists=True, path_type=Path), help="Manifests to read besides."
)
@click.option("--meshConfig", "mesh_config", type=click.Path(path_type=Path), help="MeshConfig, where the file exists.")
@click.option(
    "--networksConfig", "networks", type=click.Path(path_type=Path), help="MeshNetworks, where the file exists."
)
@click.option("--tlsCertFile", "tls_cert", type=click.Path(path_type=Path), help="Serve with this certificate...")
@click.option("--tlsKeyFile", "tls_key", type=click.Path(path_type=Path), help="...and its key.")
@click.option("--shutdownDuration", "shutdown", type=Duration(), help="Until streams are ended after SIGTERM.")
@click.option(
    "--keepaliveMaxServerConnectionAge",
    "age",
    type=Duration(),
    help="Streams of proxies are ended after about so long, so that replicas share them.  [default: never]",
)
@click.option(
    "--keepaliveInterval",
    type=Duration(),
    expose_value=False,
    hidden=True,
    callback=lambda c, p, v: _fixed(p, v, 30.0),
)
@click.option(
    "--keepaliveTimeout", type=Duration(), expose_value=False, hidden=True, callback=lambda c, p, v: _fixed(p, v, 10.0)
)
@click.option(
    "--registries", default="Kubernetes", type=click.Choice(["Kubernetes"]), expose_value=False, help="Kubernetes."
)
@click.option("--log_output_level", "level", type=_Level(), default="default:info", show_default=True)
@click.option("--log_as_json", "as_json", is_flag=True, help="One JSON object per line.")
@_refused
def discovery(
    http: Address,
    https: Address,
    grpc: Address | None,
    secure_grpc: Address,
    monitoring: Address,
    domain: str | None,
    cluster_id: str | None,
    namespace: str | None,
    kubeconfig: Path | None,
    directory: Path | None,
    mesh_config: Path | None,
    networks: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    shutdown: float | None,
    age: float | None,
    level: str,
    as_json: bool,
) -> None:
    """The control plane in a Pod: reads the mesh from its cluster, configures its Envoys, issues certificates,
    injects and validates. Further settings are read from the environment: `lateen istiod --help`."""
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tlsCertFile and --tlsKeyFile go together")
    settings = istiod_settings(domain=domain, cluster_id=cluster_id, namespace=namespace, shutdown=shutdown)
    set_up_logs(level, as_json=as_json)
    for name in unknown_istiod_variables():
        _log.warning("the variable %s is not supported by this version and has no effect", name)
    serve(
        Configuration(
            settings=settings,
            directories=(directory,) if directory is not None else (),
            cluster=Cluster(kubeconfig),
            # As with Istio, whose flag has a default: a file that is not there is none.
            mesh_config=mesh_config if mesh_config is not None and mesh_config.exists() else None,
            mesh_networks=networks if networks is not None and networks.exists() else None,
            xds=grpc,
            secure_xds=secure_grpc,
            certificates=Certificates(tls_cert, tls_key, None) if tls_cert and tls_key else None,
            issues=True,
            webhooks=https,
            http=http,
            monitoring=monitoring,
            ready_file=None,
            stream_age=age if age is not None and 0 < age < _LONGEST_AGE else None,
            json_logs=as_json,
        )
    )


def _fixed(param: click.Parameter, value: float | None, ours: float) -> None:
    if value is not None and value != ours:
        raise click.UsageError(f"{param.opts[0]} is {ours:.0f}s in this version and cannot be set")


@main.command(short_help="Ask the control plane in this Pod.")
@click.argument("method", type=click.Choice(["GET"]))
@click.argument("path")
def request(method: str, path: str) -> None:
    """GET a path of the monitoring port on this machine: `pilot-discovery request GET /debug/syncz`."""
    url = f"http://127.0.0.1:15014/{path.removeprefix('/')}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
            click.echo(answer.read().decode(), nl=False)
    except urllib.error.HTTPError as error:
        raise click.ClickException(f"{error.code}: {error.read().decode(errors='replace').strip()}") from error
    except OSError as error:
        raise click.ClickException(f"{url}: {error}") from error


@main.command(short_help="The version.")
def version() -> None:
    """The version of this program."""
    click.echo(__version__)


if __name__ == "__main__":
    main()
