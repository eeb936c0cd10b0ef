"""What is wrong with a ProxyConfig beyond its types (Istio: pkg/config/validation ValidateProxyConfig)."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.proxy_config import ProxyConfig
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault
from lateen.api.type.selector_validation import validate_selector


def validate(obj: Object[ProxyConfig]) -> Iterator[Fault]:
    yield from validate_selector(obj.spec.selector)
