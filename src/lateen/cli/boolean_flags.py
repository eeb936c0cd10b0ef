"""Flags may have a value, as those of istioctl may: `--remote=false`, `--purge=true`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

_VALUES: Final = {
    **dict.fromkeys(("true", "True", "TRUE", "t", "T", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "f", "F", "0"), False),
}


def plain(ctx: click.Context, group: click.Group, arguments: Sequence[str]) -> list[str]:
    """The same in click's form, for the command that the arguments name: `--no-remote`, `--purge`, or nothing.

    Another value stays, so that click complains about it.
    """
    command: click.Command = group
    for argument in arguments:
        found = command.get_command(ctx, argument) if isinstance(command, click.Group) else None
        if found is None:
            break
        command = found
    flags = {
        name: parameter
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.is_bool_flag
        for name in parameter.opts
    }
    end = arguments.index("--") if "--" in arguments else len(arguments)
    told: list[str] = []
    for argument in arguments[:end]:
        name, equals, value = argument.partition("=")
        if not equals or name not in flags or value not in _VALUES:
            told.append(argument)
        elif _VALUES[value]:
            told.append(name)
        else:
            told += flags[name].secondary_opts[:1]
    return [*told, *arguments[end:]]
