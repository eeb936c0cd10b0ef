"""The control plane may do what docs/control-plane.md lists, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lateen.api.kinds import MESH_KINDS
from lateen.install.rendering.rights import cluster_rules, namespace_rules

_DOCUMENT = Path(__file__).parents[3] / "docs" / "control-plane.md"
_ROW = re.compile(r"^\| (cluster|own namespace) \| (.+?) \| (.+?) \| (.+?) \|", re.MULTILINE)

Right = tuple[str, str, str, str]


def _granted() -> set[Right]:
    return set(_rights("cluster", cluster_rules())) | set(_rights("own namespace", namespace_rules()))


def _rights(where: str, rules: list[dict[str, Any]]) -> Iterator[Right]:
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield where, group, resource, verb


def _documented() -> set[Right]:
    found: set[Right] = set()
    groups: list[str] = []
    for where, named, resources, verbs in _ROW.findall(_DOCUMENT.read_text()):
        if named != "the same":
            groups = [group.strip("`").strip('"') for group in named.split(", ")]
        suffix = "/status" if resources.endswith("with `/status`") else ""
        for group in groups:
            plurals = [kind.plural for kind in MESH_KINDS if kind.group == group]
            whole = resources.startswith(("all kinds", "the same"))
            for resource in plurals if whole else resources.split(", "):
                found |= {(where, group, resource + suffix, verb) for verb in verbs.split(", ")}
    return found


def test_what_is_granted_is_what_is_documented() -> None:
    documented, granted = _documented(), _granted()
    assert len(documented) > 40
    assert granted - documented == set()
    assert documented - granted == set()


def test_there_are_no_wildcards() -> None:
    for rule in (*cluster_rules(), *namespace_rules()):
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])


def test_secrets_are_written_in_the_own_namespace_alone() -> None:
    written = {(where, verb) for where, _, resource, verb in _granted() if resource == "secrets"}
    assert {where for where, verb in written if verb not in ("get", "list", "watch")} == {"own namespace"}
    named = [rule for rule in namespace_rules() if rule["resources"] == ["secrets"] and "update" in rule["verbs"]]
    assert [rule["resourceNames"] for rule in named] == [["istio-ca-secret"]]


def test_of_the_config_maps_of_others_only_the_roots_are_changed() -> None:
    changed = [rule for rule in cluster_rules() if "configmaps" in rule["resources"] and "patch" in rule["verbs"]]
    assert [rule["resourceNames"] for rule in changed] == [["istio-ca-root-cert"]]
    assert not any("configmaps" in rule["resources"] and "update" in rule["verbs"] for rule in cluster_rules())
