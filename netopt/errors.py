"""Errors that netopt raises on purpose. Every message is one sentence: what, what was found, what to do."""


class NetoptError(Exception):
    """Base of every error netopt raises on purpose."""


class InputError(NetoptError, ValueError):
    """The input is wrong or unusable (exit status 2)."""


class UnsupportedOperatorError(InputError):
    """A network holds an operator that cannot be written as Affine and ReLU."""


class InvalidOptionError(InputError):
    """An option, keyword or parameter is unknown or has a value that cannot be used."""


class SolverUnavailableError(InputError):
    """A solver is not installed or not licensed for this size."""


class UnsupportedModelError(InputError):
    """A solver cannot take a row kind the model holds; the message names the alternatives."""


class ModelNumbersError(InputError):
    """The numbers of a model are beyond what a solver takes."""


class SolverFailureError(NetoptError):
    """A solver broke (exit status 1): crashed, returned an undocumented status, or contradicted itself."""
