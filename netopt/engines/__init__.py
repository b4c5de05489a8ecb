"""Engines that maximise over a network: the MILP route."""
