"""Adapters to MILP solvers."""
