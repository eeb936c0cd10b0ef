"""References of images."""

from __future__ import annotations

from typing import Final

from lateen.injection.pod_settings import ImageType, PodSettings
from lateen.injection.values import GlobalValues

_VARIANTS: Final = (ImageType.DISTROLESS.value, ImageType.DEBUG.value)


def proxy_image(values: GlobalValues, settings: PodSettings) -> str:
    """The proxy's: an annotation's whole reference, else a name with the installation's hub and tag."""
    return _reference(settings.image or values.proxy.image, values, settings.image_type)


def init_image(values: GlobalValues, settings: PodSettings) -> str:
    """Of what captures traffic."""
    return _reference(settings.image or values.proxy_init.image, values, settings.image_type)


def _reference(name: str, values: GlobalValues, image_type: str) -> str:
    if "/" in name:
        return name
    return f"{values.hub}/{name}:{tag(values.tag, image_type or values.variant)}"


def tag(base: str, variant: str) -> str:
    """A tag's variant: `1.0-debug` of `1.0` or of `1.0-distroless`; `default` is the tag without one."""
    if not variant:
        return base
    plain = next((base[: -len(each) - 1] for each in _VARIANTS if base.endswith(f"-{each}")), base)
    return plain if variant == ImageType.DEFAULT.value else f"{plain}-{variant}"
