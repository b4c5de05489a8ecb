"""The runs that are finished: one JSON line each, on disk before the next is taken, until they become a table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from netopt.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


class Journal:
    """The finished runs of one results file, ``results.parquet`` with ``results.parquet.journal`` beside it.

    Every row is appended to the journal and forced to disk. `compact` writes journal and table into a new table and
    only then removes the journal, so that a kill at any moment loses nothing and repeats nothing.

    Parameters
    ----------
    path : the table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path.with_name(f"{path.name}.journal")
        self._file: IO[bytes] | None = None

    @contextmanager
    def writing(self) -> Iterator[Journal]:
        """Open the journal for appending, alone.

        Raises
        ------
        InputError
            The folder cannot be written, or another campaign writes the same results.
        """
        import fcntl

        try:
            self._file = self.journal.open("a+b")
        except OSError as error:
            raise InputError(f"the results {self.path} cannot be written: {error.strerror}") from error
        with self._file as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"another campaign writes {self.path} now; wait for it, or choose another file"
                ) from error
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)  # a line cut off by a kill is a run that is not finished
            try:
                yield self
            finally:
                self._file = None
                if self.journal.exists() and not self.journal.stat().st_size:
                    self.journal.unlink()  # a campaign that was refused leaves nothing behind

    def rows(self) -> dict[str, Row]:
        """Return the finished runs by their key, a later one in place of an earlier."""
        rows: dict[str, Row] = {}
        if self.path.exists():
            rows.update((row["key"], row) for row in _records(read_table(self.path)))
        if self.journal.exists():
            lines = self.journal.read_bytes().split(b"\n")[:-1]
            rows.update((row["key"], row) for row in map(json.loads, lines))
        return rows

    def append(self, row: Row) -> None:
        """Add a finished run; it is on disk when this returns."""
        if self._file is None:
            raise RuntimeError("append is for the body of `with journal.writing():`")
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def compact(self) -> None:
        """Write everything into the table and remove the journal."""
        import pandas as pd

        table = pd.DataFrame(list(self.rows().values()))
        for name in [name for name, kind in table.dtypes.items() if pd.api.types.is_object_dtype(kind)]:
            # Texts and numbers mixed; a Parquet column has one type.
            table[name] = table[name].map(str, na_action="ignore")
        partial = self.path.with_name(f"{self.path.name}.partial")
        table.to_parquet(partial, index=False)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(self.path)
        self.journal.unlink()


def _records(table: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of results.

    Raises
    ------
    InputError
        It is absent or no table of a campaign.
    """
    import pandas as pd

    if not path.exists():
        raise InputError(f"{path} does not exist; name the -o file of a campaign")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no table of results ({error}); name the -o file of a campaign") from error
    if "key" not in table.columns or "status" not in table.columns:
        raise InputError(f"{path} is a table, but not one of `netopt campaign`; name its -o file")
    return table


def read_tables(paths: Sequence[Path]) -> pd.DataFrame:
    """Read several tables as one.

    Raises
    ------
    InputError
        One is no table of a campaign, or two hold the same problem under the same setting.
    """
    import pandas as pd

    table = pd.concat([read_table(path) for path in paths], ignore_index=True)
    twice = table["key"].duplicated()
    if twice.any():
        raise InputError(
            f"the tables hold {table['key'][twice].iloc[0]} more than once; give settings of one name to one table"
        )
    return table
