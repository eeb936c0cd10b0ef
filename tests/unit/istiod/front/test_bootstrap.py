from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lateen.envoy_binary import envoy_path
from lateen.istiod.configuration import Address
from lateen.istiod.front.bootstrap import FrontPlan, bootstrap
from lateen.istiod.front.secrets import TlsMaterial, write_secrets
from lateen.testing.certificates import Authority

AUTHORITY = Authority()
PAIR = AUTHORITY.issue("localhost")


@pytest.mark.parametrize("verifies", [True, False])
@pytest.mark.parametrize("http", [True, False])
def test_envoy_takes_it_without_a_warning(tmp_path: Path, verifies: bool, http: bool) -> None:
    write_secrets(tmp_path, TlsMaterial(PAIR.certificate, PAIR.key, AUTHORITY.root if verifies else ""))
    plan = FrontPlan(
        Address("::", 15012), tmp_path / "g", tmp_path / "h" if http else None, tmp_path / "a", tmp_path, verifies
    )
    config = tmp_path / "envoy.json"
    config.write_text(json.dumps(bootstrap(plan)))
    command = [str(envoy_path()), "--mode", "validate", "--disable-hot-restart", "-c", str(config), "-l", "warning"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    assert "eprecated" not in done.stderr
