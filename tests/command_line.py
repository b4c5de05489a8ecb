"""The command line as tests call it."""

from __future__ import annotations

from click.testing import CliRunner, Result

from netopt.cli.main import app


def call(*arguments: object) -> Result:
    """Call ``netopt`` with some arguments, in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
