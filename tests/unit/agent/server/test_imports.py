"""What the server costs in memory, by what it imports: one runs beside every application."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lateen

_PROGRAM = """
import sys
sys.modules["ssl"] = None
from lateen.agent.server import serve
ours = {name for name in sys.modules if name.startswith("lateen")}
print(sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - {"__main__", "lateen"}))
print(sorted(name for name in ours if not name.startswith("lateen.agent")))
print(sorted({"argparse", "email", "http.client", "http.server", "zlib", "gzip", "lateen.agent.server.grpc_health"}
             & set(sys.modules)))
"""


def test_the_server_is_the_standard_library_alone_without_tls() -> None:
    # -I -S: without what a virtual environment's .pth files import.
    program = f"import sys; sys.path.append({str(Path(lateen.__path__[0]).parent)!r})" + _PROGRAM
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    foreign, ours, heavy = ran.stdout.splitlines()
    assert foreign == "[]"
    assert ours == "['lateen']"
    assert heavy == "[]"
