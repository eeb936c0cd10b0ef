"""What is wrong with a WebAssembly module beyond its types, wherever it is configured."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.extensions.traffic_extension import WasmConfig
from lateen.api.extensions.wasm_plugin import WasmPlugin
from lateen.api.schema.fault import Fault, warning

_DIGEST = "@sha256:"


def validate_wasm(module: WasmPlugin | WasmConfig, path: str) -> Iterator[Fault]:
    """Signatures are not verified; two checksums of one module should agree."""
    if module.verification_key:
        yield warning(f"{path}.verificationKey", "not supported yet: signatures of modules are not verified")
    _, separator, digest = module.url.partition(_DIGEST)
    if separator and module.sha256 and digest != module.sha256:
        yield warning(f"{path}.sha256", f"differs from the digest in the URL, {digest}: the module will be refused")
