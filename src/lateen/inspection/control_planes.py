"""What the instances of the control plane say: each is asked, since each knows only the proxies connected to it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from lateen.inspection.pods import NoPod, idle_pods, select_pods
from lateen.inspection.port_forward import Pod, PodUnreachable, ask
from lateen.sources.kubernetes.client import Client

PORT: Final = 15014
_LABEL: Final = "app=istiod"


async def control_planes(client: Client, namespace: str, revision: str = "") -> list[Pod]:
    """Running instances. Raises NoPod when there are none."""
    selector = f"{_LABEL},istio.io/rev={revision}" if revision else _LABEL
    found = await select_pods(client, namespace, selector)
    if not found:
        of_revision = f" of revision {revision}" if revision else ""
        told = f"no control plane{of_revision} runs in namespace {namespace}"
        idle = await idle_pods(client, namespace, selector)
        if idle:
            raise NoPod(f"{told}: {', '.join(idle)}; `kubectl describe pods -n {namespace} -l {selector}` says why")
        raise NoPod(f"{told}: `lateen install` puts one there; -i names another namespace")
    return found


async def ask_all(client: Client, instances: list[Pod], page: str) -> dict[Pod, Any]:
    """A page of /debug of each, as JSON data. Raises PodUnreachable."""
    answers = await asyncio.gather(*(ask(client, each, PORT, f"/debug/{page}") for each in instances))
    return {each: _json(each, page, answer) for each, answer in zip(instances, answers, strict=True)}


async def ask_first(client: Client, instances: list[Pod], page: str) -> tuple[Pod, bytes] | None:
    """The answer of the first that has one; None when all say 404, as for a proxy that is not theirs."""
    for each in instances:
        try:
            return each, await ask(client, each, PORT, f"/debug/{page}")
        except PodUnreachable as error:
            if error.status != 404:
                raise
    return None


async def version_of(client: Client, instance: Pod) -> str:
    return (await ask(client, instance, PORT, "/version")).decode(errors="replace").strip()


def _json(pod: Pod, page: str, answer: bytes) -> Any:
    try:
        return msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PodUnreachable(f"{pod}: /debug/{page} is not JSON: {error}") from error
