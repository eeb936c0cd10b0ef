"""The Pod Security Standards `baseline` and `restricted`, as checks of a pod spec.

Source: k8s.io/pod-security-admission/policy (wording included).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lateen.cluster.objects import Obj

Check = Callable[[Obj], str | None]
"""What is wrong with a pod spec, or None."""

_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
_VOLUME_TYPES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)


def violations(spec: Obj, level: str) -> list[str]:
    """What of a pod spec violates the level (`privileged`, `baseline` or `restricted`)."""
    return [found for check in _LEVELS[level] if (found := check(spec)) is not None]


def _containers(spec: Obj) -> Iterable[tuple[str, Obj]]:
    """Every container's name and security context."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            yield str(container.get("name")), container.get("securityContext") or {}


def _pod_context(spec: Obj) -> Obj:
    found: Obj = spec.get("securityContext") or {}
    return found


def _list(values: Iterable[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)


def _named(names: Sequence[str], word: str = "container") -> str:
    return f"{word}{'s' if len(names) > 1 else ''} {_list(names)}"


def _failing(spec: Obj, fails: Callable[[Obj], bool]) -> list[str]:
    return [name for name, context in _containers(spec) if fails(context)]


def _host_namespaces(spec: Obj) -> str | None:
    used = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return f"host namespaces ({', '.join(used)})" if used else None


def _host_paths(spec: Obj) -> str | None:
    names = [str(volume.get("name")) for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return f"hostPath volumes ({_named(names, 'volume')})" if names else None


def _host_ports(spec: Obj) -> str | None:
    names, ports = [], set()
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            used = {port["hostPort"] for port in container.get("ports") or () if port.get("hostPort")}
            if used:
                names.append(str(container.get("name")))
                ports |= used
    if not names:
        return None
    word = "hostPorts" if len(ports) > 1 else "hostPort"
    verb = "use" if len(names) > 1 else "uses"
    return f"hostPort ({_named(names)} {verb} {word} {', '.join(map(str, sorted(ports)))})"


def _privileged(spec: Obj) -> str | None:
    names = _failing(spec, lambda context: bool(context.get("privileged")))
    return f"privileged ({_named(names)} must not set securityContext.privileged=true)" if names else None


def _proc_mount(spec: Obj) -> str | None:
    names = _failing(spec, lambda context: context.get("procMount") not in (None, "", "Default"))
    return f'procMount ({_named(names)} must not set securityContext.procMount to "Unmasked")' if names else None


def _added(spec: Obj, allowed: frozenset[str]) -> str | None:
    names: list[str] = []
    capabilities: set[str] = set()
    for name, context in _containers(spec):
        beyond = set((context.get("capabilities") or {}).get("add") or ()) - allowed
        if beyond:
            names.append(name)
            capabilities |= beyond
    if not names:
        return None
    return f"{_named(names)} must not include {_list(sorted(capabilities))} in securityContext.capabilities.add"


def _baseline_capabilities(spec: Obj) -> str | None:
    found = _added(spec, _BASELINE_CAPABILITIES)
    return f"non-default capabilities ({found})" if found else None


def _restricted_capabilities(spec: Obj) -> str | None:
    keeping = _failing(spec, lambda context: "ALL" not in ((context.get("capabilities") or {}).get("drop") or ()))
    parts = [f'{_named(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    if added := _added(spec, frozenset({"NET_BIND_SERVICE"})):
        parts.append(added)
    return f"unrestricted capabilities ({'; '.join(parts)})" if parts else None


def _selinux(spec: Obj) -> str | None:
    def fails(context: Obj) -> bool:
        options = context.get("seLinuxOptions") or {}
        forbidden = (options.get("type") or "") not in _SELINUX_TYPES
        return forbidden or bool(options.get("user")) or bool(options.get("role"))

    setters = ["pod"] if fails(_pod_context(spec)) else []
    if names := _failing(spec, fails):
        setters.append(_named(names))
    return f"seLinuxOptions ({' and '.join(setters)} set forbidden securityContext.seLinuxOptions)" if setters else None


def _app_armor(spec: Obj) -> str | None:
    def fails(context: Obj) -> bool:
        return (context.get("appArmorProfile") or {}).get("type") == "Unconfined"

    setters = ["pod"] if fails(_pod_context(spec)) else []
    if names := _failing(spec, fails):
        setters.append(_named(names))
    must = 'must not set AppArmor profile type to "Unconfined"'
    return f"forbidden AppArmor profile ({' and '.join(setters)} {must})" if setters else None


def _seccomp_type(context: Obj) -> str:
    return str((context.get("seccompProfile") or {}).get("type") or "")


def _baseline_seccomp(spec: Obj) -> str | None:
    setters = ["pod"] if _seccomp_type(_pod_context(spec)) == "Unconfined" else []
    if names := _failing(spec, lambda context: _seccomp_type(context) == "Unconfined"):
        setters.append(_named(names))
    must = 'must not set securityContext.seccompProfile.type to "Unconfined"'
    return f"seccompProfile ({' and '.join(setters)} {must})" if setters else None


def _restricted_seccomp(spec: Obj) -> str | None:
    allowed = ("RuntimeDefault", "Localhost")
    pod = _seccomp_type(_pod_context(spec))
    names = _failing(spec, lambda context: (_seccomp_type(context) or pod) not in allowed)
    if not names:
        return None
    profiles = '"RuntimeDefault" or "Localhost"'
    return f"seccompProfile (pod or {_named(names)} must set securityContext.seccompProfile.type to {profiles})"


def _sysctls(spec: Obj) -> str | None:
    names = [str(s.get("name")) for s in _pod_context(spec).get("sysctls") or () if s.get("name") not in _SYSCTLS]
    return f"forbidden sysctls ({', '.join(names)})" if names else None


def _privilege_escalation(spec: Obj) -> str | None:
    names = _failing(spec, lambda context: context.get("allowPrivilegeEscalation") is not False)
    must = "must set securityContext.allowPrivilegeEscalation=false"
    return f"allowPrivilegeEscalation != false ({_named(names)} {must})" if names else None


def _volume_types(spec: Obj) -> str | None:
    names, types = [], set()
    for volume in spec.get("volumes") or ():
        beyond = [key for key, value in volume.items() if key != "name" and value is not None]
        forbidden = [key for key in beyond if key not in _VOLUME_TYPES]
        if forbidden:
            names.append(str(volume.get("name")))
            types.update(forbidden)
    if not names:
        return None
    verb, word = ("use", "types") if len(names) > 1 else ("uses", "type")
    return f"restricted volume types ({_named(names, 'volume')} {verb} restricted volume {word} {_list(sorted(types))})"


def _non_root(spec: Obj) -> str | None:
    pod = _pod_context(spec).get("runAsNonRoot")
    wrong = _failing(spec, lambda context: context.get("runAsNonRoot") is False)
    if wrong:
        return f"runAsNonRoot != true ({_named(wrong)} must not set securityContext.runAsNonRoot=false)"
    if pod is True:
        return None
    names = _failing(spec, lambda context: context.get("runAsNonRoot") is None)
    return (
        f"runAsNonRoot != true (pod or {_named(names)} must set securityContext.runAsNonRoot=true)" if names else None
    )


def _root_user(spec: Obj) -> str | None:
    setters = ["pod"] if _pod_context(spec).get("runAsUser") == 0 else []
    if names := _failing(spec, lambda context: context.get("runAsUser") == 0):
        setters.append(_named(names))
    return f"runAsUser=0 ({' and '.join(setters)} must not set runAsUser=0)" if setters else None


_BASELINE: tuple[Check, ...] = (
    _app_armor,
    _baseline_capabilities,
    _host_namespaces,
    _host_paths,
    _host_ports,
    _privileged,
    _proc_mount,
    _selinux,
    _baseline_seccomp,
    _sysctls,
)
_REPLACED = (_baseline_capabilities, _host_paths, _baseline_seccomp)
"""Baseline checks that a stricter one of `restricted` stands for."""

_LEVELS: dict[str, tuple[Check, ...]] = {
    "privileged": (),
    "baseline": _BASELINE,
    "restricted": (
        *(check for check in _BASELINE if check not in _REPLACED),
        _privilege_escalation,
        _restricted_capabilities,
        _volume_types,
        _non_root,
        _root_user,
        _restricted_seccomp,
    ),
}
LEVELS = frozenset(_LEVELS)
