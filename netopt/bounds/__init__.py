"""Bounds of pre-activations that need no solver."""
