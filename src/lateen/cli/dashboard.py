"""`lateen dashboard`: a pod's web interface, at a port of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from lateen.cli.inspection_options import ADMIN_PORT, Alias, Aliased, Place, located
from lateen.inspection.control_planes import PORT, control_planes
from lateen.inspection.forwarding import forwarding
from lateen.inspection.pods import find_pods, find_proxy
from lateen.inspection.port_forward import Pod
from lateen.sources.kubernetes.client import Client

F = TypeVar("F", bound=Callable[..., Any])
Find = Callable[[Client, str], Awaitable[Pod]]


@click.group(cls=Aliased, short_help="A pod's web interface, at a port of this machine.")
def dashboard() -> None:
    """Forward a port of this machine to a pod's web interface, until Ctrl-C."""


def _listening(command: F) -> F:
    for option in (
        click.option("-p", "--port", default=0, help="Of this machine.  [default: the pod's, or else a free one]"),
        click.option("--address", default="localhost", show_default=True, help="Of this machine."),
        click.option(
            "--browser/--no-browser", default=True, show_default=True, help="Open it, where there is a display."
        ),
    ):
        command = option(command)
    return command


_proxy_port = click.option("--proxy-admin-port", "admin", default=ADMIN_PORT, show_default=True, help="Of the proxy.")


@dashboard.command(short_help="Envoy's admin interface.")
@click.argument("pod", metavar="[TYPE/]NAME[.NAMESPACE]")
@located
@_listening
@_proxy_port
def envoy(pod: str, place: Place, port: int, address: str, browser: bool, admin: int) -> None:
    """Envoy's admin interface of a pod."""
    _serve(place, lambda client, namespace: find_proxy(client, pod, namespace), admin, "", port, address, browser)


@dashboard.command(short_help="A proxy's admin interface.")
@click.argument("pod", metavar="[TYPE/]NAME[.NAMESPACE]")
@located
@_listening
@_proxy_port
def proxy(pod: str, place: Place, port: int, address: str, browser: bool, admin: int) -> None:
    """The admin interface of any proxy, also of one that is the pod's only container."""

    async def find(client: Client, namespace: str) -> Pod:
        return (await find_pods(client, pod, namespace))[0]

    _serve(place, find, admin, "", port, address, browser)


@dashboard.command("istiod-debug", cls=Alias, aliases=("controlz",), short_help="The control plane's debug pages.")
@click.argument("pod", required=False, metavar="[[TYPE/]NAME[.NAMESPACE]]")
@located
@_listening
def istiod_debug(pod: str | None, place: Place, port: int, address: str, browser: bool) -> None:
    """The debug pages of the control plane: of POD, or of any instance."""

    async def find(client: Client, namespace: str) -> Pod:
        if pod is not None:
            return (await find_pods(client, pod, place.given_namespace or place.istio_namespace))[0]
        return (await control_planes(client, place.istio_namespace))[0]

    _serve(place, find, PORT, "/debug", port, address, browser)


def _serve(place: Place, find: Find, remote: int, path: str, port: int, address: str, browser: bool) -> None:
    async def run(client: Client, namespace: str) -> None:
        pod = await find(client, namespace)
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        # Without a wish the pod's own port is the one that people know.
        wishes = (port,) if port else (remote, 0)
        async with forwarding(client, pod, remote, address, wishes, _complain) as bound:
            host = f"[{address}]" if ":" in address else address
            url = f"http://{host}:{bound}{path}"
            click.echo(url)
            if browser:
                _open(url)
            await ended.wait()

    place.run(run)


def _complain(fault: str) -> None:
    click.echo(fault, err=True)


def _open(url: str) -> None:
    """With what the desktop has for that; without a display there is nobody to look."""
    program = shutil.which("xdg-open") or shutil.which("open")
    if program is not None and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        with contextlib.suppress(OSError):
            subprocess.Popen([program, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
