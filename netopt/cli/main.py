"""The ``netopt`` command. Each subcommand is a module of its own, loaded when it is called or listed."""

from __future__ import annotations

import gc
import inspect
import sys
import traceback
import warnings
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import click

from netopt.cli.command import Option, parameters_of
from netopt.cli.exits import Exit, complain, errors_as_exits

#: New objects between two looks for garbage: what start-up loads lasts, and looking through it takes a while.
_COLLECT_AFTER = 10_000

#: Subcommand -> the module that has it, under its own name. Modules load nothing heavy at import.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "verify": "netopt.cli.verify",
        "maximize": "netopt.cli.maximize",
        "check": "netopt.cli.check",
        "bounds": "netopt.cli.bounds",
        "info": "netopt.cli.info",
        "prune": "netopt.cli.prune",
        "harp": "netopt.cli.harp",
        "ticket": "netopt.cli.ticket",
        "formulate": "netopt.cli.formulate",
        "campaign": "netopt.cli.campaign",
        "supports": "netopt.cli.supports",
    }
)


class LazyGroup(click.Group):
    """A group that imports a subcommand's module only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, or None when there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the subcommand; errors raised on purpose become exit statuses."""
        with errors_as_exits():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; errors raised on purpose become exit statuses."""
        with errors_as_exits():
            return super().invoke(ctx)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(version("netopt"))
        raise click.exceptions.Exit


def _print_name(wanted: bool) -> None:
    if wanted:
        click.echo("netopt")
        raise click.exceptions.Exit


def netopt(
    version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    name: Annotated[bool, Option("--name", callback=_print_name, is_eager=True, help="Print the name.")] = False,
) -> None:
    """Optimise over trained ReLU networks: verify and maximize them, prune them, write them as models.

    Exit status: 0 decided, 3 undecided, 2 bad input or usage, 4 invalid proof, 1 internal error, 130 interrupted.
    """


app = LazyGroup(
    "netopt",
    params=parameters_of(netopt),
    callback=netopt,
    help=inspect.getdoc(netopt),
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> int:
    """Run the command on this process's arguments and return its exit status."""
    gc.set_threshold(_COLLECT_AFTER)
    if not sys.warnoptions:
        # Numbers too large for an array's type become infinite bounds, which prove nothing: no matter for a user.
        warnings.filterwarnings("ignore", "overflow encountered", RuntimeWarning)
    try:
        app(prog_name="netopt")
    except Exception:  # noqa: BLE001 - the last resort: a fault of netopt's own, shown in full
        traceback.print_exc()
        complain("internal error; please report it with the lines above")
        return Exit.INTERNAL
    finally:
        gc.freeze()  # the process ends: looking through all that was loaded for garbage takes a fifth of a short call
    return Exit.DECIDED


if __name__ == "__main__":
    sys.exit(main())
