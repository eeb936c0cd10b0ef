"""The rules every object's metadata keeps, whatever its kind.

Source: k8s.io/apimachinery `api/validation.ValidateObjectMeta`.
"""

from __future__ import annotations

import re

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, objects, strings, text
from lateen.cluster.objects import Obj, metadata
from lateen.cluster.status import Cause, duplicate, forbidden_field, invalid_value, required

_ANNOTATIONS_LIMIT = 256 * 1024
_STANDARD_FINALIZERS = ("orphan", "foregroundDeletion", "kubernetes")


def validate_metadata(
    obj: Obj, *, namespaced: bool, name_rule: names.Rule = names.dns_subdomain, old: Obj | None = None
) -> list[Cause]:
    """What is wrong with `obj`'s metadata. With `old`, also what an update may not change."""
    meta = metadata(obj)
    found = _validate_names(meta, namespaced, name_rule) if old is None else _validate_changes(meta, metadata(old))
    found += validate_labels(mapping(meta, "labels"), "metadata.labels")
    found += validate_annotations(mapping(meta, "annotations"), "metadata.annotations")
    found += _validate_owner_references(meta)
    found += _validate_finalizers(meta)
    return found


def _validate_names(meta: Obj, namespaced: bool, name_rule: names.Rule) -> list[Cause]:
    found = []
    name, prefix, namespace = text(meta, "name"), text(meta, "generateName"), text(meta, "namespace")
    if prefix:
        # The generated suffix makes a trailing dash right.
        found += [
            invalid_value("metadata.generateName", prefix, e) for e in name_rule(re.sub(r"-$", "a", prefix[:4096]))
        ]
    if not name and not prefix:
        found.append(required("metadata.name", "name or generateName is required"))
    elif name:
        found += [invalid_value("metadata.name", name, e) for e in name_rule(name)]
    if namespaced:
        if not namespace:
            found.append(required("metadata.namespace"))
        else:
            found += [invalid_value("metadata.namespace", namespace, e) for e in names.dns_label(namespace)]
    elif namespace:
        found.append(forbidden_field("metadata.namespace", "not allowed on this type"))
    return found


def _validate_changes(meta: Obj, old: Obj) -> list[Cause]:
    found = []
    for field in ("name", "namespace", "uid", "creationTimestamp"):
        if meta.get(field) != old.get(field) and field in meta:
            found.append(invalid_value(f"metadata.{field}", meta.get(field), "field is immutable"))
    if old.get("deletionTimestamp"):
        added = sorted(set(strings(meta, "finalizers")) - set(strings(old, "finalizers")))
        if added:
            quoted = ", ".join(f'"{finalizer}"' for finalizer in added)
            detail = f"no new finalizers can be added if the object is being deleted, found new finalizers [{quoted}]"
            found.append(forbidden_field("metadata.finalizers", detail))
    return found


def validate_labels(labels: Obj, path: str) -> list[Cause]:
    found = []
    for key, value in labels.items():
        found += [invalid_value(path, key, e) for e in names.qualified_name(key)]
        found += [invalid_value(path, value, e) for e in names.label_value(str(value))]
    return found


def validate_annotations(annotations: Obj, path: str) -> list[Cause]:
    found = []
    size = 0
    for key, value in annotations.items():
        found += [invalid_value(path, key, e) for e in names.qualified_name(key.lower())]
        size += len(key.encode()) + len(str(value).encode())
    if size > _ANNOTATIONS_LIMIT:
        found.append(Cause("FieldValueTooLong", f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes", path))
    return found


def _validate_owner_references(meta: Obj) -> list[Cause]:
    found = []
    for path, owner in indexed(meta, "ownerReferences", "metadata"):
        if not text(owner, "apiVersion"):
            found.append(invalid_value(f"{path}.apiVersion", "", "version must not be empty"))
        for field in ("kind", "name", "uid"):
            if not text(owner, field):
                found.append(invalid_value(f"{path}.{field}", "", "must not be empty"))
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            found.append(invalid_value(path, "/v1, Kind=Event", "is disallowed from being an owner"))
    controllers = [owner for owner in objects(meta, "ownerReferences") if owner.get("controller")]
    if len(controllers) > 1:
        detail = 'Only one reference can have Controller set to true. Found "true" in references for ' + " and ".join(
            text(owner, "name") for owner in controllers[:2]
        )
        found.append(invalid_value("metadata.ownerReferences", None, detail))
    return found


def _validate_finalizers(meta: Obj) -> list[Cause]:
    found = []
    finalizers = strings(meta, "finalizers")
    for i, finalizer in enumerate(finalizers):
        path = f"metadata.finalizers[{i}]"
        found += [invalid_value(path, finalizer, e) for e in names.qualified_name(finalizer)]
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            found.append(
                invalid_value(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")
            )
        if finalizer in finalizers[:i]:
            found.append(duplicate(path, finalizer))
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        detail = "finalizer orphan and foregroundDeletion cannot be both set"
        found.append(invalid_value("metadata.finalizers", finalizers, detail))
    return found
