"""The image catalog: which program on this machine an image reference means.

The shipped entries are `catalog.yaml` next to this file; a user's own are YAML files in `Layout.images`, written by
hand or by `lateen cluster load-image`, read again when they change, and looked at first.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lateen.cluster.images.reference import Reference, ReferenceError, matches, parse_reference
from lateen.cluster.layout import Layout
from lateen.cluster.replaced_file import replace_file

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FIELDS = frozenset({"image", "entrypoint", "command", "env", "workingDir", "user"})
_MAX_FILE = 1 << 20


class CatalogError(ValueError):
    """A bad entry: the message says in which file, at which entry, what."""


class UnknownImageError(LookupError):
    """No entry for an image; `reason` is the container's waiting reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Image:
    """What runs for an image, in the terms of an image's configuration."""

    patterns: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = "/"
    user: str = ""

    def argv(self, command: Sequence[str], args: Sequence[str]) -> list[str]:
        """The container's `command` replaces the entrypoint and drops the default arguments, `args` replace these."""
        if command:
            return [*command, *args]
        return [*self.entrypoint, *(args or self.command)]

    @property
    def id(self) -> str:
        """A digest of what it runs: pods' `imageID`."""
        text = repr((self.entrypoint, self.command, sorted(self.env.items()), self.working_directory, self.user))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def placeholders() -> dict[str, str]:
    """What `{...}` in an entry's strings stands for."""
    return {
        "{python}": sys.executable,
        "{python_directory}": str(Path(sys.base_prefix) / "bin"),
        "{commands}": str(Path(sys.executable).parent),
        "{package}": str(Path(__file__).parents[2]),
    }


class Catalog:
    """The shipped entries and those of the user's own directory."""

    def __init__(self, layout: Layout) -> None:
        self._directory = layout.images
        self._cluster = layout.name
        self._placeholders = placeholders()
        self._shipped = self._read(Path(__file__).with_name("catalog.yaml"))
        self._own: dict[Path, tuple[tuple[int, int], list[Image] | CatalogError]] = {}

    def find(self, text: str) -> tuple[Reference, Image]:
        """The program for an image reference. Raises UnknownImageError, which says what to do about it."""
        try:
            reference = parse_reference(text)
        except ReferenceError as error:
            raise UnknownImageError(
                "InvalidImageName", f'Failed to apply default image tag "{text}": couldn\'t parse image name: {error}'
            ) from None
        faults = self._refresh()
        own = [image for _, found in self._own.values() if not isinstance(found, CatalogError) for image in found]
        for image in (*own, *self._shipped):
            if any(matches(pattern, reference) for pattern in image.patterns):
                return reference, image
        message = (
            f'failed to pull image "{text}": not in the image catalog; add it with '
            f"`lateen cluster load-image --name {self._cluster} {text} -- PROGRAM [ARGUMENT...]` or in a file "
            f"{self._directory}/NAME.yaml"
        )
        if faults:
            message += "; " + "; ".join(str(fault) for fault in faults)
        raise UnknownImageError("ErrImagePull", message)

    def _refresh(self) -> list[CatalogError]:
        """Reads the user's files that are new or have changed; the faults of all."""
        present = sorted(self._directory.glob("*.yaml")) if self._directory.is_dir() else []
        kept: dict[Path, tuple[tuple[int, int], list[Image] | CatalogError]] = {}
        for path in present:
            try:
                status = path.stat()
                version = (status.st_mtime_ns, status.st_ino)
                known = self._own.get(path)
                kept[path] = known if known is not None and known[0] == version else (version, self._read(path))
            except OSError as error:
                kept[path] = ((0, 0), CatalogError(f"{path}: {error.strerror}"))
            except CatalogError as error:
                kept[path] = (version, error)
        self._own = kept
        return [found for _, found in kept.values() if isinstance(found, CatalogError)]

    def _read(self, path: Path) -> list[Image]:
        with open(path, "rb") as file:
            data = file.read(_MAX_FILE + 1)
        if len(data) > _MAX_FILE:
            raise CatalogError(f"{path}: larger than {_MAX_FILE} bytes")
        try:
            document = yaml.safe_load(data)
        except yaml.YAMLError as error:
            raise CatalogError(f"{path}: {' '.join(str(error).split())}") from None
        if document is None:
            return []
        if not isinstance(document, dict) or not isinstance(document.get("images"), list):
            raise CatalogError(f"{path}: expected a mapping with a list `images`")
        return [self._entry(entry, f"{path}: images[{n}]") for n, entry in enumerate(document["images"])]

    def _entry(self, entry: Any, where: str) -> Image:
        if not isinstance(entry, dict):
            raise CatalogError(f"{where}: expected a mapping")
        if unknown := sorted(set(entry) - _FIELDS):
            raise CatalogError(f"{where}: unknown field {unknown[0]!r}; known: {', '.join(sorted(_FIELDS))}")
        patterns = entry.get("image")
        patterns = [patterns] if isinstance(patterns, str) else patterns
        env = entry.get("env") or {}
        if not isinstance(env, dict) or not all(isinstance(v, str | int | float) for v in env.values()):
            raise CatalogError(f"{where}.env: expected a mapping of names to strings")
        working_directory = entry.get("workingDir") or "/"
        if not isinstance(working_directory, str) or not working_directory.startswith("/"):
            raise CatalogError(f"{where}.workingDir: expected an absolute path")
        strings = self._strings(patterns, f"{where}.image")
        if not strings:
            raise CatalogError(f"{where}.image: expected at least one image reference or pattern")
        return Image(
            patterns=strings,
            entrypoint=self._strings(entry.get("entrypoint") or [], f"{where}.entrypoint"),
            command=self._strings(entry.get("command") or [], f"{where}.command"),
            env={str(name): self._expand(str(value)) for name, value in env.items()},
            working_directory=working_directory,
            user=str(entry.get("user") or ""),
        )

    def _strings(self, value: Any, where: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CatalogError(f"{where}: expected a list of strings")
        return tuple(self._expand(item) for item in value)

    def _expand(self, text: str) -> str:
        for placeholder, value in self._placeholders.items():
            text = text.replace(placeholder, value)
        return text


def load_image(
    layout: Layout,
    reference: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    working_directory: str = "",
    user: str = "",
) -> Path:
    """Adds (or replaces) the entry of one image in the cluster's catalog; running nodes see it at once.

    `argv` is the entrypoint. Returns the file written. Raises ReferenceError for a bad reference, ValueError.
    """
    # A pattern is a reference with wildcards in place of characters.
    parse_reference(re.sub(r"[*?]+", "x", reference))
    if not argv:
        raise ValueError("the program is missing")
    entry: dict[str, Any] = {"image": [reference], "entrypoint": list(argv)}
    if env:
        entry["env"] = dict(env)
    if working_directory:
        if not working_directory.startswith("/"):
            raise ValueError(f"working directory {working_directory!r}: expected an absolute path")
        entry["workingDir"] = working_directory
    if user:
        entry["user"] = user
    layout.images.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9]+", "-", reference).strip("-")
    path = layout.images / f"{name}-{hashlib.sha256(reference.encode()).hexdigest()[:8]}.yaml"
    replace_file(path, yaml.safe_dump({"images": [entry]}, sort_keys=False).encode())
    return path
