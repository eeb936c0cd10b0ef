"""What is to be installed: -f, --set and --revision, read and judged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from lateen.api.schema.fault import Fault, Severity
from lateen.install.installation import Resolved, resolve
from lateen.install.operator_file import OperatorFile, OperatorFileError, read_operator_file
from lateen.install.paths import PathError
from lateen.install.set_flags import SetFlag, parse_set_flag
from lateen.install.values.operator import Operator
from lateen.sources.files.field_lines import FieldLines

F = TypeVar("F", bound=Callable[..., Any])
_LONGEST: Final = 4 * 1024 * 1024 + 1


def _refuse_manifests(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        raise click.UsageError(
            "--manifests is not supported: charts are part of this program. Write what differs with -f FILE "
            "(components.X.k8s.overlays reaches every field) or change the output of `lateen manifest generate`."
        )


def described(command: F) -> F:
    """-f, --set, --revision, --manifests."""
    for option in (
        click.option(
            "-d", "--manifests", "--charts", hidden=True, expose_value=False, callback=_refuse_manifests, is_eager=True
        ),
        click.option("-r", "--revision", default="", help="Name of this control plane among others."),
        click.option(
            "-s",
            "--set",
            "flags",
            multiple=True,
            metavar="PATH=VALUE",
            help="A value of the spec, over all files: profile=demo, values.pilot.replicaCount=2, "
            "components.ingressGateways[name:istio-ingressgateway].enabled=false. Repeatable.",
        ),
        click.option(
            "-f",
            "--filename",
            "files",
            multiple=True,
            metavar="FILE|-",
            help="An IstioOperator. Several are merged, later ones over earlier ones; - is standard input.",
        ),
    ):
        # The last one is shown first.
        command = option(command)
    return command


def resolved(
    files: Sequence[str], flags: Sequence[str], revision: str, namespace: str = "", *, quiet: bool = False
) -> Operator:
    """What the options describe. Faults go to standard error; with an error among them, the command ends."""
    read, parsed = _read(files, flags, revision, namespace)
    outcome = resolve(read, parsed)
    for fault in outcome.faults:
        if fault.severity is Severity.ERROR or not quiet:
            click.echo(_sentence(fault, read, outcome), err=True)
    if outcome.operator is None:
        count = len(outcome.errors)
        raise click.ClickException(f"{count} {'error' if count == 1 else 'errors'}: nothing is done")
    return outcome.operator


def _read(
    files: Sequence[str], flags: Sequence[str], revision: str, namespace: str
) -> tuple[list[OperatorFile], list[SetFlag]]:
    try:
        read = [document for name in files for document in read_operator_file(name, _content(name))]
        parsed = [parse_set_flag(flag) for flag in flags]
        for key, value in (("revision", revision), ("namespace", namespace)):
            if value:
                parsed.append(parse_set_flag(f"{key}={value}"))
    except OperatorFileError as problem:
        raise click.ClickException(str(problem)) from problem
    except PathError as problem:
        raise click.UsageError(f"--set: {problem}") from problem
    return read, parsed


def _content(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(_LONGEST)
    try:
        with Path(name).open("rb") as file:
            return file.read(_LONGEST)
    except OSError as problem:
        raise click.ClickException(f"{name}: {problem.strerror}") from problem


def _sentence(fault: Fault, files: Sequence[OperatorFile], outcome: Resolved) -> str:
    """With the file and the line, where one says so; `--set` comes after all files, and profiles are ours."""
    place = ""
    for file in reversed(files):
        lines = FieldLines(file.content)
        path = f"spec.{fault.path}" if fault.path else ""
        line = lines.line(file.line, path)
        if _has(file.spec, fault.path):
            place = f"{file.name}:{line}: "
            break
    parts = (fault.severity.value, fault.path, fault.message)
    return place + ": ".join(filter(None, parts))


def _has(spec: Any, path: str) -> bool:
    """Whether the first keys of a path are in the spec, as far as they are keys."""
    here = spec
    for step in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(here, dict) and step in here:
            here = here[step]
        elif isinstance(here, list) and step.isdecimal() and int(step) < len(here):
            here = here[int(step)]
        else:
            return False
    return True


def with_revision_tag(operator: Operator, tag: str) -> Operator:
    """The operator, with one tag more for its revision."""
    values = operator.values
    tags = (*values.revision_tags, tag)
    return msgspec.structs.replace(operator, values=msgspec.structs.replace(values, revision_tags=tags))
