"""Writes the table of protobuf fields of Kubernetes' API types, from the struct tags of the Go modules.

    go mod download k8s.io/{api,apimachinery,apiextensions-apiserver}@v0.33.1
    python scripts/protobuf_fields.py "$(go env GOMODCACHE)/k8s.io" 0.33.1 \\
        src/lateen/cluster/apiserver/protobuf/fields.json

Only facts are taken over: numbers, JSON names and types. `apiserver.protobuf.field_table` explains the format.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

GROUPS = (
    *("admissionregistration/v1", "apps/v1", "authentication/v1", "authorization/v1", "autoscaling/v1"),
    *("autoscaling/v2", "batch/v1", "certificates/v1", "coordination/v1", "core/v1", "discovery/v1", "events/v1"),
    *("networking/v1", "node/v1", "policy/v1", "rbac/v1", "scheduling/v1", "storage/v1"),
)
META = "meta/v1"
EXTENSIONS = "apiextensions/v1"
SPECIAL = {
    "resource.Quantity": "quantity",
    "intstr.IntOrString": "int_or_string",
    "runtime.RawExtension": "raw",
    f"{META}.Time": "time",
    f"{META}.MicroTime": "micro_time",
    f"{META}.FieldsV1": "raw",
    f"{EXTENSIONS}.JSON": "raw",
}
UNION = re.compile(rf"{EXTENSIONS}\.JSONSchemaPropsOr\w+")
"""Messages of which JSON shows one field's value in their stead."""
SCALARS = {"string": "string", "bool": "bool", "int32": "int", "int64": "int", "int": "int", "float64": "double"}
_IMPORT = re.compile(r'^\s*(?:import\s+)?(\w+)?\s*"k8s\.io/(?:api|apimachinery/pkg/apis)/(\w+/v\w+)"')
_ALIAS = re.compile(r"^type (\w+) (?!struct|interface)(\S+)")
_STRUCT = re.compile(r"^type (\w+) struct ?\{")
_FIELD = re.compile(r"^\s+(?:(\w+)\s+)?(\S+)\s+`([^`]*)`")
_JSON = re.compile(r'json:"([^"]*)"')
_PROTOBUF = re.compile(r'protobuf:"\w+,(\d+)(,rep)?(?:,(?!name=)\w+)*(?:,name=(\w+))?')

Fields = list[list[object]]


class Package:
    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.imports: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.structs: dict[str, list[tuple[int, str, str, bool, bool]]] = {}
        for path in sorted(directory.glob("*.go")):
            if not re.search(r"_test\.go$|generated|swagger", path.name):
                self._read(path.read_text())

    def _read(self, source: str) -> None:
        struct = None
        for line in source.splitlines():
            if found := _IMPORT.match(line):
                self.imports[found[1] or found[2].split("/")[1]] = found[2]
            elif found := _STRUCT.match(line):
                struct = self.structs.setdefault(found[1], [])
            elif found := _ALIAS.match(line):
                self.aliases[found[1]] = found[2]
            elif line.startswith("}"):
                struct = None
            elif struct is not None and (found := _FIELD.match(line)):
                wire, name = _PROTOBUF.search(found[3]), _JSON.search(found[3])
                # The fields of unions have no JSON names.
                json_tag = name[1] if name else wire[3] if wire and found[1] else None
                if wire and json_tag is not None:
                    json_name, *options = json_tag.split(",")
                    struct.append((int(wire[1]), json_name, found[2], "omitempty" in options, wire[2] is not None))


class Table:
    def __init__(self, packages: dict[str, Package]) -> None:
        self.packages = packages

    def type_of(self, package: Package, go: str, repeated: bool = False) -> str:
        """`[]T`, `{}T`, a scalar or special name, or `package.Message`."""
        go = go.removeprefix("*")
        if go == "[]byte":
            return "bytes"
        if go.startswith("[]"):
            return "[]" + self.type_of(package, go[2:])
        if go.startswith("map["):
            return "{}" + self.type_of(package, go[go.index("]") + 1 :])
        if go in SCALARS:
            return SCALARS[go]
        if go in SPECIAL:
            return SPECIAL[go]
        prefix, _, name = go.rpartition(".")
        owner = self.packages[package.imports[prefix]] if prefix in package.imports else package
        if prefix and owner is package:
            # Types of packages that are not read are strings: types.UID and the like.
            return "string"
        qualified = f"{owner.name}.{name}"
        if qualified in SPECIAL:
            return SPECIAL[qualified]
        if name in owner.structs:
            return f"one:{qualified}" if UNION.fullmatch(qualified) else qualified
        aliased = owner.aliases[name]
        # A named list is a message of its own in protobuf, unless its field says that it repeats.
        if aliased.startswith("[]") and not repeated:
            return f"list:{self.type_of(owner, aliased[2:])}"
        return self.type_of(owner, aliased)

    def fields(self) -> dict[str, Fields]:
        found: dict[str, Fields] = {}
        for package in self.packages.values():
            for struct, fields in package.structs.items():
                qualified = f"{package.name}.{struct}"
                if qualified not in SPECIAL:
                    found[qualified] = [
                        [number, name, self.type_of(package, go, repeated), int(omitempty and not go.startswith("*"))]
                        for number, name, go, omitempty, repeated in fields
                    ]
        # Most empty ones are no messages at all, but Go types that nothing on the wire has.
        used = {str(type_).split(":")[-1] for fields in found.values() for _, _, type_, _ in fields}
        return {name: fields for name, fields in found.items() if fields or name in used}


def main() -> None:
    modules, version, target = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    packages = {group: Package(group, modules / f"api@v{version}" / group) for group in GROUPS}
    packages[META] = Package(META, modules / f"apimachinery@v{version}" / "pkg/apis" / META)
    extensions = modules / f"apiextensions-apiserver@v{version}" / "pkg/apis" / EXTENSIONS
    packages[EXTENSIONS] = Package(EXTENSIONS, extensions)
    fields = Table(packages).fields()
    lines = [f"{json.dumps(name)}:{json.dumps(fields[name], separators=(',', ':'))}" for name in sorted(fields)]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
