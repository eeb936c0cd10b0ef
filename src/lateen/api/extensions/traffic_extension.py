"""extensions.istio.io TrafficExtension (istio.extensions.v1alpha1): WebAssembly or Lua in proxies."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

from msgspec import Meta

from lateen.api.extensions.wasm_plugin import (
    FailStrategy,
    ModuleUrl,
    PluginName,
    PluginType,
    PullPolicy,
    SecretName,
    Sha256,
    TrafficSelector,
    VmConfig,
)
from lateen.api.schema.message import AnyStruct, Int32, Message, Rule
from lateen.api.type.selector import TargetReferences, WorkloadSelector


class ExecutionPhase(Enum):
    """Where in the filter chain."""

    UNSPECIFIED = "UNSPECIFIED"
    """At the end, right before the router."""
    AUTHN = "AUTHN"
    """Before authentication."""
    AUTHZ = "AUTHZ"
    """After authentication, before authorization."""
    STATS = "STATS"
    """After authorization, before statistics."""


class WasmConfig(Message):
    """A WebAssembly module."""

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
    fail_strategy: FailStrategy = FailStrategy.FAIL_CLOSE
    """What happens to traffic while the plugin cannot run."""
    vm_config: VmConfig | None = None
    """The virtual machine that runs the plugin."""
    type: PluginType = PluginType.UNSPECIFIED_PLUGIN_TYPE
    """Which filter chain."""


class LuaConfig(Message):
    """A Lua script."""

    inline_code: Annotated[str, Meta(min_length=1, max_length=65536)]
    """The script; defines `envoy_on_request(handle)` or `envoy_on_response(handle)`, or both."""


class TrafficExtension(Message):
    """A WebAssembly module or a Lua script in the filter chains of some proxies."""

    selector: WorkloadSelector | None = None
    """The workloads; all of the namespace if not set, all of the mesh in the root namespace."""
    target_refs: TargetReferences = ()
    """The Gateways or Services whose proxies run the extension."""
    phase: ExecutionPhase = ExecutionPhase.UNSPECIFIED
    """Where in the filter chain."""
    priority: Int32 | None = None
    """Order among extensions of a phase: the highest first. Default 0."""
    match: tuple[TrafficSelector, ...] = ()
    """Traffic the extension sees: what any of these selects; all if empty."""
    wasm: WasmConfig | None = None
    """A WebAssembly module."""
    lua: LuaConfig | None = None
    """A Lua script."""

    rules: ClassVar = (
        Rule(
            "(has(self.selector) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1",
            "only one of selector and targetRefs may be set",
        ),
        Rule("has(self.wasm) != has(self.lua)", "exactly one of wasm and lua must be set"),
    )
