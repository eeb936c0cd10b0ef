from __future__ import annotations

import json

import yaml
from click.testing import CliRunner

from lateen.api.crds import crds
from lateen.cli.main import main


def test_definitions_are_printed_ready_to_be_applied() -> None:
    result = CliRunner().invoke(main, ["crds"])
    assert result.exit_code == 0
    assert list(yaml.safe_load_all(result.output)) == crds()


def test_as_one_list_for_scripts() -> None:
    printed = json.loads(CliRunner().invoke(main, ["crds", "-o", "json"]).output)
    assert printed == {"apiVersion": "v1", "kind": "List", "items": crds()}
