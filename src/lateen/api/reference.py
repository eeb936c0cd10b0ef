"""The reference documentation of everything that users may write: `python -m lateen.api.reference DIRECTORY`."""

from __future__ import annotations

import argparse
from pathlib import Path

from lateen.api.kinds import MESH_KINDS
from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.mesh_networks import MeshNetworks
from lateen.api.schema.documentation import Documentation
from lateen.api.schema.reference import kind_page, message_page

_NOTE = "<!-- Made from the types by `python -m lateen.api.reference`; edit those. -->\n\n"


def reference() -> dict[str, str]:
    """All pages by file name."""
    documentation = Documentation()
    pages = {f"{kind.singular}.md": kind_page(kind, documentation) for kind in MESH_KINDS}
    pages["meshconfig.md"] = message_page(
        "MeshConfig",
        "Settings of the whole mesh: the field `mesh` of the ConfigMap `istio` in the root namespace.",
        MeshConfig,
        documentation,
    )
    pages["meshnetworks.md"] = message_page(
        "MeshNetworks",
        "The networks of the mesh: the field `meshNetworks` of the ConfigMap `istio` in the root namespace.",
        MeshNetworks,
        documentation,
    )
    lines = ["# Reference", "", "What the mesh reads, field by field.", "", "| | |", "| --- | --- |"]
    lines += [f"| [{kind.kind}]({kind.singular}.md) | {kind.description} |" for kind in MESH_KINDS]
    lines += ["| [MeshConfig](meshconfig.md) | Settings of the whole mesh. |"]
    lines += ["| [MeshNetworks](meshnetworks.md) | The networks of the mesh. |"]
    pages["README.md"] = "\n".join(lines) + "\n"
    return {name: _NOTE + text for name, text in pages.items()}


def main(directory: Path) -> None:
    """Writes all pages into a directory, and removes those of kinds that are no more."""
    directory.mkdir(parents=True, exist_ok=True)
    pages = reference()
    for stale in {path.name for path in directory.glob("*.md")} - set(pages):
        (directory / stale).unlink()
    for name, text in pages.items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m lateen.api.reference", description="Writes the reference's pages")
    parser.add_argument("directory", nargs="?", type=Path, default=Path("docs/reference"))
    main(parser.parse_args().directory)
