"""The root of the command line: wiring only."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from lateen import __version__
from lateen.cli.boolean_flags import plain
from lateen.cli.later_commands import Commands
from lateen.cli.leading_options import moved

_COMMANDS: Final = (
    "cluster",
    "crds",
    "dashboard",
    "experimental",
    "install",
    "istiod",
    "kube-inject",
    "manifest",
    "profile",
    "proxy-config",
    "proxy-status",
    "translate",
    "uninstall",
    "upgrade",
    "validate",
    "verify-install",
    "version",
)
"""Each is in the module of its name, with `_` for `-`."""


_ALIASES: Final = {
    "x": "experimental",
    "exp": "experimental",
    "pc": "proxy-config",
    "ps": "proxy-status",
    "dash": "dashboard",
    "d": "dashboard",
}


class _Root(Commands):
    """Loads a command when it is used: `lateen validate` does not wait for what `lateen istiod` imports."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, plain(ctx, self, moved(args)))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        cmd_name = _ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"lateen.cli.{name}"), name)
        return command


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lateen")
def main() -> None:
    """Lateen: a service mesh that speaks Istio's APIs, on stock Envoy."""


if __name__ == "__main__":
    main()
