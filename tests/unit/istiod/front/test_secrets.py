from __future__ import annotations

import json
import stat
from pathlib import Path

from lateen.istiod.front.secrets import TlsMaterial, write_secrets


def test_files_hold_all_and_nobody_else_reads_them(tmp_path: Path) -> None:
    write_secrets(tmp_path, TlsMaterial("chain", "key", "roots"))
    found = {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    assert set(found) == {"serving.json", "roots.json"}
    (serving,) = found["serving.json"]["resources"]
    assert serving["name"] == "serving"
    assert serving["tls_certificate"]["private_key"] == {"inline_string": "key"}
    assert found["roots.json"]["resources"][0]["validation_context"] == {"trusted_ca": {"inline_string": "roots"}}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_another_content_is_another_version_and_another_file(tmp_path: Path) -> None:
    write_secrets(tmp_path, TlsMaterial("chain", "key", ""))
    assert not (tmp_path / "roots.json").exists()
    path = tmp_path / "serving.json"
    before = json.loads(path.read_text())["version_info"], path.stat().st_ino
    write_secrets(tmp_path, TlsMaterial("chain", "other", ""))
    after = json.loads(path.read_text())["version_info"], path.stat().st_ino
    assert before[0] != after[0]
    # Exchanged and not written over: whoever reads it sees one or the other.
    assert before[1] != after[1]


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(TlsMaterial("chain", "secret", "roots"))
