"""Which representation of objects a client accepts: whole objects, metadata alone, or printed tables.

Source: k8s.io/apiserver `endpoints/handlers/negotiation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lateen.cluster.status import bad_request, not_acceptable

META_GROUP = "meta.k8s.io"
_VERSIONS = ("v1", "v1beta1")
_INCLUDE = ("None", "Metadata", "Object")
YAML = "application/yaml"
_MEDIA_TYPES = ("application/json", YAML, "application/*", "*/*")


@dataclass(frozen=True, slots=True)
class Representation:
    """`shape` is empty (whole objects), `PartialObjectMetadata` or `Table`; `version` that of `meta.k8s.io`."""

    shape: str = ""
    version: str = "v1"
    include_object: str = "Metadata"
    """What a table's rows carry of their object: `None`, `Metadata`, `Object`."""

    @property
    def api_version(self) -> str:
        return f"{META_GROUP}/{self.version}"


WHOLE = Representation()
_SHAPES = {
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadata",
}


@dataclass(frozen=True, slots=True)
class MediaType:
    """One clause of an `Accept` header."""

    name: str
    parameters: Mapping[str, str]


def parse_accept(header: str) -> list[MediaType]:
    """The clauses in order of preference; what cannot be read is left out."""
    found: list[tuple[float, MediaType]] = []
    for clause in header[:4096].split(","):
        name, *rest = (part.strip() for part in clause.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if name and quality > 0:
            found.append((quality, MediaType(name.lower(), parameters)))
    return [media_type for _, media_type in sorted(found, key=lambda item: -item[0])]


def negotiate(accept: str, include_object: str = "") -> Representation:
    """Reads `Accept` and the `includeObject` parameter. Raises StatusError 406, 400."""
    for media_type in parse_accept(accept or "*/*"):
        if media_type.name not in _MEDIA_TYPES:
            continue
        wanted = media_type.parameters.get("as")
        if wanted is None:
            return WHOLE
        version = media_type.parameters.get("v", "")
        if wanted in _SHAPES and version in _VERSIONS and media_type.parameters.get("g") == META_GROUP:
            if include_object and include_object not in _INCLUDE:
                raise bad_request(f'invalid includeObject: "{include_object[:100]}"')
            return Representation(_SHAPES[wanted], version, include_object or "Metadata")
    raise not_acceptable(
        "only the following media types are accepted: application/json, application/yaml, "
        "application/json;as=Table;v=v1;g=meta.k8s.io, application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    )


def wants_yaml(accept: str) -> bool:
    """Whether YAML is what the client likes best of what we can answer with."""
    best = next((media_type for media_type in parse_accept(accept) if media_type.name in _MEDIA_TYPES), None)
    return best is not None and best.name == YAML
