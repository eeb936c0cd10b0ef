"""From what a proxy says of itself (core.v3.Node, metadata as Istio's agents write it) to a `Proxy`."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from google.protobuf import json_format

from lateen.model.endpoint import Locality
from lateen.model.proxy import Certificates, Generator, Interception, Labels, Proxy, ProxySettings, Role, Traits
from lateen.model.proxy_settings import HEADERS, TOPOLOGY, settings_of

MAX_ID = 600
MAX_VALUE = 1024
"""Characters of any one value."""
MAX_LABELS = 256
MAX_ADDRESSES = 64

_CERTIFICATES = "LATEEN_CERTIFICATES"
_NO_CERTIFICATES = "none"
_PROXY_CONFIG = "PROXY_CONFIG"
LOCALITY_LABEL = "istio-locality"
_TOPOLOGY_LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")
_NAME = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?\Z")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")


class BadNode(Exception):
    """What a proxy says of itself makes no sense; says what."""


def proxy_of(node: Any) -> Proxy:
    """Raises BadNode. The id has the form `ROLE~IP~NAME.NAMESPACE~DNS_DOMAIN`."""
    if len(node.id) > MAX_ID:
        raise BadNode(f"the node id has {len(node.id)} characters; at most {MAX_ID} are taken")
    parts = node.id.split("~")
    if len(parts) != 4:
        raise BadNode(f"node id {node.id!r} is not of the form role~ip~name.namespace~dns-domain")
    role, address, workload, domain = parts
    name, _, namespace = workload.rpartition(".")
    if not name or not _NAME.match(name) or not _NAMESPACE.match(namespace):
        raise BadNode(f"{workload!r} in node id {node.id!r} is not of the form name.namespace")
    metadata = _Metadata(node.metadata)
    claimed = metadata.text("NAMESPACE") or namespace
    if claimed != namespace:
        raise BadNode(f"node id {node.id!r} is of namespace {namespace!r}, but its metadata NAMESPACE is {claimed!r}")
    labels = metadata.labels()
    addresses = _addresses([address, *metadata.text("INSTANCE_IPS", MAX_VALUE * 4).split(",")])
    return Proxy(
        id=workload,
        role=_role(role),
        namespace=namespace,
        labels=labels,
        service_account=metadata.text("SERVICE_ACCOUNT"),
        addresses=addresses,
        locality=_locality(node, dict(labels)),
        network=metadata.text("NETWORK") or dict(labels).get("topology.istio.io/network", ""),
        cluster_id=metadata.text("CLUSTER_ID"),
        node=metadata.text("NODE_NAME"),
        dns_domain=domain,
        traits=_traits(metadata, addresses),
        metadata=metadata.all_texts(),
        generator=_generator(metadata, role),
    )


def version_of(node: Any) -> str:
    """Of the proxy's software: ISTIO_VERSION, or what Envoy calls itself. Raises BadNode."""
    build = node.user_agent_build_version.version
    number = f"{build.major_number}.{build.minor_number}.{build.patch}"
    return _Metadata(node.metadata).text("ISTIO_VERSION") or (number if build.major_number else "")


class _Metadata:
    """Reads a google.protobuf.Struct field by field: the rest of it is never converted."""

    def __init__(self, struct: Any) -> None:
        self._fields = struct.fields

    def text(self, key: str, limit: int = MAX_VALUE) -> str:
        """Empty when absent."""
        if key not in self._fields:
            return ""
        value = self._fields[key]
        if value.WhichOneof("kind") != "string_value":
            raise BadNode(f"metadata {key} is not a string")
        return _bounded(f"metadata {key}", value.string_value, limit)

    def flag(self, key: str) -> bool:
        """`true`, as a string or a boolean."""
        if key not in self._fields:
            return False
        value = self._fields[key]
        if value.WhichOneof("kind") == "bool_value":
            return bool(value.bool_value)
        text = self.text(key).lower()
        if text not in ("", "0", "1", "t", "f", "true", "false"):
            raise BadNode(f"metadata {key} is {text!r}; true or false is expected")
        return text in ("1", "t", "true")

    def is_text(self, key: str) -> bool:
        return key in self._fields and self._fields[key].WhichOneof("kind") == "string_value"

    def texts(self, key: str) -> dict[str, str]:
        """A map of strings."""
        if key not in self._fields:
            return {}
        value = self._fields[key]
        if value.WhichOneof("kind") != "struct_value":
            raise BadNode(f"metadata {key} is not a map")
        found = {}
        for name, entry in value.struct_value.fields.items():
            if entry.WhichOneof("kind") != "string_value":
                raise BadNode(f"metadata {key}.{name[:100]} is not a string")
            found[_bounded(f"a name in metadata {key}", name)] = _bounded(f"metadata {key}.{name}", entry.string_value)
        return found

    def parts(self, key: str, *names: str) -> dict[str, Any]:
        """Those of these entries of a map that are there, as plain data."""
        if key not in self._fields:
            return {}
        value = self._fields[key]
        if value.WhichOneof("kind") != "struct_value":
            raise BadNode(f"metadata {key} is not a map")
        found = {name: value.struct_value.fields[name] for name in names if name in value.struct_value.fields}
        for name, entry in found.items():
            if entry.ByteSize() > MAX_VALUE:
                raise BadNode(f"metadata {key}.{name} has {entry.ByteSize()} bytes; at most {MAX_VALUE} are taken")
        return {name: json_format.MessageToDict(entry) for name, entry in found.items()}

    def all_texts(self) -> Labels:
        """What EnvoyFilters may match: all that is a string, sorted; what is beyond the bounds is left out."""
        found = {
            name: value.string_value
            for name, value in self._fields.items()
            if value.WhichOneof("kind") == "string_value" and max(len(name), len(value.string_value)) <= MAX_VALUE
        }
        return tuple(sorted(found.items())[:MAX_LABELS])

    def labels(self) -> Labels:
        found = self.texts("LABELS")
        if len(found) > MAX_LABELS:
            raise BadNode(f"{len(found)} labels; at most {MAX_LABELS} are taken")
        return tuple(sorted(found.items()))


def _bounded(what: str, value: str, limit: int = MAX_VALUE) -> str:
    if len(value) > limit:
        raise BadNode(f"{what[:200]} has {len(value)} characters; at most {limit} are taken")
    return value


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise BadNode(f"{text!r} is no kind of proxy; there are {', '.join(role.value for role in Role)}") from None


def _addresses(listed: list[str]) -> tuple[str, ...]:
    """Each once, in the order given, in canonical form."""
    found: dict[str, None] = {}
    for text in listed:
        text = text.strip()
        if not text:
            continue
        try:
            found[str(ipaddress.ip_address(text))] = None
        except ValueError:
            raise BadNode(f"{text!r} is not an IP address") from None
    if len(found) > MAX_ADDRESSES:
        raise BadNode(f"{len(found)} addresses; at most {MAX_ADDRESSES} are taken")
    if not found:
        raise BadNode("the proxy has no IP address")
    return tuple(found)


def _locality(node: Any, labels: dict[str, str]) -> Locality:
    """Of the node, else of the label `istio-locality` (dots stand for slashes), else of the topology labels."""
    if node.locality.region:
        parts = (node.locality.region, node.locality.zone, node.locality.sub_zone)
        return Locality(*(_bounded("the locality", part) for part in parts))
    if declared := labels.get(LOCALITY_LABEL):
        return Locality(*(declared if "/" in declared else declared.replace(".", "/")).split("/")[:3])
    return Locality(*(labels.get(label, "") for label in _TOPOLOGY_LABELS))


def _certificates(metadata: _Metadata) -> Certificates | None:
    """LATEEN_CERTIFICATES: `none` for a proxy without an identity in the mesh (Envoys started by hand); otherwise the
    names of files, `workload`, `roots` and `system_roots`, where they are not Istio's."""
    if metadata.is_text(_CERTIFICATES):
        text = metadata.text(_CERTIFICATES)
        if text != _NO_CERTIFICATES:
            raise BadNode(f"metadata {_CERTIFICATES} is {text!r}; {_NO_CERTIFICATES!r} or a map of files is expected")
        return None
    files = metadata.texts(_CERTIFICATES)
    if unknown := files.keys() - {"workload", "roots", "system_roots"}:
        raise BadNode(f"metadata {_CERTIFICATES} has {sorted(unknown)}; workload, roots and system_roots are known")
    return Certificates(**files)


def _generator(metadata: _Metadata, role: str) -> Generator:
    text = metadata.text("GENERATOR")
    try:
        found = Generator(text)
    except ValueError:
        raise BadNode(f"metadata GENERATOR is {text!r}; for Envoys there is none, for gRPC it is 'grpc'") from None
    if found is Generator.GRPC and role != Role.SIDECAR.value:
        raise BadNode(f"the node id is of a {role}, but by its metadata GENERATOR it is a gRPC application: a sidecar")
    return found


def _settings(metadata: _Metadata) -> ProxySettings:
    """Of PROXY_CONFIG, the ProxyConfig that the proxy was started with."""
    found, wrong = settings_of(metadata.parts(_PROXY_CONFIG, HEADERS, TOPOLOGY))
    if wrong:
        raise BadNode(f"metadata {_PROXY_CONFIG}.{wrong[0].path}: {wrong[0].message}"[:MAX_VALUE])
    return found


def _traits(metadata: _Metadata, addresses: tuple[str, ...]) -> Traits:
    versions = {ipaddress.ip_address(address).version for address in addresses}
    mode = metadata.text("INTERCEPTION_MODE") or Interception.REDIRECT.value
    try:
        interception = Interception(mode)
    except ValueError:
        known = ", ".join(i.value for i in Interception)
        raise BadNode(f"metadata INTERCEPTION_MODE is {mode!r}; there are {known}") from None
    return Traits(
        ipv4=4 in versions,
        ipv6=6 in versions,
        interception=interception,
        certificates=_certificates(metadata),
        dns_capture=metadata.flag("DNS_CAPTURE"),
        privileged_ports=not metadata.flag("UNPRIVILEGED_POD"),
        settings=_settings(metadata),
    )
