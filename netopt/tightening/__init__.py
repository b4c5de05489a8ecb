"""Bound levels that need a solver."""
