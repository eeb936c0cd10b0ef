"""`pilot-agent`: what runs in a pod beside the application. Imports only what the command at hand needs."""

from __future__ import annotations

import sys
from importlib import import_module

_COMMANDS = {
    "proxy": ("lateen.agent.command", "Run Envoy beside an application: certificates, bootstrap, supervision."),
    "istio-iptables": ("lateen.capture.command", "Capture this network namespace's traffic."),
    "request": ("lateen.agent.request", "Ask Envoy's admin interface: request GET /clusters"),
    "wait": ("lateen.agent.wait", "Wait until the proxy is ready."),
    "version": ("", "Print the version."),
}
"""By name: the module that does it, by its function `main(arguments) -> exit status`, and a line of help."""

_EXAMPLES = """
Examples:
  pilot-agent proxy sidecar --domain default.svc.cluster.local --proxyLogLevel=warning
  pilot-agent istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i '*' -b '*' -d 15090,15021,15020
  pilot-agent request GET /config_dump
  pilot-agent wait --timeoutSeconds 60
"""


def main() -> None:
    """Ends the process with the command's exit status; 2 for a command that there is not."""
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if name in ("-h", "--help", "help"):
        print(_help())
    elif name in ("version", "--version"):
        from lateen import __version__

        print(__version__)
    elif name in _COMMANDS:
        sys.exit(import_module(_COMMANDS[name][0]).main(arguments))
    else:
        print(f"pilot-agent: no command {name!r}; there are {', '.join(_COMMANDS)}", file=sys.stderr)
        sys.exit(2)


def _help() -> str:
    width = max(map(len, _COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {help}" for name, (_, help) in _COMMANDS.items())
    return f"Usage: pilot-agent COMMAND [ARGUMENTS]\n\nCommands (each has its own --help):\n{listed}\n{_EXAMPLES}"


if __name__ == "__main__":
    main()
