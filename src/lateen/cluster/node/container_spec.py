"""From a pod's container to what its shim runs: program, user, mounts, limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lateen.cluster import quantity
from lateen.cluster.images.catalog import DEFAULT_PATH, Image
from lateen.cluster.node import root_layer
from lateen.cluster.node.cgroups import ContainerCgroup
from lateen.cluster.node.environment import ConfigError, Sources, container_environment, expand, service_environment
from lateen.cluster.node.pod_directory import PodDirectory
from lateen.cluster.node.security import Security, resolve_security
from lateen.cluster.node.volumes.pod_volumes import Volume
from lateen.cluster.objects import Obj, namespace_of
from lateen.cluster.quality_of_service import qos_class

_LOG_BYTES = 10 << 20
_DEFAULT_TERMINATION_PATH = "/dev/termination-log"
_ETC = ("hosts", "hostname", "resolv.conf")


@dataclass(frozen=True, slots=True)
class Machine:
    """What containers see of the machine, the same for all of a node."""

    hidden: tuple[Path, ...]
    """The cluster's own state: does not exist in containers."""
    mountinfo: str
    total_memory: int
    """Bytes."""


def argv_and_env(
    pod: Obj, container: Obj, image: Image, hostname: str, security: Security, sources: Sources, services: Iterable[Obj]
) -> tuple[list[str], dict[str, str]]:
    """The program with its arguments, and its environment. Raises ConfigError."""
    links = pod["spec"].get("enableServiceLinks") is not False
    inherited = service_environment(services, namespace_of(pod), links)
    env = container_environment(pod, container, inherited, sources)
    command = [expand(part, env) for part in container.get("command") or ()]
    args = [expand(part, env) for part in container.get("args") or ()]
    argv = image.argv(command, args)
    if not argv:
        raise ConfigError(f'no command specified for image "{container.get("image")}"')
    basis = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname, "HOME": security.home}
    if container.get("tty"):
        basis["TERM"] = "xterm"
    return argv, basis | dict(image.env) | env


def oom_score(pod: Obj, container: Obj, total_memory: int) -> int:
    """The kubelet's: guaranteed -997, best effort 1000, burstable by the share of memory that was requested."""
    match qos_class(pod["spec"]):
        case "Guaranteed":
            return -997
        case "BestEffort":
            return 1000
    request = ((container.get("resources") or {}).get("requests") or {}).get("memory", "0")
    return max(3, min(999, 1000 - 1000 * quantity.parse(request).value // max(1, total_memory)))


def mounts(
    pod: Obj,
    container: Obj,
    image: Image,
    directory: PodDirectory,
    attempt: int,
    volumes: Mapping[str, Volume],
    env: Mapping[str, str],
    machine: Machine,
) -> list[dict[str, Any]]:
    """Everything mounted over the container's root, outermost first. Raises ConfigError."""
    found: list[dict[str, Any]] = [_program_mount(p) for p in _programs_elsewhere(image, machine)]
    wanted = {str(PurePosixPath(mount["mountPath"])) for mount in container.get("volumeMounts") or ()}
    for name in _ETC:
        if f"/etc/{name}" not in wanted:
            found.append({"source": str(directory.etc / name), "target": f"/etc/{name}"})
    message = directory.termination_message(container["name"], attempt)
    message.touch(mode=0o666)
    message.chmod(0o666)
    found.append(
        {
            "source": str(message),
            "target": container.get("terminationMessagePath") or _DEFAULT_TERMINATION_PATH,
        }
    )
    found.extend(_volume_mount(mount, volumes, env) for mount in container.get("volumeMounts") or ())
    return sorted(found, key=lambda m: len(PurePosixPath(m["target"]).parts))


def _programs_elsewhere(image: Image, machine: Machine) -> list[Path]:
    """Programs that the overlay of the root does not show: on other file systems, or below emptied directories."""
    paths = [path for path in root_layer.program_paths() if path.exists()]
    named = [Path(part) for part in (*image.entrypoint, *image.command) if part.startswith("/")]
    if image.working_directory != "/":
        named.append(Path(image.working_directory))
    paths += [path for path in named if path.exists()]
    elsewhere = root_layer.separate_mounts(paths, machine.mountinfo) + root_layer.emptied(paths)
    return [path for path in dict.fromkeys(elsewhere) if not any(path.is_relative_to(h) for h in machine.hidden)]


def _program_mount(path: Path) -> dict[str, Any]:
    return {"source": str(path), "target": str(path), "readonly": True, "recursive": False}


def _volume_mount(mount: Obj, volumes: Mapping[str, Volume], env: Mapping[str, str]) -> dict[str, Any]:
    volume = volumes.get(mount["name"])
    if volume is None:
        raise ConfigError(f'no volume "{mount["name"]}"')
    subpath = mount.get("subPath") or ""
    if mount.get("subPathExpr"):
        subpath = expand(mount["subPathExpr"], env)
    if subpath.startswith("/") or ".." in PurePosixPath(subpath).parts:
        raise ConfigError(f'subPath "{subpath}" must be a relative path without ".."')
    target = mount["mountPath"]
    return {
        "source": str(volume.path),
        "subpath": str(PurePosixPath(subpath)) if subpath else "",
        "target": target if target.startswith("/") else f"/{target}",
        "readonly": bool(mount.get("readOnly")) or volume.read_only,
        "propagate": mount.get("mountPropagation") in ("HostToContainer", "Bidirectional"),
    }


def container_spec(
    pod: Obj,
    container: Obj,
    *,
    container_id: str,
    attempt: int,
    image: Image,
    directory: PodDirectory,
    hostname: str,
    volumes: Mapping[str, Volume],
    sources: Sources,
    services: Iterable[Obj],
    cgroup: ContainerCgroup,
    machine: Machine,
) -> dict[str, Any]:
    """The message that starts one attempt; its directories are made. Raises ConfigError, OSError."""
    name = container["name"]
    security = resolve_security(pod, container, image.user)
    argv, env = argv_and_env(pod, container, image, hostname, security, sources, services)
    layer = directory.root_layer(name, attempt)
    directory.container(name).mkdir(mode=0o755, parents=True, exist_ok=True)
    directory.log(name, attempt).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    root_layer.prepare(layer, machine.hidden, root_layer.program_paths())
    return {
        "id": container_id,
        "name": name,
        "attempt": attempt,
        # An ephemeral container may see another one's processes.
        "target": container.get("targetContainerName") or "",
        "record": str(directory.attempt_record(name, attempt)),
        "log": {"path": str(directory.log(name, attempt)), "max_bytes": _LOG_BYTES},
        "root": {
            "lower": ["/"],
            "upper": str(layer / "upper"),
            "work": str(layer / "work"),
            "target": str(layer / "root"),
            "readonly": security.read_only_root,
            "unmasked_proc": security.unmasked_proc,
        },
        "mounts": mounts(pod, container, image, directory, attempt, volumes, env, machine),
        "shm": str(directory.shm),
        "process": {
            "argv": argv,
            "env": [f"{key}={value}" for key, value in env.items()],
            "cwd": container.get("workingDir") or image.working_directory,
            "uid": security.uid,
            "gid": security.gid,
            "groups": list(security.groups),
            "capabilities": security.capabilities,
            "no_new_privileges": security.no_new_privileges,
        },
        "privileged": security.privileged,
        "tty": bool(container.get("tty")),
        "stdin": bool(container.get("stdin")),
        "stdin_once": bool(container.get("stdinOnce")),
        "cgroups": list(cgroup.procs),
        "oom_file": cgroup.events,
        "oom_score_adj": oom_score(pod, container, machine.total_memory),
    }
