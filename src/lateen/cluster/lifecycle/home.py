"""The home of all clusters on this machine: which exist, and a free index for the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from lateen.cluster.layout import MAX_CLUSTERS, Layout
from lateen.cluster.spec import Spec, load_spec, save_spec

_LOCKED = Path("/run")
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?")


class ClusterError(Exception):
    """Something the user can mend; the message says how."""


def check_name(name: str) -> str:
    """Returns the name. Raises ClusterError when it cannot name namespaces, contexts and nodes."""
    if not _NAME.fullmatch(name):
        raise ClusterError(
            f"cluster name {name!r}: expected at most 20 of a-z, 0-9 and '-', beginning with a letter "
            "and not ending with '-'"
        )
    return name


class Home:
    """`<home>/clusters/<name>/`, one directory per cluster."""

    def __init__(self, path: Path) -> None:
        self._clusters = path / "clusters"

    def root(self, name: str) -> Path:
        return self._clusters / check_name(name)

    def names(self) -> list[str]:
        """Clusters with a spec, running or not, by name."""
        return sorted(path.parent.name for path in self._clusters.glob("*/cluster.json"))

    def layout(self, name: str) -> Layout:
        """Raises ClusterError when there is no such cluster."""
        return Layout(name, self.spec(name).index, self.root(name))

    def spec(self, name: str) -> Spec:
        """Raises ClusterError when there is no such cluster or its file is broken."""
        try:
            return load_spec(self.root(name))
        except FileNotFoundError:
            known = ", ".join(self.names()) or "none"
            raise ClusterError(
                f"there is no cluster {name!r} (clusters here: {known}); make it with: lateen cluster up --name {name}"
            ) from None
        except ValueError as error:
            raise ClusterError(str(error)) from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Serialises changes of the clusters of this machine, whatever home they are in: ranges are the machine's.

        The lock is on a directory that every machine has, so that nothing is left behind.
        """
        self._clusters.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(_LOCKED, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def claim(self, spec_of: Callable[[int], Spec], name: str, is_free: Callable[[Layout], bool]) -> Layout:
        """Makes the cluster's directory with the lowest index that no cluster has and whose ranges are free here.

        Call with the lock held. Raises ClusterError when all indexes are taken.
        """
        taken = {load_spec(self.root(other)).index for other in self.names()}
        root = self.root(name)
        for index in range(MAX_CLUSTERS):
            layout = Layout(name, index, root)
            if index in taken or not is_free(layout):
                continue
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            save_spec(root, spec_of(index))
            return layout
        raise ClusterError(
            f"no free address ranges: {len(taken)} of {MAX_CLUSTERS} are taken; take a cluster down first"
        )
