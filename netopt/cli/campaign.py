"""``netopt campaign``: many problems under many settings into one table, and what the table says."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from formulations.errors import FormulationError
from netopt.cli import options
from netopt.cli.command import Argument, Option, command
from netopt.cli.exits import complain

if TYPE_CHECKING:
    from netopt.campaign.problem import Problem
    from netopt.campaign.setting import Setting

#: Options of both commands whose values are names or numbers, not files.
_CHECKED = ("solver", "formulation", "bounds", "prune", "confirm", "threads", "memory_limit", "seed", "device")


class _RunByDefault(click.Group):
    """A group in which ``campaign LIST.csv ...`` means ``campaign run LIST.csv ...``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands, in the order they are used in."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default subcommand in front of arguments that name none."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@command()
def run(
    lists: Annotated[
        list[Path], Argument(metavar="LIST.csv", help="Problems in VNN-COMP form: onnx, vnnlib, timeout.")
    ],
    setting: Annotated[
        list[str],
        Option(
            "--setting",
            metavar="name=...,OPTION=VALUE,...",
            help="Options of netopt verify or maximize, without dashes; once a setting.",
        ),
    ],
    output: Annotated[
        Path, Option("-o", "--output", metavar="FILE.parquet", help="The table; goes on where it stopped.")
    ],
    time_limit: Annotated[
        float | None, Option("--time-limit", metavar="SECONDS", help="Cap on every problem's own time-out.")
    ] = None,
    memory_limit: Annotated[
        float | None, Option("--memory-limit", metavar="GB", help="Memory beyond which a run is killed.")
    ] = None,
    workers: Annotated[int, Option("--workers", min=1, metavar="N", help="Runs at a time.")] = 1,
    retry_errors: Annotated[bool, Option("--retry-errors", help="Repeat the runs that ended in an error.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Run every problem of the lists under every setting.

    Each run is a process of its own. Killed or interrupted, the same call goes on where it stopped.
    """
    from netopt.campaign.campaign import Limits, plan, run_campaign
    from netopt.campaign.problem import read_problems
    from netopt.campaign.setting import parse_setting
    from netopt.cli.campaign_progress import shown

    problems = [problem for path in lists for problem in read_problems(path)]
    settings = [parse_setting(text) for text in setting]
    _check_settings([setting for setting in settings if not setting.program], problems)
    memory = None if memory_limit is None else memory_limit * 2**30
    tasks = plan(problems, settings, Limits(time=time_limit, memory=memory))
    with shown(quiet) as on_progress:
        run_campaign(tasks, output, workers=workers, retry_errors=retry_errors, on_progress=on_progress)
    if not quiet:
        runs = "the run" if len(tasks) == 1 else f"the {len(tasks)} runs"
        complain(f"{output} holds {runs}; 'netopt campaign report {output}' sums them up")


@command()
def report(
    results: Annotated[list[Path], Argument(metavar="RESULTS.parquet", help="Tables of netopt campaign.")],
    shift: Annotated[float, Option("--shift", min=0.0, metavar="SECONDS", help="Shift of the geometric mean.")] = 1.0,
    plot: Annotated[
        Path | None,
        Option("--plot", metavar="FILE.png", help="Draw the performance profile; needs netopt[plot]."),
    ] = None,
    csv: Annotated[Path | None, Option("--csv", metavar="FILE.csv", help="Write the summary as CSV.")] = None,
) -> None:
    """Print solved counts, wrong answers and mean times.

    Times are shifted geometric means and PAR-2 scores.
    """
    from netopt.campaign.journal import read_tables
    from netopt.campaign.report import report as as_text
    from netopt.campaign.summary import scored, summarise
    from netopt.cli.outputs import check_outputs

    check_outputs(plot, csv)
    table = read_tables(results)
    click.echo(as_text(table, shift))
    if csv is not None:
        summarise(scored(table), shift).to_csv(csv, index=False)
    if plot is not None:
        from netopt.campaign.profile import plot_profile

        plot_profile(scored(table), plot)


campaign = _RunByDefault(
    "campaign",
    commands=[run, report],
    help="Run many problems under many settings; report on them.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _check_settings(settings: Sequence[Setting], problems: Sequence[Problem]) -> None:
    """Refuse what no run could use before the first one, not in every row of the table."""
    from netopt.cli.main import app as whole

    context = click.Context(whole)
    for name, example in {problem.command: problem for problem in problems}.items():
        chosen = whole.get_command(context, name)
        assert chosen is not None
        _check_options(settings, name, chosen)
        for setting in settings:
            _check_values(setting, chosen, example.arguments()[1:])


def _check_values(setting: Setting, chosen: click.Command, arguments: list[str]) -> None:
    """Refuse values that the command does not take."""
    from netopt.errors import InputError, InvalidOptionError
    from netopt.problems.settings import Settings

    try:
        given = chosen.make_context(None, [*arguments, *setting.arguments()]).params
        with ExitStack() as closing:
            Settings.checked(closing, isolate=True, **{name: given[name] for name in _CHECKED if name in given})
    except click.UsageError as error:
        raise InvalidOptionError(f"the setting {setting.name!r}: {error.format_message().rstrip('.')}") from error
    except (InputError, FormulationError) as error:
        raise InvalidOptionError(f"the setting {setting.name!r}: {error}") from error


def _check_options(settings: Sequence[Setting], name: str, chosen: click.Command) -> None:
    """Refuse options that the command does not have."""
    from netopt.campaign.setting import RESERVED
    from netopt.errors import InvalidOptionError

    known = {
        option.removeprefix("--")
        for parameter in chosen.params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    }
    for setting in settings:
        for option, _ in setting.options:
            if option not in known:
                raise InvalidOptionError(
                    f"the setting {setting.name!r} gives {option!r}, which netopt {name} does not have;"
                    f" it has {', '.join(sorted(known - {*RESERVED}))}"
                )
