"""Every setting that is read from the environment, with its default and meaning. Nothing else reads it."""

from __future__ import annotations

import os
import pwd
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from lateen.api.schema.duration import parse_duration

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """The user who called sudo."""

    uid: int
    gid: int
    home: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once by a composition root and passed down as values."""

    home: Path
    """`LATEEN_HOME`: where the clusters of this machine keep their state. Default: `~/.lateen`."""
    kubeconfig: Path
    """`KUBECONFIG`, its first entry: where `lateen cluster` writes contexts. Default: `~/.kube/config`, under sudo
    that of the user who called it, whose kubectl is to find it."""
    caller: Caller | None
    """`SUDO_UID` and `SUDO_GID`: on whose behalf root acts; None when on nobody's."""
    colour: bool
    """Colour on terminals, unless `NO_COLOR` is set."""


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment (the process's own by default)."""
    env = os.environ if environment is None else environment
    user = Path(env["HOME"]) if env.get("HOME") else Path("/root")
    caller = _caller(env)
    first = env.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Settings(
        home=Path(env.get("LATEEN_HOME") or user / ".lateen").absolute(),
        kubeconfig=Path(first).absolute() if first else (caller.home if caller else user) / ".kube" / "config",
        caller=caller,
        colour=not env.get("NO_COLOR"),
    )


def _caller(env: Mapping[str, str]) -> Caller | None:
    uid, gid = env.get("SUDO_UID", ""), env.get("SUDO_GID", "")
    if not (uid.isdecimal() and gid.isdecimal()) or int(uid) == 0:
        return None
    try:
        return Caller(int(uid), int(gid), Path(pwd.getpwuid(int(uid)).pw_dir))
    except KeyError:
        return None


class SettingError(ValueError):
    """A variable with a value that it cannot have; the message names it."""


class JwtRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which OpenID Connect issuer JWTs are believed, beside the cluster's tokens."""

    issuer: str
    """Its URL (https), as in `iss`."""
    jwks_uri: str = ""
    """Where its keys are (https); empty to ask the issuer."""
    audiences: tuple[str, ...] = ()
    """A token must be for one of these; none: for one of those of the cluster's tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IstiodSettings:
    """Of `lateen istiod`. In the environment by the name given with each, which is Istio's where it has one; options
    of the command line win."""

    revision: str = "default"
    """`REVISION`: resources with the label istio.io/rev are taken if that is its value; the others always."""
    cluster_id: str = "Kubernetes"
    """`CLUSTER_ID`: what the control plane's own cluster is called in the mesh."""
    namespace: str = "istio-system"
    """`POD_NAMESPACE`: the control plane's own, of its ConfigMap and its Leases."""
    identity: str
    """`POD_NAME`: distinct among replicas. Default: host name and process id."""
    domain: str = "cluster.local"
    """`DOMAIN_SUFFIX`: of Kubernetes service names."""
    debounce_after: float = 0.02
    """`PILOT_DEBOUNCE_AFTER`, seconds (in the environment a duration: `100ms`): how long it must be quiet before
    changes that come in quick succession are pushed. A change after a quiet time is pushed at once."""
    debounce_max: float = 0.5
    """`PILOT_DEBOUNCE_MAX`, seconds: no change waits longer for quiet than this."""
    scope_gateways: bool = False
    """`PILOT_SCOPE_GATEWAY_TO_NAMESPACE`: Gateways select proxies of their own namespace alone."""
    status: bool = True
    """`PILOT_ENABLE_STATUS`: write the status of resources through the Kubernetes API."""
    status_per_second: float = 50.0
    """`PILOT_STATUS_QPS`: writes of status per second, at most."""
    shutdown: float = 1.0
    """`LATEEN_SHUTDOWN_SECONDS`, seconds: how long after SIGTERM the streams of proxies, which then go to another
    replica, are ended."""
    certificate_provider: str = "istiod"
    """`PILOT_CERT_PROVIDER`: who vouches for the control plane's own certificate. Only itself is supported."""
    token_audiences: tuple[str, ...] = ("istio-ca",)
    """`TOKEN_AUDIENCES`, separated by commas: tokens of workloads must be for one of these."""
    jwt_rule: JwtRule | None = None
    """`JWT_RULE`, JSON (`{"issuer": ..., "jwks_uri": ..., "audiences": [...]}`); None: no JWTs are believed but those
    that the API server knows."""
    custom_hosts: tuple[str, ...] = ()
    """`ISTIOD_CUSTOM_HOST`, separated by commas: further names in the control plane's own certificate."""
    plugged_directory: Path = Path("/etc/cacerts")
    """`ROOT_CA_DIR`: where a plugged-in authority is looked for when the control plane starts."""
    root_life: timedelta = timedelta(days=3650)
    """`CITADEL_SELF_SIGNED_CA_CERT_TTL` (`87600h`): of a root of our own making."""
    default_life: timedelta = timedelta(hours=24)
    """`DEFAULT_WORKLOAD_CERT_TTL` (`24h`): of certificates for which nothing is asked; never more than the longest."""
    longest_life: timedelta = timedelta(days=90)
    """`MAX_WORKLOAD_CERT_TTL` (`2160h`): more is not issued."""
    rotation_lag: timedelta = timedelta(days=1)
    """`LATEEN_ROTATION_LAG` (`24h`), at least 30 seconds: how long a replica may take to see a step of a root's
    rotation; one that has not seen the root for so long signs nothing. Steps are `MAX_WORKLOAD_CERT_TTL` and this
    apart."""
    run_directory: Path | None = None
    """`LATEEN_RUN_DIRECTORY`: where the sockets and the key of the TLS front are kept, in a new directory that nobody
    else can open. Memory-backed, if it can be. Default: where temporary files are."""


def read_istiod_settings(environment: Mapping[str, str] | None = None) -> IstiodSettings:
    """Settings from the environment (the process's own by default). Raises SettingError."""
    env = os.environ if environment is None else environment

    def read(name: str, parse: Callable[[str], T], default: T) -> T:
        text = env.get(name, "")
        try:
            return parse(text) if text else default
        except ValueError as error:
            raise SettingError(f"{name}={text!r}: {error}") from None

    defaults = IstiodSettings(identity="")
    return IstiodSettings(
        revision=read("REVISION", str, defaults.revision),
        cluster_id=read("CLUSTER_ID", str, defaults.cluster_id),
        namespace=read("POD_NAMESPACE", str, defaults.namespace),
        identity=read("POD_NAME", str, f"{socket.gethostname()}-{os.getpid()}"),
        domain=read("DOMAIN_SUFFIX", str, defaults.domain),
        debounce_after=read("PILOT_DEBOUNCE_AFTER", _seconds, defaults.debounce_after),
        debounce_max=read("PILOT_DEBOUNCE_MAX", _seconds, defaults.debounce_max),
        scope_gateways=read("PILOT_SCOPE_GATEWAY_TO_NAMESPACE", _boolean, defaults.scope_gateways),
        status=read("PILOT_ENABLE_STATUS", _boolean, defaults.status),
        status_per_second=read("PILOT_STATUS_QPS", _positive, defaults.status_per_second),
        shutdown=read("LATEEN_SHUTDOWN_SECONDS", _positive, defaults.shutdown),
        certificate_provider=read("PILOT_CERT_PROVIDER", _provider, defaults.certificate_provider),
        token_audiences=read("TOKEN_AUDIENCES", _names, defaults.token_audiences),
        jwt_rule=read("JWT_RULE", _jwt_rule, defaults.jwt_rule),
        custom_hosts=read("ISTIOD_CUSTOM_HOST", _names, defaults.custom_hosts),
        plugged_directory=read("ROOT_CA_DIR", Path, defaults.plugged_directory),
        root_life=read("CITADEL_SELF_SIGNED_CA_CERT_TTL", _life, defaults.root_life),
        default_life=read("DEFAULT_WORKLOAD_CERT_TTL", _life, defaults.default_life),
        longest_life=read("MAX_WORKLOAD_CERT_TTL", _life, defaults.longest_life),
        rotation_lag=read("LATEEN_ROTATION_LAG", _lag, defaults.rotation_lag),
        run_directory=read("LATEEN_RUN_DIRECTORY", Path, defaults.run_directory),
    )


_LONGEST_LIFE = timedelta(days=100 * 365)
_SHORTEST_LAG = timedelta(seconds=30)
"""The root is looked at every ten seconds."""
_ISTIOD_VARIABLES = frozenset(
    {
        "PILOT_CERT_PROVIDER",
        "PILOT_DEBOUNCE_AFTER",
        "PILOT_DEBOUNCE_MAX",
        "PILOT_ENABLE_STATUS",
        "PILOT_SCOPE_GATEWAY_TO_NAMESPACE",
        "PILOT_STATUS_QPS",
        "CITADEL_SELF_SIGNED_CA_CERT_TTL",
    }
)
_OTHERS_OF_ISTIO = frozenset(
    {
        "AUDIENCE",
        "CA_TRUSTED_NODE_ACCOUNTS",
        "CENTRAL_ISTIOD",
        "CERT_SIGNER_DOMAIN",
        "ENABLE_CA_SERVER",
        "EXTERNAL_CA",
        "EXTERNAL_ISTIOD",
        "ISTIO_DEFAULT_REQUEST_TIMEOUT",
        "ISTIO_GPRC_MAXRECVMSGSIZE",
        "ISTIO_GPRC_MAXSTREAMS",
        "SHARED_MESH_CONFIG",
        "TOKEN_ISSUER",
        "TRUSTED_GATEWAY_CIDR",
        "TRUST_DISTRIBUTION",
        "USE_CACERTS_FOR_SELF_SIGNED_CA",
        "XDS_AUTH",
    }
)
"""Whose names do not begin as most of its variables' do (pilot/pkg/features, pilot/pkg/bootstrap)."""
_OF_SERVICES = re.compile(r".*_(SERVICE_(HOST|PORT)(_.*)?|PORT(_[0-9]+_.*)?)\Z")
"""What Kubernetes adds for each Service of a Pod's namespace."""


def unknown_istiod_variables(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Variables by which Istio's control plane could be told something, and this one cannot."""
    env = os.environ if environment is None else environment
    asked = (name for name in env if name.startswith(("PILOT_", "CITADEL_")) and not _OF_SERVICES.match(name))
    return tuple(sorted((set(asked) - _ISTIOD_VARIABLES) | (_OTHERS_OF_ISTIO & env.keys())))


def _seconds(text: str) -> float:
    found = parse_duration(text).seconds
    if found < 0:
        raise ValueError("expected a duration that is not negative")
    return found


def _life(text: str) -> timedelta:
    found = timedelta(seconds=_seconds(text))
    if not timedelta() < found <= _LONGEST_LIFE:
        raise ValueError(f"expected more than 0s and at most {_LONGEST_LIFE // timedelta(hours=1)}h")
    return found


def _lag(text: str) -> timedelta:
    found = _life(text)
    if found < _SHORTEST_LAG:
        raise ValueError(f"expected at least {_SHORTEST_LAG.total_seconds():.0f}s")
    return found


def _jwt_rule(text: str) -> JwtRule:
    found = msgspec.json.decode(text)
    if isinstance(found, dict) and "jwksUri" in found:
        # As protobuf's JSON has it.
        found["jwks_uri"] = found.pop("jwksUri")
    rule = msgspec.convert(found, JwtRule)
    for url in (rule.issuer, rule.jwks_uri or rule.issuer):
        if not url.startswith("https://"):
            raise ValueError(f"expected an https URL, got {url!r}")
    return rule


def _provider(text: str) -> str:
    if text != "istiod":
        raise ValueError("expected istiod: other providers are not supported by this version")
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _positive(text: str) -> float:
    found = float(text)
    if not 0 < found < float("inf"):
        raise ValueError("expected a number above zero")
    return found


def _boolean(text: str) -> bool:
    """As Go reads them."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise ValueError("expected true or false")
