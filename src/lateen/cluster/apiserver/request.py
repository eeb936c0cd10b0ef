"""Who asks for what, with which options: values that travel with one request through the API server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated identity (`authentication.k8s.io/v1 UserInfo`)."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_superuser(self) -> bool:
        return "system:masters" in self.groups


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What a URL and method say. For non-resource paths only `path` and `verb` (the lower-case method) are set."""

    path: str
    verb: str
    """`get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`."""
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def is_resource(self) -> bool:
        return bool(self.plural)


@dataclass(slots=True)
class Context:
    """One request's identity and write options; `warnings` is what goes back in `Warning:` headers."""

    user: User
    info: RequestInfo
    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = "Warn"
    """`Ignore`, `Warn` or `Strict`."""
    force: bool = False
    """Server-side apply: take over fields owned by others."""
    user_agent: str = ""
    source_ip: str = ""
    warnings: list[str] = field(default_factory=list)

    def warn(self, message: str) -> None:
        """Adds a warning once."""
        if message not in self.warnings:
            self.warnings.append(message)

    @property
    def manager(self) -> str:
        """The field manager to record: what was asked for, else the user agent's first word."""
        return self.field_manager or (self.user_agent.split("/")[0] if self.user_agent else "unknown")[:128]
