"""What a cluster was asked to be: the one small file that its processes and `up`/`down` share."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lateen.cluster.replaced_file import replace_file


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of `<cluster directory>/cluster.json`."""

    name: str
    index: int
    """Fixes the cluster's address ranges; see `layout`."""
    nodes: int = 1
    peers: tuple[str, ...] = ()
    """Names of clusters whose pods ours reach by IP."""
    egress: bool = False
    """Whether pods may reach beyond the machine (masqueraded)."""
    node_labels: dict[str, dict[str, str]] = {}
    """Extra labels per node name, such as `topology.kubernetes.io/zone`."""


def load_spec(root: Path) -> Spec:
    """Reads the spec of the cluster in `root`. Raises FileNotFoundError, or ValueError naming the file's fault."""
    path = root / "cluster.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Spec)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: {error}") from error


def save_spec(root: Path, spec: Spec) -> None:
    """Replaces the spec file atomically and durably."""
    replace_file(root / "cluster.json", msgspec.json.format(msgspec.json.encode(spec)) + b"\n")
