"""What a container runs as: user, groups, capabilities and privileges of its security context.

Sources: the Kubernetes API's SecurityContext; containerd's default capabilities; linux/capability.h.
"""

from __future__ import annotations

import grp
import pwd
from dataclasses import dataclass

from lateen.cluster.node.environment import ConfigError
from lateen.cluster.objects import Obj, name_of, namespace_of, uid_of

_CAPABILITIES = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
]
_BIT = {name: 1 << number for number, name in enumerate(_CAPABILITIES)}
ALL_CAPABILITIES = (1 << len(_CAPABILITIES)) - 1
_DEFAULT = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
]


@dataclass(frozen=True, slots=True)
class Security:
    uid: int
    gid: int
    groups: tuple[int, ...]
    capabilities: int
    """A mask: the bounding set."""
    no_new_privileges: bool
    privileged: bool
    read_only_root: bool
    unmasked_proc: bool
    home: str


def capability_mask(added: list[str], dropped: list[str]) -> int:
    """The runtime's default set with what is dropped and then what is added. Raises ConfigError."""

    def bits(names: list[str]) -> int:
        mask = 0
        for name in names:
            short = name.upper().removeprefix("CAP_")
            if short == "ALL":
                return ALL_CAPABILITIES
            if short not in _BIT:
                raise ConfigError(f'unknown capability "CAP_{short}"')
            mask |= _BIT[short]
        return mask

    default = sum(_BIT[name] for name in _DEFAULT)
    # As containerd: with ALL on either side the other side names the exceptions.
    if "ALL" in (name.upper() for name in added):
        return ALL_CAPABILITIES & ~bits([n for n in dropped if n.upper() != "ALL"])
    return (default & ~bits(dropped)) | bits(added)


def _image_user(user: str) -> tuple[int, int | None]:
    """`uid`, `name`, `uid:gid` or `name:group` of an image's configuration. Raises ConfigError."""
    name, _, group = user.partition(":")
    try:
        uid = int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid if name else 0
        gid = None if not group else int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(f"unable to find user {user}: no matching entries in passwd file") from None
    return uid, gid


def resolve_security(pod: Obj, container: Obj, image_user: str) -> Security:
    """The effective security context. Raises ConfigError, as for runAsNonRoot with an image that runs as root."""
    outer = pod["spec"].get("securityContext") or {}
    own = container.get("securityContext") or {}

    def setting(name: str) -> int | bool | None:
        value: int | bool | None = own.get(name) if own.get(name) is not None else outer.get(name)
        return value

    chosen = setting("runAsUser")
    uid, image_gid = _image_user(image_user)
    if chosen is not None:
        uid, image_gid = int(chosen), None
    if setting("runAsNonRoot") and uid == 0:
        where = f'(pod: "{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})", container: {container["name"]})'
        if chosen is not None:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    try:
        account: pwd.struct_passwd | None = pwd.getpwuid(uid)
    except KeyError:
        account = None
    gid = setting("runAsGroup")
    if gid is None:
        gid = image_gid if image_gid is not None else account.pw_gid if account else 0
    groups = {int(gid), *(outer.get("supplementalGroups") or ())}
    if outer.get("fsGroup") is not None:
        groups.add(outer["fsGroup"])
    if account and outer.get("supplementalGroupsPolicy") != "Strict":
        groups.update(entry.gr_gid for entry in grp.getgrall() if account.pw_name in entry.gr_mem)
    privileged = bool(own.get("privileged"))
    capabilities = own.get("capabilities") or {}
    mask = capability_mask(capabilities.get("add") or [], capabilities.get("drop") or [])
    return Security(
        uid=uid,
        gid=int(gid),
        groups=tuple(sorted(groups)),
        capabilities=ALL_CAPABILITIES if privileged else mask,
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        privileged=privileged,
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        unmasked_proc=own.get("procMount") == "Unmasked",
        home=account.pw_dir if account else "/",
    )
