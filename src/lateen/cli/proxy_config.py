"""`lateen proxy-config`: how Envoy is configured, as Envoy itself says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
import yaml

from lateen.cli.inspection_options import ADMIN_PORT, Alias, Aliased, Place, located
from lateen.cli.proxy_log import log
from lateen.inspection import bootstrap as bootstraps
from lateen.inspection import clusters, endpoints, extensions, listeners, routes, secrets
from lateen.inspection.dump import BadDump, Dump, parse_dump
from lateen.inspection.everything import Filters
from lateen.inspection.everything import summary as summary_of_all
from lateen.inspection.pods import find_proxy
from lateen.inspection.port_forward import ask
from lateen.inspection.protojson import camel
from lateen.sources.kubernetes.client import Client

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_FORMS = click.Choice(["short", "json", "yaml"])
_BOOTSTRAP = "envoy.config.bootstrap.v3.Bootstrap"


@click.group("proxy-config", cls=Aliased, short_help="How Envoy is configured.")
def proxy_config() -> None:
    """How the Envoy of a pod is configured, as it says itself.

    The pod: NAME, NAME.NAMESPACE, or deployment/NAME, svc/NAME and the like for one of those. With --file, a dump that
    was saved: `kubectl exec POD -c istio-proxy -- pilot-agent request GET config_dump`.
    """


proxy_config.add_command(log)


class Source:
    """Where a configuration is to be had."""

    def __init__(self, pod: str | None, file: Path | None, place: Place, port: int) -> None:
        if (pod is None) == (file is None):
            raise click.UsageError("either a pod or --file is needed")
        self._pod = pod
        self._file = file
        self._place = place
        self._port = port

    def content(self, path: str) -> bytes:
        """What the admin interface answers at a path, or the file."""
        if self._file is not None:
            return sys.stdin.buffer.read() if str(self._file) == "-" else self._file.read_bytes()
        return self._place.run(lambda client, namespace: self._ask(client, namespace, path))

    async def _ask(self, client: Client, namespace: str, path: str) -> bytes:
        assert self._pod is not None
        return await ask(client, await find_proxy(client, self._pod, namespace), self._port, path)

    def dump(self, query: str = "") -> Dump:
        """Raises ClickException for what is none."""
        return self.parsed(parse_dump, f"/config_dump{query}")

    def parsed(self, parse: Callable[[bytes], T], path: str) -> T:
        """What `parse` makes of the content. Raises ClickException."""
        try:
            return parse(self.content(path))
        except BadDump as problem:
            raise click.ClickException(f"{self._file or self._pod}: {problem}") from problem
        except OSError as problem:
            raise click.ClickException(str(problem)) from problem


def _about_pod(default: str = "short") -> Callable[[F], F]:
    """POD, --file, --output, and where to look, as `source` and `output`."""

    def decorated(command: F) -> F:
        def gathered(pod: str | None, file: Path | None, place: Place, proxy_admin_port: int, **others: Any) -> Any:
            return command(source=Source(pod, file, place, proxy_admin_port), **others)

        gathered.__name__, gathered.__doc__ = command.__name__, command.__doc__
        gathered.__dict__.update(command.__dict__)
        found: Any = gathered
        for option in (
            located,
            click.option("--proxy-admin-port", default=ADMIN_PORT, show_default=True, help="Of Envoy."),
            click.option("-o", "--output", type=_FORMS, default=default, show_default=True, help="What to print."),
            click.option(
                "-f",
                "--file",
                type=click.Path(allow_dash=True, path_type=Path),
                help="A saved dump; - is standard input.",
            ),
            click.argument("pod", required=False, metavar="[TYPE/]NAME[.NAMESPACE]"),
        ):
            found = option(found)
        typed: F = found
        return typed

    return decorated


_fqdn = click.option("--fqdn", default="", help="Only of services with this in their names.")
_direction = click.option("--direction", default="", help="Only `inbound` or `outbound`.")
_subset = click.option("--subset", default="", help="Only with this in the subset's name.")
_port = click.option("--port", default=0, help="Only of this port.")
_address = click.option("--address", default="", help="Only with this address.")
_type = click.option("--type", "type_", default="", help="Only HTTP, TCP, HTTP+TCP or UNKNOWN.")
_name = click.option("--name", default="", help="Only with this name.")
_verbose = click.option(
    "--verbose",
    is_flag=False,
    flag_value="true",
    type=click.BOOL,
    default=True,
    metavar="[BOOL]",
    help="--verbose=false: one line for each.  [default: true]",
)


@proxy_config.command("all", cls=Alias, aliases=("a",), short_help="Everything.")
@_about_pod()
@_fqdn
@_direction
@_subset
@_port
@_address
@_type
@_name
@_verbose
def all_(
    source: Source, output: str, fqdn: str, direction: str, subset: str, port: int, address: str, type_: str, name: str,
    verbose: bool,
) -> None:  # fmt: skip
    """Everything: bootstrap, clusters, listeners, routes, secrets, endpoints."""
    dump = source.dump("?include_eds")
    if output != "short":
        _print([camel(each, _message_of(each)) for each in dump.sections()], output, "configs")
        return
    filters = Filters(
        clusters.ClusterFilter(fqdn, port, subset, direction),
        listeners.ListenerFilter(address, port, type_),
        name,
        endpoints.EndpointFilter(address, port),
    )
    click.echo(summary_of_all(dump, filters, datetime.now(UTC), verbose=verbose), nl=False)


@proxy_config.command(cls=Alias, aliases=("b",), short_help="What Envoy was started with.")
@_about_pod(default="json")
def bootstrap(source: Source, output: str) -> None:
    """What Envoy was started with; `-o short`: versions."""
    found = source.dump("?mask=bootstrap").bootstrap
    if output == "short":
        click.echo(bootstraps.summary(found), nl=False)
    else:
        _print(camel(found, _BOOTSTRAP), output, "bootstrap")


@proxy_config.command(cls=Alias, aliases=("clusters", "c"), short_help="Where Envoy may send traffic.")
@_about_pod()
@_fqdn
@_direction
@_subset
@_port
def cluster(source: Source, output: str, fqdn: str, direction: str, subset: str, port: int) -> None:
    """Clusters: where Envoy may send traffic."""
    dump = source.dump("?mask=dynamic_active_clusters,static_clusters")
    found = clusters.clusters(dump, clusters.ClusterFilter(fqdn, port, subset, direction))
    _show(found, clusters.MESSAGE, clusters.summary, output)


@proxy_config.command(cls=Alias, aliases=("endpoints", "ep"), short_help="Addresses behind clusters, and their health.")
@_about_pod()
@_address
@_port
@click.option("--cluster", default="", help="Only of this cluster.")
@click.option("--status", default="", help="Only healthy, unhealthy, degraded, draining, timeout or unknown.")
def endpoint(source: Source, output: str, address: str, port: int, cluster: str, status: str) -> None:
    """Endpoints: the addresses behind clusters, and what Envoy thinks of their health.

    --file: of `clusters?format=json` instead of `config_dump`.
    """
    wanted = endpoints.EndpointFilter(address, port, cluster, status)
    found = source.parsed(endpoints.parse_clusters, "/clusters?format=json")
    if output == "short":
        click.echo(endpoints.summary(found, wanted), nl=False)
    else:
        _print([camel(each, endpoints.MESSAGE) for each in endpoints.clusters_with(found, wanted)], output)


@proxy_config.command(cls=Alias, aliases=("listeners", "l"), short_help="Where Envoy takes traffic from.")
@_about_pod()
@_address
@_port
@_type
@_verbose
def listener(source: Source, output: str, address: str, port: int, type_: str, verbose: bool) -> None:
    """Listeners: where Envoy takes traffic from, and which way it goes."""
    dump = source.dump("?mask=dynamic_listeners,static_listeners")
    found = listeners.listeners(dump, listeners.ListenerFilter(address, port, type_))
    _show(found, listeners.MESSAGE, lambda each: listeners.summary(each, verbose=verbose), output)


@proxy_config.command(cls=Alias, aliases=("routes", "r"), short_help="Where requests go.")
@_about_pod()
@_name
@_verbose
def route(source: Source, output: str, name: str, verbose: bool) -> None:
    """Routes: which requests go where."""
    found = routes.routes(source.dump("?mask=dynamic_route_configs,static_route_configs"), name)
    _show(found, routes.MESSAGE, lambda each: routes.summary(each, verbose=verbose), output)


@proxy_config.command(cls=Alias, aliases=("secrets", "s"), short_help="Certificates.")
@_about_pod()
def secret(source: Source, output: str) -> None:
    """Certificates: whose, until when. Private keys are not shown."""
    dump = source.dump("?mask=dynamic_active_secrets,dynamic_warming_secrets")
    if output == "short":
        click.echo(secrets.summary(secrets.secrets(dump, datetime.now(UTC))), nl=False)
    else:
        _print(camel(dump.section("Secrets"), "envoy.admin.v3.SecretsConfigDump"), output)


@proxy_config.command(cls=Alias, aliases=("ec",), short_help="Extensions that are configured by themselves.")
@_about_pod()
def ecds(source: Source, output: str) -> None:
    """Extensions that are configured by themselves (ECDS)."""
    dump = source.dump()
    if output == "short":
        click.echo(extensions.summary(extensions.extensions(dump)), nl=False)
    else:
        _print(camel(dump.section("Ecds"), "envoy.admin.v3.EcdsConfigDump"), output)


def _show(found: list[dict[str, Any]], message: str, summary: Callable[[Any], str], output: str) -> None:
    if output == "short":
        click.echo(summary(found), nl=False)
    else:
        _print([camel(each, message) for each in found], output)


def _message_of(section: dict[str, Any]) -> str:
    return str(section.get("@type", "")).rpartition("/")[2]


def _print(data: Any, output: str, key: str = "") -> None:
    """With `key`, as a field of that name."""
    shown = {key: data} if key else data
    if output == "json":
        # A dump may have many megabytes, for which this is some ten times as fast as the standard library.
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=4))
    else:
        click.echo(yaml.dump(shown, sort_keys=False, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)), nl=False)
