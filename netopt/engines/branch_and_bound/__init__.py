"""The native engine: branch and bound over boxes, ReLU phases and regions of the inputs, without a MILP solver."""
