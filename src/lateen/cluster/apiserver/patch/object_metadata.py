"""The structure of `metadata`, for schemas (CRDs') that leave it open."""

from __future__ import annotations

import dataclasses

from lateen.cluster.apiserver.schema.schema import Schema


def with_object_metadata(schema: Schema) -> Schema:
    """The schema of a whole object with its metadata described; the same one where it already is."""
    known = schema.properties.get("metadata")
    if known is not None and known.properties and {"apiVersion", "kind"} <= schema.properties.keys():
        return schema
    if known is None or not known.properties:
        known = _object_metadata()
    text = Schema(type="string")
    properties = {"apiVersion": text, "kind": text, **schema.properties, "metadata": known}
    # A schema that names nothing is open; naming metadata must not close it.
    is_open = schema.preserve_unknown or not schema.properties
    return dataclasses.replace(schema, properties=properties, preserve_unknown=is_open)


def _object_metadata() -> Schema:
    text = Schema(type="string")
    names = Schema(type="object", additional=text)
    reference = Schema(
        type="object",
        map_type="atomic",
        properties=dict.fromkeys(("apiVersion", "kind", "name", "uid"), text)
        | {name: Schema(type="boolean") for name in ("blockOwnerDeletion", "controller")},
    )
    texts = ["creationTimestamp", "deletionTimestamp", "generateName", "name", "namespace"]
    texts += ["resourceVersion", "selfLink", "uid"]
    properties = dict.fromkeys(texts, text) | {
        "generation": Schema(type="integer"),
        "deletionGracePeriodSeconds": Schema(type="integer"),
        "labels": names,
        "annotations": names,
        "finalizers": Schema(type="array", items=text, list_type="set", patch_strategy=("merge",)),
        "ownerReferences": Schema(
            type="array",
            items=reference,
            list_type="map",
            list_map_keys=("uid",),
            patch_strategy=("merge",),
            patch_merge_key="uid",
        ),
        "managedFields": Schema(type="array", list_type="atomic", items=Schema(type="object", preserve_unknown=True)),
    }
    return Schema(type="object", properties=properties)
