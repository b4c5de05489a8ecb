"""Commands from typed functions: the annotation of each parameter says what click is to read.

``Annotated[float | None, Option("--gap", help="...")]`` is an option, ``Annotated[Path, Argument(metavar="FILE")]`` an
argument. click alone: frameworks on top of it take a third of the time that a whole proof may take to load.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import click


class Option:
    """An option; a flag where the parameter is a bool, given several times where it is a list.

    Parameters
    ----------
    names : with their dashes.
    metavar, help : shown by ``--help``.
    min : least number taken.
    callback : called with the value, returns the value to use.
    is_eager : read before the other options.
    """

    def __init__(
        self,
        *names: str,
        metavar: str | None = None,
        help: str | None = None,
        min: float | None = None,
        callback: Callable[[Any], Any] | None = None,
        is_eager: bool = False,
    ) -> None:
        self.names, self.metavar, self.help = names, metavar, help
        self.min, self.callback, self.is_eager = min, callback, is_eager


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument; several where the parameter is a list."""

    metavar: str
    help: str


class _DescribedArgument(click.Argument):
    """An argument with a line in the help."""

    def __init__(self, *names: Any, description: str, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.description = description


class _Command(click.Command):
    """A command whose help lists the arguments before the options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both lists."""
        lines = [
            (parameter.make_metavar(ctx), parameter.description)
            for parameter in self.get_params(ctx)
            if isinstance(parameter, _DescribedArgument)
        ]
        if lines:
            with formatter.section("Arguments"):
                formatter.write_dl(lines)
        super().format_options(ctx, formatter)


def command(**settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Turn a function into a command of its name; `settings` are those of `click.Command`."""
    return lambda function: _Command(
        function.__name__,
        params=parameters_of(function),
        callback=function,
        help=inspect.getdoc(function),
        **settings,
    )


def parameters_of(function: Callable[..., None]) -> list[click.Parameter]:
    """Return what click is to read for each parameter of a function."""
    hints = get_type_hints(function, include_extras=True)
    return [
        _parameter(one.name, hints[one.name], one.default) for one in inspect.signature(function).parameters.values()
    ]


def _parameter(name: str, hint: Any, default: Any) -> click.Parameter:
    annotated, what = get_args(hint)
    (kind,) = [part for part in get_args(annotated) or (annotated,) if part is not type(None)]
    several = list in (get_origin(annotated), get_origin(kind))
    kind = get_args(kind)[0] if get_origin(kind) is list else kind
    required = default is inspect.Parameter.empty
    if isinstance(what, Argument):
        return _DescribedArgument(
            [name],
            type=_click_type(kind, None),
            nargs=-1 if several else 1,
            required=required,
            metavar=what.metavar,
            description=what.help,
            callback=_as_list if several else None,
        )
    shown = not (required or default is None or kind is bool)
    given: dict[str, Any] = {} if required else {"default": default}
    return click.Option(
        [*what.names, name],
        type=_click_type(kind, what.min),
        is_flag=kind is bool,
        multiple=several,
        required=required,
        metavar=what.metavar,
        help=what.help,
        show_default=shown,
        is_eager=what.is_eager,
        callback=_as_list if several else _of_value(what.callback),
        **given,
    )


def _click_type(kind: type, least: float | None) -> Any:
    if kind is Path:
        return click.Path(path_type=Path)
    if least is None:
        return kind
    return click.IntRange(min=int(least)) if kind is int else click.FloatRange(min=least)


def _of_value(callback: Callable[[Any], Any] | None) -> Callable[..., Any] | None:
    return None if callback is None else lambda context, parameter, value: callback(value)


def _as_list(context: click.Context, parameter: click.Parameter, value: tuple[Any, ...]) -> list[Any] | None:
    return list(value) or None
