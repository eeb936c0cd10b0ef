"""The user's kubeconfig: adding and removing the context of one cluster, leaving all else as it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lateen.cluster.lifecycle.home import ClusterError
from lateen.cluster.replaced_file import replace_file

_SECTIONS = ("clusters", "contexts", "users")


class Owner(NamedTuple):
    """The user whose file it is, when root acts on their behalf."""

    uid: int
    gid: int


def context_name(cluster: str) -> str:
    return f"lateen-{cluster}"


def cluster_kubeconfig(admin: Path, cluster: str) -> dict[str, Any]:
    """The admin kubeconfig of a cluster with every entry renamed to its context's name."""
    source = yaml.safe_load(admin.read_text())
    name = context_name(cluster)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": source["clusters"][0]["cluster"]}],
        "users": [{"name": name, "user": source["users"][0]["user"]}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "preferences": {},
    }


def add_context(path: Path, admin: Path, cluster: str, owner: Owner | None = None) -> None:
    """Adds the cluster's entries to the kubeconfig at `path` (made if absent) and makes its context current.

    With an owner, root does so with their rights and no others, and what it makes is theirs.
    """
    added = cluster_kubeconfig(admin, cluster)
    with _acting_as(owner), _locked(path):
        config = _read(path)
        _drop(config, context_name(cluster))
        for section in _SECTIONS:
            config.setdefault(section, []).extend(added[section])
        config["current-context"] = added["current-context"]
        _write(path, config)


def remove_context(path: Path, cluster: str, owner: Owner | None = None) -> None:
    """Removes the cluster's entries; removes the file when nothing but the entries made it."""
    with _acting_as(owner):
        if path.exists():
            _remove(path, cluster)


def _remove(path: Path, cluster: str) -> None:
    with _locked(path):
        config = _read(path)
        name = context_name(cluster)
        _drop(config, name)
        if config.get("current-context") == name:
            config["current-context"] = ""
        if any(config.get(section) for section in _SECTIONS):
            _write(path, config)
        else:
            path.unlink(missing_ok=True)


def _drop(config: dict[str, Any], name: str) -> None:
    for section in _SECTIONS:
        config[section] = [entry for entry in config.get(section) or [] if entry.get("name") != name]


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    try:
        config = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ClusterError(f"{path} is not a kubeconfig: {error}") from error
    if not isinstance(config, dict):
        raise ClusterError(f"{path} is not a kubeconfig: expected a mapping at its top")
    return config


def _write(path: Path, config: dict[str, Any]) -> None:
    # The file holds keys; the target of a symlink is replaced, not the link.
    replace_file(path.resolve(), yaml.safe_dump(config, sort_keys=False).encode(), mode=0o600)


@contextlib.contextmanager
def _acting_as(owner: Owner | None) -> Iterator[None]:
    """Files below a user's home are never written with root's rights: a symlink there may lead anywhere."""
    if owner is None:
        yield
        return
    uid, gid, groups = os.geteuid(), os.getegid(), os.getgroups()
    os.setgroups([owner.gid])
    os.setegid(owner.gid)
    os.seteuid(owner.uid)
    try:
        yield
    finally:
        os.seteuid(uid)
        os.setegid(gid)
        os.setgroups(groups)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two of our commands may edit the file at once; the lock is on a file of ours so that nothing is left behind."""
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
        if made and not any(path.parent.iterdir()):
            path.parent.rmdir()
