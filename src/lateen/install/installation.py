"""What is to be installed: profile, files and `--set` flags become one checked value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from lateen.api.mesh.parse import parse_mesh_config, parse_mesh_networks
from lateen.api.schema.decode import Decoder
from lateen.api.schema.fault import Fault, Severity, error, warning
from lateen.api.schema.shape import Entries, Items, MessageShape, Shape, Text
from lateen.injection.gateway_pod import gateway_faults
from lateen.injection.values_parsing import parse_values
from lateen.install.merge import merged
from lateen.install.names import is_name
from lateen.install.operator_file import OperatorFile
from lateen.install.paths import PathError
from lateen.install.profiles import BASE, PROFILES, profile
from lateen.install.rendering.injector import injector_values
from lateen.install.rendering.mesh import mesh_config_text, mesh_networks_text
from lateen.install.rendering.rights import ROOTS
from lateen.install.set_flags import SetFlag, apply_set_flag
from lateen.install.unsupported import without_unsupported
from lateen.install.values.operator import GatewayComponent, Operator

_DECODER: Final = Decoder(Operator)
_NOT_YET: Final[Mapping[str, str]] = {
    "cni": "the CNI plugin on nodes",
    "ztunnel": "the proxy on nodes (ambient mode)",
    "istiod_remote": "a control plane in another cluster",
}


class Resolved(msgspec.Struct, frozen=True):
    """The outcome: an operator's spec, unless some fault is an error."""

    operator: Operator | None
    faults: tuple[Fault, ...]
    profile: str

    @property
    def errors(self) -> tuple[Fault, ...]:
        return tuple(fault for fault in self.faults if fault.severity is Severity.ERROR)


def resolve(files: Iterable[OperatorFile] = (), flags: Iterable[SetFlag] = ()) -> Resolved:
    """Profile, then files in their order, then flags in theirs. Pure."""
    files, flags = tuple(files), tuple(flags)
    name, fault = _profile_of(files, flags)
    if fault is not None:
        return Resolved(None, (fault,), name)
    tree = profile(BASE)
    if name != BASE:
        tree = merged(tree, profile(name))
    for file in files:
        tree = merged(tree, file.spec)
    faults: list[Fault] = []
    for flag in flags:
        try:
            apply_set_flag(tree, flag, _DECODER.shape)
        except PathError as problem:
            faults.append(error(flag.location, f"--set: {problem}"))
    kept, unsupported = without_unsupported(tree)
    operator, wrong = _DECODER.decode(_with_texts(_without_nulls(kept), _DECODER.shape))
    faults += [*unsupported, *wrong]
    if operator is None:
        return Resolved(None, tuple(faults), name)
    operator = _settled(operator)
    faults += _judge(operator, kept)
    failed = any(fault.severity is Severity.ERROR for fault in faults)
    return Resolved(None if failed else operator, tuple(faults), name)


def _profile_of(files: tuple[OperatorFile, ...], flags: tuple[SetFlag, ...]) -> tuple[str, Fault | None]:
    named = [file.spec["profile"] for file in files if file.spec.get("profile")]
    named += [flag.text for flag in flags if flag.location == "profile"]
    name = str(named[-1]) if named else BASE
    if name in PROFILES:
        return name, None
    return name, error("profile", f"there is no profile {name!r}; there are {', '.join(PROFILES)}")


def _without_nulls(value: Any) -> Any:
    """Null takes back what was said below: the default counts."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _with_texts(value: Any, shape: Shape) -> Any:
    """Integers and booleans where a string is wanted, as in an environment: YAML needs quotes there, Helm does not."""
    match shape:
        case MessageShape() if isinstance(value, dict):
            shapes = {name: field.shape for field in shape.fields for name in (field.name, field.proto_name)}
            return {key: _with_texts(item, shapes[key]) if key in shapes else item for key, item in value.items()}
        case Entries() if isinstance(value, dict):
            return {key: _with_texts(item, shape.value) for key, item in value.items()}
        case Items() if isinstance(value, list):
            return [_with_texts(item, shape.item) for item in value]
        case Text() if isinstance(value, bool):
            return "true" if value else "false"
        case Text() if isinstance(value, int):
            return str(value)
    return value


def _settled(operator: Operator) -> Operator:
    """What can be said in two places is the same in both."""
    values = operator.values
    namespace = operator.namespace or values.global_.istio_namespace
    revision = operator.revision or values.revision
    revision = "" if revision == "default" else revision
    shared = msgspec.structs.replace(
        values.global_,
        hub=(operator.hub or values.global_.hub).rstrip("/"),
        tag=operator.tag or values.global_.tag,
        istio_namespace=namespace,
    )
    mesh = merged(values.mesh_config, operator.mesh_config)
    return msgspec.structs.replace(
        operator,
        hub=shared.hub,
        tag=shared.tag,
        namespace=namespace,
        revision=revision,
        mesh_config=mesh,
        values=msgspec.structs.replace(values, global_=shared, revision=revision, mesh_config=mesh),
    )


def _judge(operator: Operator, tree: Mapping[str, Any]) -> Iterable[Fault]:
    for attribute, what in _NOT_YET.items():
        if getattr(operator.components, attribute).enabled:
            key = "istiodRemote" if attribute == "istiod_remote" else attribute
            yield error(
                f"components.{key}.enabled",
                f"{what}: not supported yet by this version, and nothing is installed that does not run; "
                f"--set components.{key}.enabled=false leaves it out, profile=default has sidecars",
            )
    for path, text in (("namespace", operator.namespace), ("revision", operator.revision)):
        if text and not is_name(text):
            yield error(path, f"expected lower-case letters, digits and dashes, at most 63, got {text!r}")
    for path, text in (("hub", operator.hub), ("tag", operator.tag)):
        if any(character.isspace() for character in text):
            yield error(path, f"expected a part of an image reference, got {text!r}")
    yield from _judge_gateways(operator.components.ingress_gateways, "components.ingressGateways")
    yield from _judge_gateways(operator.components.egress_gateways, "components.egressGateways")
    for index, tag in enumerate(operator.values.revision_tags):
        if not is_name(tag):
            yield error(f"values.revisionTags[{index}]", f"expected a name, got {tag!r}")
        elif tag == (operator.revision or "default") or tag in operator.values.revision_tags[:index]:
            yield error(f"values.revisionTags[{index}]", f"{tag!r} is a name of this revision already")
    yield from _judge_values(operator)
    yield from _judge_mesh(operator)


def _judge_gateways(gateways: Iterable[GatewayComponent], path: str) -> Iterable[Fault]:
    seen: set[tuple[str, str]] = set()
    for index, gateway in enumerate(gateways):
        where = f"{path}[{index}]"
        if not is_name(gateway.name):
            yield error(f"{where}.name", f"expected a name, got {gateway.name!r}")
        if (gateway.name, gateway.namespace) in seen:
            yield error(f"{where}.name", f"there is a gateway {gateway.name!r} before it in the same namespace")
        seen.add((gateway.name, gateway.namespace))


def _judge_values(operator: Operator) -> Iterable[Fault]:
    """As injection will: it reads the same values."""
    for fault in parse_values(injector_values(operator))[1]:
        yield msgspec.structs.replace(fault, path=f"values.{fault.path}".rstrip("."))
    provider = operator.values.global_.pilot_cert_provider
    if provider != "istiod":
        yield error("values.global.pilotCertProvider", f"only istiod is supported by this version, got {provider!r}")
    if operator.values.global_.sds.token.aud != "istio-ca":
        yield warning("values.global.sds.token.aud", "the control plane takes tokens for the audience istio-ca")
    if (name := operator.values.global_.trust_bundle_name) != ROOTS:
        message = f"the control plane writes its roots to {ROOTS} alone: {name} is somebody else's to write, everywhere"
        yield warning("values.global.trustBundleName", message)
    mesh, _ = parse_mesh_config(mesh_config_text(operator))
    if mesh is None:
        return
    gateways = operator.values.gateways
    for name, gateway in (
        ("istio-ingressgateway", gateways.istio_ingressgateway),
        ("istio-egressgateway", gateways.istio_egressgateway),
    ):
        for fault in gateway_faults(gateway.pod_annotations, mesh.default_config):
            where = f"values.gateways.{name}.podAnnotations{fault.path.removeprefix('metadata.annotations')}"
            yield msgspec.structs.replace(fault, path=where)


def _judge_mesh(operator: Operator) -> Iterable[Fault]:
    for path, (_, faults) in (
        ("meshConfig", parse_mesh_config(mesh_config_text(operator))),
        ("values.global.meshNetworks", parse_mesh_networks(mesh_networks_text(operator))),
    ):
        for fault in faults:
            inner = fault.path.removeprefix("networks") if path.startswith("values") else fault.path
            yield msgspec.structs.replace(fault, path=f"{path}.{inner.lstrip('.')}".rstrip("."))
