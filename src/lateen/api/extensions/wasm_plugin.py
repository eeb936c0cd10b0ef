"""extensions.istio.io WasmPlugin (istio.extensions.v1alpha1)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

from msgspec import Meta

from lateen.api.schema.message import AnyStruct, Int32, Message, Rule, map_keys, rules
from lateen.api.type.selector import (
    PolicyTargetReference,
    PortSelector,
    TargetReferences,
    WorkloadMode,
    WorkloadSelector,
)

_SCHEMES = "['', 'http', 'https', 'file', 'oci']"

ModuleUrl = Annotated[
    str,
    Meta(min_length=1),
    rules(
        (
            f"isURL(self) ? url(self).getScheme() in {_SCHEMES} "
            f": isURL('http://' + self) && url('http://' + self).getScheme() in {_SCHEMES}",
            "the scheme must be one of http, https, file, oci (or none, which means oci)",
        )
    ),
]
Sha256 = Annotated[str, Meta(pattern=r"(^$|^[a-f0-9]{64}$)")]
SecretName = Annotated[str, Meta(min_length=1, max_length=253)]
PluginName = Annotated[str, Meta(min_length=1, max_length=256)]


class PluginPhase(Enum):
    """Where in the filter chain."""

    UNSPECIFIED_PHASE = "UNSPECIFIED_PHASE"
    """At the end, right before the router."""
    AUTHN = "AUTHN"
    """Before authentication."""
    AUTHZ = "AUTHZ"
    """After authentication, before authorization."""
    STATS = "STATS"
    """After authorization, before statistics."""


class PluginType(Enum):
    """Which filter chain."""

    UNSPECIFIED_PLUGIN_TYPE = "UNSPECIFIED_PLUGIN_TYPE"
    """The same as HTTP."""
    HTTP = "HTTP"
    """A filter of HTTP requests."""
    NETWORK = "NETWORK"
    """A filter of connections."""


class FailStrategy(Enum):
    """What happens to traffic while the plugin cannot run."""

    FAIL_CLOSE = "FAIL_CLOSE"
    """Traffic is refused."""
    FAIL_OPEN = "FAIL_OPEN"
    """Traffic passes by the plugin."""
    FAIL_RELOAD = "FAIL_RELOAD"
    """The plugin is started again for the next request; this one is refused."""


class PullPolicy(Enum):
    """When a module is fetched again."""

    UNSPECIFIED_POLICY = "UNSPECIFIED_POLICY"
    """`Always` for images tagged `latest`, otherwise `IfNotPresent`."""
    IfNotPresent = "IfNotPresent"
    """Once."""
    Always = "Always"
    """At every change of the resource."""


class EnvValueSource(Enum):
    """Where a variable's value comes from."""

    INLINE = "INLINE"
    """The field `value`."""
    HOST = "HOST"
    """The variable of the same name in the proxy's own environment."""


class EnvVar(Message):
    """A variable of the plugin's environment."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    """The variable's name."""
    value_from: EnvValueSource = EnvValueSource.INLINE
    """Where its value comes from."""
    value: Annotated[str, Meta(max_length=2048)] = ""
    """Its value, with `INLINE`."""

    rules: ClassVar = (
        Rule(
            "(has(self.valueFrom) ? self.valueFrom : '') != 'HOST' || !has(self.value)",
            "value may be set only when valueFrom is INLINE",
        ),
    )


class VmConfig(Message):
    """The virtual machine that runs the plugin."""

    env: Annotated[tuple[EnvVar, ...], Meta(max_length=256), map_keys("name")] = ()
    """Variables the plugin sees."""


class TrafficSelector(Message):
    """Traffic that a plugin sees: all conditions must hold."""

    mode: WorkloadMode = WorkloadMode.UNDEFINED
    """The side of the traffic; both if not set."""
    ports: Annotated[tuple[PortSelector, ...], map_keys("number")] = ()
    """Destination ports; any if empty. For inbound traffic, ports of the workload; for outbound, of the service."""


class WasmPlugin(Message):
    """A WebAssembly plugin in the filter chains of some proxies."""

    selector: WorkloadSelector | None = None
    """The workloads; all of the namespace if not set, all of the mesh in the root namespace."""
    target_ref: PolicyTargetReference | None = None
    """Deprecated form of `targetRefs` with one element."""
    target_refs: TargetReferences = ()
    """The Gateways or Services whose proxies run the plugin."""
    url: ModuleUrl
    """Where the module is: `oci://` (the default), `https://`, `http://` or `file://` (in the proxy's container)."""
    sha256: Sha256 = ""
    """SHA-256 of the module or image, in hexadecimal; what does not match is refused."""
    image_pull_policy: PullPolicy = PullPolicy.UNSPECIFIED_POLICY
    """When the module is fetched again."""
    image_pull_secret: SecretName = ""
    """A Secret of the same namespace with credentials for the image registry."""
    verification_key: str = ""
    """Reserved: the public key of the module's signature. Signatures are not verified."""
    plugin_config: AnyStruct | None = None
    """Configuration handed to the plugin."""
    plugin_name: PluginName = ""
    """The root ID under which the module registers the plugin."""
    phase: PluginPhase = PluginPhase.UNSPECIFIED_PHASE
    """Where in the filter chain."""
    priority: Int32 | None = None
    """Order among plugins of a phase: the highest first. Default 0."""
    fail_strategy: FailStrategy = FailStrategy.FAIL_CLOSE
    """What happens to traffic while the plugin cannot run."""
    vm_config: VmConfig | None = None
    """The virtual machine that runs the plugin."""
    match: tuple[TrafficSelector, ...] = ()
    """Traffic the plugin sees: what any of these selects; all if empty."""
    type: PluginType = PluginType.UNSPECIFIED_PLUGIN_TYPE
    """Which filter chain."""

    rules: ClassVar = (
        Rule(
            "(has(self.selector) ? 1 : 0) + (has(self.targetRef) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1",
            "only one of selector, targetRef and targetRefs may be set",
        ),
    )
