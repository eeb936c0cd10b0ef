"""`lateen validate`: judges manifests without any cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from lateen.api.kind import Kind
from lateen.api.kubernetes.config_map import ConfigMap
from lateen.api.mesh.parse import parse_mesh_config, parse_mesh_networks
from lateen.api.objects import Key
from lateen.api.parse import Parsed, parse
from lateen.api.schema.fault import Fault, Severity, error, warning
from lateen.api.security.authorization_support import unsupported_in
from lateen.cli.output import print_data
from lateen.injection.configuration import CONFIG_KEY, VALUES_KEY, parse_injection
from lateen.model.findings.not_enforced import not_enforced
from lateen.sources.files.field_lines import FieldLines
from lateen.sources.files.manifests import Manifest, ManifestError, Misfit, read_manifests

_SUFFIXES = (".yaml", ".yml", ".json")
_LARGEST = 64 * 1024 * 1024
"""Bytes of one file."""


class Finding(msgspec.Struct, frozen=True):
    """One fault, with where it is."""

    file: str
    line: int
    kind: str
    name: str
    """`namespace/name`, or as much of it as there is."""
    path: str
    severity: str
    message: str
    code: str = ""

    def __str__(self) -> str:
        subject = f"{self.kind} {self.name}".strip()
        parts = (f"{self.file}:{self.line}", self.severity, subject, self.path, self.message)
        code = f" [{self.code}]" if self.code else ""
        return ": ".join(filter(None, parts)) + code


class Report(msgspec.Struct):
    """What was found in all files."""

    findings: list[Finding] = []
    valid: int = 0
    invalid: int = 0
    skipped: int = 0
    """Objects of kinds that the mesh does not read."""
    places: dict[tuple[Kind, Key], str] = {}
    """Where each object was first seen."""

    @property
    def errors(self) -> int:
        return sum(finding.severity == Severity.ERROR.value for finding in self.findings)

    @property
    def warnings(self) -> int:
        return len(self.findings) - self.errors


@click.command(short_help="Judge manifests.")
@click.option(
    "-f",
    "--filename",
    "names",
    multiple=True,
    required=True,
    metavar="FILE|DIR|-",
    help="A file, a directory (its .yaml, .yml and .json files, at any depth), or - for standard input. Repeatable.",
)
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Print data for scripts.")
def validate(names: tuple[str, ...], output: str | None) -> None:
    """Judge manifests of the mesh's resources, of what the mesh reads of Kubernetes, and the mesh's own configuration
    in the ConfigMap istio, without any cluster.

    Prints each fault with its file, line and field. Exits with 1 if there is an error; warnings are no errors. Objects
    of other kinds are skipped and counted.

    \b
    Examples:
      lateen validate -f routes.yaml
      lateen validate -f manifests/ -f gateway.yaml
      kubectl get vs,dr -A -o yaml | lateen validate -f -
      lateen validate -f manifests/ -o json | jq '.findings[].message'
    """
    report = Report()
    for file, content in _contents(names):
        _judge(file, content, report)
    if output:
        counts = {name: getattr(report, name) for name in ("errors", "warnings", "valid", "invalid", "skipped")}
        print_data({**counts, "findings": msgspec.to_builtins(report.findings)}, output)
    else:
        _print(report)
    if report.errors:
        sys.exit(1)


def _contents(names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        if name == "-":
            yield "-", sys.stdin.buffer.read(_LARGEST + 1)
            continue
        for path in _files(Path(name)):
            try:
                with path.open("rb") as file:
                    yield str(path), file.read(_LARGEST + 1)
            except OSError as problem:
                raise click.ClickException(f"{path}: {problem.strerror}") from problem


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
    if not found:
        raise click.ClickException(f"{path} has no files ending in {', '.join(_SUFFIXES)}")
    return found


def _judge(file: str, content: bytes, report: Report) -> None:
    if len(content) > _LARGEST:
        _add(report, file, 1, None, "", (error("", f"more than {_LARGEST} bytes"),))
        return
    try:
        manifests = read_manifests(content)
    except ManifestError as problem:
        _add(report, file, problem.line, None, "", (error("", problem.message),))
        return
    lines = FieldLines(content)
    for manifest in manifests:
        if isinstance(manifest, Misfit):
            report.invalid += 1
            _add(report, file, manifest.line, None, "", (error("", manifest.message),))
        else:
            _judge_object(file, manifest, lines, report)


def _judge_object(file: str, manifest: Manifest, lines: FieldLines, report: Report) -> None:
    parsed = parse(manifest.raw)
    if parsed.kind is None and not parsed.faults:
        report.skipped += 1
        return
    faults = (
        *parsed.faults,
        *_mesh_faults(parsed.value),
        *(not_enforced(parsed.kind.kind) if parsed.kind is not None else ()),
        *unsupported_in(parsed.value),
        *_repeated(parsed, f"{file}:{manifest.line}", report),
    )
    if any(fault.severity is Severity.ERROR for fault in faults):
        report.invalid += 1
    else:
        report.valid += 1
    for fault in faults:
        line = lines.line(manifest.line, fault.path)
        _add(report, file, line, parsed, str(manifest.raw.get("kind", "")), (fault,))


def _repeated(parsed: Parsed, place: str, report: Report) -> Iterator[Fault]:
    if parsed.kind is not None and parsed.key.name:
        first = report.places.setdefault((parsed.kind, parsed.key), place)
        if first != place:
            yield warning("metadata.name", f"the same object as at {first}: only one of them can be applied")


def _mesh_faults(value: Any) -> Iterator[Fault]:
    """Of the mesh's own configuration, or injection's, if the object is the ConfigMap that holds it."""
    if not isinstance(value, ConfigMap) or value.metadata.name.partition("-")[0] != "istio":
        return
    for key, read in (("mesh", parse_mesh_config), ("meshNetworks", parse_mesh_networks)):
        if key in value.data:
            for fault in read(value.data[key])[1]:
                yield msgspec.structs.replace(fault, path=f"data.{key}.{fault.path}".rstrip("."))
    if value.metadata.name.startswith("istio-sidecar-injector"):
        for fault in parse_injection(value.data.get(CONFIG_KEY, ""), value.data.get(VALUES_KEY, ""))[1]:
            yield msgspec.structs.replace(fault, path=f"data.{fault.path}")


def _add(report: Report, file: str, line: int, parsed: Parsed | None, kind: str, faults: Iterable[Fault]) -> None:
    name = str(parsed.key) if parsed is not None else ""
    report.findings.extend(
        Finding(file, line, kind, name, fault.path, fault.severity.value, fault.message, fault.code) for fault in faults
    )


def _print(report: Report) -> None:
    for finding in report.findings:
        click.echo(str(finding))
    judged = report.valid + report.invalid
    click.echo(
        f"{_count(judged, 'object')} judged: {_count(report.errors, 'error')}, {_count(report.warnings, 'warning')}"
        + (f"; {_count(report.skipped, 'object')} of other kinds skipped" if report.skipped else "")
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
