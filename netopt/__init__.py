"""Optimise over trained ReLU networks: verify, maximise and embed them with any MILP solver."""
