"""Exit statuses of the command, and how an error becomes one."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import click

from formulations.errors import FormulationError
from netopt.errors import InputError, NetoptError


class Exit(IntEnum):
    """What the exit status says."""

    DECIDED = 0  # sat, unsat, optimal, infeasible; or the command did what it was asked
    INTERNAL = 1  # a fault of netopt or of a solver
    BAD_INPUT = 2  # bad input or usage
    UNDECIDED = 3  # timeout, unknown, feasible
    INVALID = 4  # a proof that does not hold
    INTERRUPTED = 130  # Ctrl-C; the best result so far has been printed


def complain(sentence: object) -> None:
    """Print one sentence on standard error."""
    click.echo(f"netopt: {sentence}", err=True)


@contextmanager
def errors_as_exits() -> Iterator[None]:
    """Turn errors raised on purpose into one sentence on standard error and an exit status."""
    try:
        yield
    except KeyboardInterrupt:
        _leave("interrupted", Exit.INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        where = "netopt" if error.ctx is None else error.ctx.command_path
        _leave(f"{error.format_message().rstrip('.')}; see '{where} --help'", Exit.BAD_INPUT)
    except (InputError, FormulationError) as error:
        _leave(error, Exit.BAD_INPUT)
    except NetoptError as error:
        _leave(error, Exit.INTERNAL)
    except MemoryError:
        _leave("this machine has too little memory for the call; use looser bounds or a smaller network", Exit.INTERNAL)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _leave(f"a result cannot be written ({error.strerror}); make room, or give another path", Exit.BAD_INPUT)
        if error.filename is None:
            raise
        _leave(f"{error.filename} cannot be used ({error.strerror}); give another path", Exit.BAD_INPUT)


def _leave(sentence: object, status: Exit) -> None:
    complain(sentence)
    raise click.exceptions.Exit(status)
