"""The rules of a pod's volumes.

Source: k8s.io/kubernetes `pkg/apis/core/validation/validation.go`.
"""

from __future__ import annotations

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kinds.core.container_validation import (
    validate_descending_path,
    validate_field_reference,
)
from lateen.cluster.apiserver.kinds.core.resource_validation import read_quantity
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, number, text
from lateen.cluster.objects import Obj
from lateen.cluster.status import Cause, duplicate, forbidden_field, invalid_value, not_supported, required

_FILE_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_MODE_RANGE = "must be a number between 0 and 0777 (octal), both inclusive"
_MIN_TOKEN_SECONDS = 600
_MAX_TOKEN_SECONDS = 2**32


def validate_volumes(spec: Obj, path: str) -> tuple[set[str], list[Cause]]:
    """The volumes' names, and what is wrong with the volumes."""
    found: list[Cause] = []
    seen: set[str] = set()
    for at, volume in indexed(spec, "volumes", path):
        name = text(volume, "name")
        if not name:
            found.append(required(f"{at}.name"))
        else:
            errors = names.dns_label(name)
            found += [invalid_value(f"{at}.name", name, e) for e in errors]
            if not errors and name in seen:
                found.append(duplicate(f"{at}.name", name))
        seen.add(name)
        found += _validate_source(volume, at)
    return seen, found


def _validate_source(volume: Obj, path: str) -> list[Cause]:
    given = [field for field, value in volume.items() if field != "name" and isinstance(value, dict)]
    if not given:
        return [required(path, "must specify a volume type")]
    found = [
        forbidden_field(f"{path}.{field}", "may not specify more than 1 volume type") for field in sorted(given)[1:]
    ]
    field = sorted(given)[0]
    source, at = mapping(volume, field), f"{path}.{field}"
    match field:
        case "hostPath":
            found += _validate_host_path(source, at)
        case "emptyDir":
            if source.get("sizeLimit") is not None:
                read_quantity(source["sizeLimit"], f"{at}.sizeLimit", found)
        case "secret":
            if not text(source, "secretName"):
                found.append(required(f"{at}.secretName"))
            found += _validate_files(source, at)
        case "configMap":
            if not text(source, "name"):
                found.append(required(f"{at}.name"))
            found += _validate_files(source, at)
        case "downwardAPI":
            found += _validate_mode(source, "defaultMode", at)
            found += _validate_downward(source, at)
        case "projected":
            found += _validate_projected(source, at)
        case "persistentVolumeClaim":
            if not text(source, "claimName"):
                found.append(required(f"{at}.claimName"))
    return found


def _validate_host_path(source: Obj, path: str) -> list[Cause]:
    where = text(source, "path")
    if not where:
        return [required(f"{path}.path")]
    found = []
    if ".." in where.split("/"):
        found.append(invalid_value(f"{path}.path", where, "must not contain '..'"))
    if source.get("type") is not None and source["type"] not in _HOST_PATH_TYPES:
        found.append(not_supported(f"{path}.type", source["type"], _HOST_PATH_TYPES))
    return found


def _validate_mode(source: Obj, field: str, path: str) -> list[Cause]:
    mode = source.get(field)
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid_value(f"{path}.{field}", mode, _MODE_RANGE)]


def _validate_files(source: Obj, path: str) -> list[Cause]:
    found = _validate_mode(source, "defaultMode", path)
    for at, item in indexed(source, "items", path):
        if not text(item, "key"):
            found.append(required(f"{at}.key"))
        if not text(item, "path"):
            found.append(required(f"{at}.path"))
        found += validate_descending_path(text(item, "path"), f"{at}.path")
        found += _validate_mode(item, "mode", at)
    return found


def _validate_downward(source: Obj, path: str) -> list[Cause]:
    found = []
    for at, item in indexed(source, "items", path):
        if not text(item, "path"):
            found.append(required(f"{at}.path"))
        found += validate_descending_path(text(item, "path"), f"{at}.path")
        if isinstance(item.get("fieldRef"), dict):
            found += validate_field_reference(item["fieldRef"], f"{at}.fieldRef", _FILE_FIELDS)
            if isinstance(item.get("resourceFieldRef"), dict):
                found.append(
                    invalid_value(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
                )
        elif isinstance(item.get("resourceFieldRef"), dict):
            reference = item["resourceFieldRef"]
            for field in ("containerName", "resource"):
                if not text(reference, field):
                    found.append(required(f"{at}.resourceFieldRef.{field}"))
        else:
            found.append(required(f"{at}.fieldRef", "one of fieldRef and resourceFieldRef is required"))
        found += _validate_mode(item, "mode", at)
    return found


def _validate_projected(source: Obj, path: str) -> list[Cause]:
    found = _validate_mode(source, "defaultMode", path)
    paths: set[str] = set()
    for at, part in indexed(source, "sources", path):
        given = sorted(field for field, value in part.items() if isinstance(value, dict))
        if len(given) > 1:
            found += [forbidden_field(f"{at}.{f}", "may not specify more than 1 volume type") for f in given[1:]]
            continue
        if not given:
            found.append(required(at, "must specify a projected volume source type"))
            continue
        field, where = given[0], f"{at}.{given[0]}"
        detail = mapping(part, field)
        if field in ("secret", "configMap"):
            if not text(detail, "name"):
                found.append(required(f"{where}.name"))
            found += _validate_files(detail, where)
        elif field == "downwardAPI":
            found += _validate_downward(detail, where)
        elif field == "serviceAccountToken":
            found += _validate_token(detail, where)
        produced = [text(item, "path") for _, item in indexed(detail, "items", where)] or [text(detail, "path")]
        for target in filter(None, produced):
            if target in paths:
                found.append(invalid_value(f"{where}.path", target, "conflicting duplicate paths"))
            paths.add(target)
    return found


def _validate_token(token: Obj, path: str) -> list[Cause]:
    found = []
    seconds = number(token, "expirationSeconds")
    if seconds < _MIN_TOKEN_SECONDS:
        detail = "may not specify a duration less than 10 minutes"
        found.append(invalid_value(f"{path}.expirationSeconds", seconds, detail))
    elif seconds > _MAX_TOKEN_SECONDS:
        detail = "may not specify a duration larger than 2^32 seconds"
        found.append(invalid_value(f"{path}.expirationSeconds", seconds, detail))
    if not text(token, "path"):
        found.append(required(f"{path}.path"))
    return found + validate_descending_path(text(token, "path"), f"{path}.path")
