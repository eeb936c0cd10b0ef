"""Names of what each revision of the control plane has for itself."""

from __future__ import annotations


def of_revision(name: str, revision: str) -> str:
    """`istiod` of the default revision (`default`, or empty), `istiod-canary` of the revision canary."""
    return name if revision in ("", "default") else f"{name}-{revision}"
