"""Envoy's protobuf messages by name, imported when they are asked for: all of them would cost a second and 100 MB."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory

_ROOTS: Final = ("envoy.", "google.protobuf.", "google.rpc.", "udpa.", "xds.")
"""Names come from users: nothing else is imported."""
_NAME: Final = re.compile(r"((?:[a-z][a-z0-9_]*\.)+)[A-Z][A-Za-z0-9_]*(?:\.[A-Z][A-Za-z0-9_]*)*")
"""A package, and a message in it or in another message."""


def message_class(name: str) -> Any | None:
    """The class of a message by its full name (`envoy.config.cluster.v3.Cluster`); None if it is not known here."""
    descriptor = message_descriptor(name)
    return message_factory.GetMessageClass(descriptor) if descriptor is not None else None


def message_descriptor(name: str) -> Any | None:
    """Its descriptor; None if it is not known here."""
    pool = descriptor_pool.Default()
    for _ in range(2):
        try:
            return pool.FindMessageTypeByName(name)
        except KeyError:
            if not _import_package(name):
                return None
    return None


def _import_package(name: str) -> bool:
    """Imports what defines the messages of a message's package; Python's packages are called like protobuf's."""
    match = _NAME.fullmatch(name)
    if match is None or not name.startswith(_ROOTS):
        return False
    package = match[1].rstrip(".")
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return False
    if spec is None or spec.submodule_search_locations is None:
        return False
    for module in pkgutil.iter_modules(spec.submodule_search_locations):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{package}.{module.name}")
    return True
