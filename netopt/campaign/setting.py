"""A setting: a name and the options of `netopt verify` or `netopt maximize` that it stands for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import PurePath

from netopt.errors import InvalidOptionError

#: Options that the campaign or the list gives, never a setting.
RESERVED = (
    *("help", "json", "quiet", "results-file", "proof", "time-limit", "timeout", "memory-limit"),
    *("network", "property", "lower", "upper", "output", "weights", "minimize"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A named choice of options.

    Attributes
    ----------
    name : shown in tables.
    options : (name, value) pairs, e.g. ``(("solver", "highs"), ("threads", "1"))``; the value of a flag is "".
    program : words of another program that takes the command's arguments and answers in its JSON; empty for netopt.
    """

    name: str
    options: tuple[tuple[str, str], ...]
    program: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The options as they were written, and the program without the folders it is in on this machine."""
        program = [("program", " ".join(PurePath(word).name for word in self.program))] if self.program else []
        return ",".join(key if value == "" else f"{key}={value}" for key, value in [*program, *self.options])

    def arguments(self) -> list[str]:
        """Return the options as the command takes them."""
        return [f"--{key}" if value == "" else f"--{key}={value}" for key, value in self.options]

    def get(self, option: str, default: str = "") -> str:
        """Return the value of an option."""
        return dict(self.options).get(option, default)


def parse_setting(text: str) -> Setting:
    """Read ``name=fast,solver=highs,formulation=big-m``; without a name the text itself is the name.

    ``program=COMMAND LINE`` runs another program in place of netopt.

    Raises
    ------
    InvalidOptionError
        A part is empty, an option comes twice, or it is one that the campaign or the list gives.

    Examples
    --------
    >>> from netopt.campaign.setting import parse_setting
    >>> parse_setting("name=fast,solver=highs,threads=1").arguments()
    ['--solver=highs', '--threads=1']
    """
    options: dict[str, str] = {}
    for part in text.split(","):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if not key or ("=" in part and not value):
            raise InvalidOptionError(
                f"the setting {text!r} has the part {part!r}; write option=value, or a flag's name"
            )
        if key in options:
            raise InvalidOptionError(f"the setting {text!r} gives {key!r} twice")
        if key in RESERVED:
            raise InvalidOptionError(f"a setting may not give {key!r}: the campaign or its list does; leave it out")
        options[key] = value
    name = options.pop("name", text)
    program = tuple(shlex.split(options.pop("program", "")))
    return Setting(name, tuple(options.items()), program)
