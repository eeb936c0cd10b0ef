"""What the path of the webhook's URL says of proxies: `/inject/cluster/remote/net/network2`.

For webhooks whose pods are in another cluster than the control plane. A `--slash--` in a value stands for a slash.
"""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = {"cluster": "ISTIO_META_CLUSTER_ID", "net": "ISTIO_META_NETWORK"}
_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_MOST: Final = 32
_LONGEST: Final = 1024


def proxy_environment(path: str) -> dict[str, str]:
    """From what follows `/inject/`, in pairs. Other names are variables themselves, in capitals; what is no name, and a
    last name without a value, is left out, as in Istio."""
    parts = path.split("/")[: 2 * _MOST]
    found = {}
    for name, value in zip(parts[::2], parts[1::2], strict=False):
        variable = _NAMES.get(name, name.upper())
        if _NAME.fullmatch(variable) and len(value) <= _LONGEST:
            found[variable] = value.replace("--slash--", "/")
    return found
