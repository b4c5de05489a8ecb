"""The ``netopt`` command. Each subcommand is a module of its own, loaded when it is called or listed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from netopt.cli.exits import Exit, complain, errors_as_exits

#: Subcommand -> the module whose `app` it is. Modules load nothing heavy at import.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "verify": "netopt.cli.verify",
        "maximize": "netopt.cli.maximize",
        "check": "netopt.cli.check",
        "bounds": "netopt.cli.bounds",
        "info": "netopt.cli.info",
        "prune": "netopt.cli.prune",
        "formulate": "netopt.cli.formulate",
        "campaign": "netopt.cli.campaign",
        "supports": "netopt.cli.supports",
    }
)


class LazyGroup(TyperGroup):
    """A group that imports a subcommand's module only when it is needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the subcommands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a subcommand, or None when there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(import_module(COMMANDS[cmd_name]).app)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run a subcommand; errors raised on purpose become exit statuses."""
        with errors_as_exits():
            return super().invoke(ctx)


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("netopt"))
        raise typer.Exit


def _print_name(wanted: bool) -> None:
    if wanted:
        typer.echo("netopt")
        raise typer.Exit


@app.callback()
def netopt(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    name: Annotated[bool, typer.Option("--name", callback=_print_name, is_eager=True, help="Print the name.")] = False,
) -> None:
    """Optimise over trained ReLU networks: verify, maximize and embed them with any MILP solver.

    Exit status: 0 decided, 3 undecided, 4 a proof that does not hold, 2 bad input or usage, 1 internal error, 130
    interrupted.
    """


def main() -> int:
    """Run the command on this process's arguments and return its exit status."""
    try:
        app(prog_name="netopt")
    except Exception:  # noqa: BLE001 - the last resort: a fault of netopt's own, shown in full
        traceback.print_exc()
        complain("internal error; please report it with the lines above")
        return Exit.INTERNAL
    return Exit.DECIDED


if __name__ == "__main__":
    sys.exit(main())
