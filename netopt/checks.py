"""What callers give, checked at the edge: numbers, whole numbers, kinds of objects. Each refusal is one sentence."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from netopt.arrays import FloatArray
from netopt.errors import InputError, InvalidOptionError

#: Kinds of array that hold real numbers; objects may (fractions, decimals), and are converted one by one.
_REAL_KINDS = "biufO"


def as_numbers(values: Any, what: str) -> FloatArray:
    """Return real numbers as float64, of the shape they have.

    Parameters
    ----------
    values : an array, a list, a table, ...; arrays of float64 are not copied.
    what : names them in the error, e.g. "the lower bounds".

    Raises
    ------
    InputError
        They are no real numbers, or lists of different lengths.

    Examples
    --------
    >>> from netopt.checks import as_numbers
    >>> as_numbers([1, 2], "the bounds").tolist()
    [1.0, 2.0]
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in _REAL_KINDS:
            raise TypeError(f"an array of {array.dtype} was given")
        return array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} must be real numbers, as an array or lists of one length: {error}") from error


def as_whole(value: Any, name: str, least: int) -> int:
    """Return an option that counts, e.g. ``threads``.

    Raises
    ------
    InvalidOptionError
        It is no whole number, or below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise InvalidOptionError(f"{name} is {value!r}; give a whole number, at least {least}")
    return number


def is_number(value: Any) -> bool:
    """Return whether a value is one real number; infinity and nan are."""
    return isinstance(value, int | float | np.integer | np.floating)


def is_positive(value: Any) -> bool:
    """Return whether a value is a real number above zero; infinity is one."""
    return is_number(value) and bool(value > 0.0)


def check_callable(value: object, name: str) -> None:
    """Refuse what cannot be called where a function, or None, is needed, e.g. ``progress``.

    Raises
    ------
    InvalidOptionError
        It is neither.
    """
    if not (value is None or callable(value)):
        raise InvalidOptionError(f"{name} is {value!r}; give a function, or None")


def check_kind(value: object, kind: type | tuple[type, ...], what: str, remedy: str) -> None:
    """Refuse an object of another class than `kind`; `remedy` says what to give.

    Raises
    ------
    InputError
        It is of another class.
    """
    if not isinstance(value, kind):
        raise InputError(f"{what} is of class {type(value).__name__}; {remedy}")
