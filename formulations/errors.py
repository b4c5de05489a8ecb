"""Errors of the formulations package; every one is a bad-input error with a one-sentence message."""


class FormulationError(ValueError):
    """A layer cannot be written in the requested form; the message says what was found and the remedy."""


class UnboundedNeuronError(FormulationError):
    """A formulation needs a finite bound that the layer does not have."""


class InconsistentBoundsError(FormulationError):
    """A lower bound exceeds its upper bound, or a bound is NaN."""
